"""The lines of one `samples_*.jsonl` of lm-eval: those of a document, one for each filter, become one item.

lm-eval writes every number of a response as text, and the requests of a document as `gen_args_0`, `gen_args_1`, …
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.errors import UsageError
from mplus_eval.importers.base import StoredItem
from mplus_eval.importers.reading import Row, json_lines, mapping, sequence, whole_number
from mplus_eval.store.hashes import hash_text
from mplus_eval.store.outcomes import Outcome, as_stored

_Line = tuple[str, Row]


def read_samples(path: Path, subtask: str, config: Row) -> Iterator[StoredItem]:
    """The items of a file, in the order of their documents' first lines.

    Args:
        path: the file.
        subtask: that it is of.
        config: its configuration, as the results tell it.

    Raises:
        UsageError: naming the line that is not as lm-eval writes it.
    """
    n_filters = max(len(sequence(config, "filter_list", str(path))), 1)
    documents: dict[int, list[_Line]] = {}
    met: Counter[str] = Counter()
    for where, row in json_lines(path):
        number = whole_number(row, "doc_id", where)
        lines = documents.setdefault(number, [])
        name = str(row.get("filter", "none"))
        if (lines and n_filters == 1) or any(name == str(other.get("filter", "none")) for _, other in lines):
            raise UsageError(f"{where}: document {number} stands twice (filter {name[:40]!r})")
        lines.append((where, _slim(row) if lines else row))
        if n_filters == 1:
            # Nothing more comes of it, and its prompt need not be kept.
            yield _item(number, documents[number], subtask, config, met)
            documents[number] = [(where, _slim(row))]
    if n_filters > 1:
        for number, lines in documents.items():
            yield _item(number, lines, subtask, config, met)


def _slim(row: Row) -> Row:
    """What a further line of the same document adds: its filter, metrics and filtered responses."""
    names = [str(name) for name in row.get("metrics") or () if isinstance(row.get("metrics"), list)]
    return {key: row[key] for key in ("filter", "metrics", "filtered_resps", *names) if key in row}


def _item(number: int, lines: Sequence[_Line], subtask: str, config: Row, met: Counter[str]) -> StoredItem:
    where, row = lines[0]
    document = row.get("doc")
    key = row.get("doc_hash")
    if not isinstance(key, str) or not key:
        # Earlier versions wrote none: it is made as later ones make it.
        key = hash_text(json.dumps(document, indent=2, ensure_ascii=False))
    met[key] += 1
    asked = _asked(row, where, config)
    metrics: dict[str, float] = {}
    answers: dict[str, str] = {}
    for place, line in lines:
        name = str(line.get("filter", "none"))
        for metric in sequence(line, "metrics", place):
            metrics |= as_stored(f"{metric},{name}", line.get(str(metric)))
        filtered = sequence(line, "filtered_resps", place)
        answers[name] = filtered[0] if filtered and isinstance(filtered[0], str) else ""
    prompt_hash = row.get("prompt_hash")
    outcome = Outcome(
        item_id="",
        stratum=subtask,
        sample=0,
        prompt_hash=prompt_hash if isinstance(prompt_hash, str) and prompt_hash else hash_text(asked.prompt),
        prompt=asked.prompt,
        choices=asked.choices,
        log_probabilities=asked.log_probabilities,
        greedy=asked.greedy,
        generations=asked.generations,
        error="the model returned NaN" if asked.has_nan else None,
        target=asked.right(metrics) or _target(row, asked.choices),
        metrics=metrics,
    )
    is_choice = config.get("output_type") == "multiple_choice"
    return StoredItem(
        # A document that stands twice in the data is two items.
        key=key if met[key] == 1 else f"{key} {met[key]}",
        label=str(number),
        outcome=outcome,
        by_filter=answers if asked.generations is not None else {},
        document=document if isinstance(document, dict) else None,
        chance=1 / max(len(asked.choices or ()), 1) if is_choice else 0.0,
    )


@dataclass(frozen=True)
class _Asked:
    """The requests of a document with their responses, as an outcome has them."""

    prompt: str
    choices: Sequence[str] | None = None
    log_probabilities: Sequence[float] | None = None
    greedy: Sequence[bool] | None = None
    generations: Sequence[str] | None = None
    choices_are_contexts: bool = False

    def right(self, metrics: Mapping[str, float]) -> str | None:
        """The right one of two contexts, of which lm-eval names none: whether the likelier is right says which."""
        accuracy = next((value for key, value in metrics.items() if key.startswith("acc,")), None)
        if not self.choices_are_contexts or len(self.choices or ()) != 2 or accuracy not in (0.0, 1.0) or self.has_nan:
            return None
        first, second = self.log_probabilities or (0.0, 0.0)
        return (self.choices or ("", ""))[(first < second) == (accuracy == 1.0)]

    @property
    def has_nan(self) -> bool:
        """Whether a log-probability is no number."""
        return any(math.isnan(value) for value in self.log_probabilities or ())


def _asked(row: Row, where: str, config: Row) -> _Asked:
    """Read the requests by what was asked: texts, continuations, or the likelihood of a whole text."""
    requests, responses = _requests(row, where), sequence(row, "resps", where)
    if not requests or len(requests) != len(responses):
        raise UsageError(f"{where}: {len(requests)} requests in 'arguments', and {len(responses)} responses in 'resps'")
    prompt, first = _text(requests[0][0]), [_first(response, where) for response in responses]
    if len(requests[0]) == 1:
        return _Asked(prompt, log_probabilities=[_number(each, where) for each in first])
    if not isinstance(requests[0][1], str):
        return _Asked(prompt, generations=[_text(each) for each in first])
    pairs = [_pair(each, where) for each in first]
    choices = _choices(requests, config)
    pairs = pairs[: len(choices)]
    contexts = len(choices) > 1 and len({_text(each[1]) for each in requests if len(each) > 1}) == 1
    values, greedy = [value for value, _ in pairs], [is_greedy for _, is_greedy in pairs]
    return _Asked(prompt, choices, values, greedy, choices_are_contexts=contexts)


def _choices(requests: Sequence[Sequence[Any]], config: Row) -> list[str]:
    """The continuations that were scored, as a definition gives them; or the contexts, where these are the choices."""
    contexts = [_text(each[0]) for each in requests]
    continuations = [_text(each[1]) if len(each) > 1 else "" for each in requests]
    if config.get("output_type") != "multiple_choice":
        return continuations
    n = len(requests)
    if n % 2 == 0 and continuations[: n // 2] == continuations[n // 2 :] and set(contexts[n // 2 :]) == {""}:
        # Of mutual information every choice is asked once more, without the question.
        n //= 2
    if len(set(continuations[:n])) == 1 < n:
        return [text.rpartition(str(config.get("fewshot_delimiter") or "\n\n"))[2] for text in contexts[:n]]
    return [text.removeprefix(str(config.get("target_delimiter", " "))) for text in continuations[:n]]


def _target(row: Row, choices: Sequence[str] | None) -> str | None:
    """The right answer, in words where it is a choice's number."""
    value = row.get("target")
    text = None if value is None else _text(value)
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) < 4
    if choices and len(choices) > 1 and text is not None and is_number and int(text) < len(choices):
        return choices[int(text)]
    return text


def _pair(value: object, where: str) -> tuple[float, bool]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UsageError(f"{where}: a log-probability and whether it is greedy are expected in 'resps'")
    return _number(value[0], where), str(value[1]) == "True"


def _requests(row: Row, where: str) -> list[list[Any]]:
    """The arguments of every request: as objects of texts, or in earlier versions as lists."""
    given = row.get("arguments")
    if isinstance(given, list):
        return [list(each) if isinstance(each, list | tuple) else [each] for each in given]
    arguments = mapping(row, "arguments", where)
    requests = []
    for name in arguments:
        request = mapping(arguments, name, where)
        requests.append([request[key] for key in sorted(request)])
    return requests


def _first(response: object, where: str) -> object:
    """The first answer to a request; where there are several, metrics are of what filters made of them."""
    if not isinstance(response, list | tuple) or not response:
        raise UsageError(f"{where}: 'resps' must hold a list of answers for each request")
    return response[0]


def _number(value: object, where: str) -> float:
    try:
        return float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else float("x")
    except (ValueError, OverflowError):
        raise UsageError(f"{where}: {str(value)[:40]!r} in 'resps' is no log-probability") from None


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
