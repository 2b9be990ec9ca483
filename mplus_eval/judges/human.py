"""People as judges: blinded pairs in a CSV file, to be filled in by hand and read again.

    id            turn  conversation             answer_1        answer_2   verdict  comment
    p9c1185a5c5e  1     User: Name a river.      The Danube.     A hill.    A        the other is no river

In `verdict` stands A (answer_1 is better), B (answer_2) or tie. No model is named. Which answer comes first is drawn
for each pair from the seed and the pair itself, so that nothing but the run's own answers and seed can tell it again.

Cells that a spreadsheet would take for a formula (they begin with = + - @, a tab or a carriage return) get a leading
apostrophe, which is taken off again when the file is read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.judges.base import LOSS, TIE, WIN, JudgeContext, Judgement, JudgeWeights, OnJudged, PairwiseItem
from mplus_eval.store.hashes import hash_file, hash_text

COLUMNS = ("id", "turn", "conversation", "answer_1", "answer_2", "verdict", "comment")
_NEEDED = ("id", "verdict")
_OF_FIRST_SHOWN = {"a": WIN, "b": LOSS, "tie": TIE}
_ACCEPTED = "accepted: A, B, tie"
_DELIMITERS = ",;\t"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ID_LENGTH = 11


def faults(detail: str, where: str) -> list[str]:
    """Return whether the file is missing; what it holds can be read only when the pairs are there."""
    return [] if Path(detail).expanduser().is_file() else [f"{where}: no such file"]


def load(detail: str, context: JudgeContext) -> HumanJudge:
    """The people who filled in a file."""
    return HumanJudge(Path(detail).expanduser(), context.seed, context.items)


def weights(detail: str) -> JudgeWeights:
    """People have none."""
    return JudgeWeights()


def export_pairs(items: Sequence[PairwiseItem], path: Path, seed: int) -> int:
    """Write blinded pairs; those whose answers are the same are left out, since they are a tie.

    Args:
        items: what is to be judged.
        path: the file to write.
        seed: draws the order of the answers and of the rows.

    Returns:
        How many pairs were written.

    Raises:
        UsageError: when the file is there already, since someone may have filled it in.
    """
    if path.exists():
        raise UsageError(f"{path} exists already and may hold verdicts; name another file")
    asked = {pair_id(item, seed): item for item in items if item.first != item.second}
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    # Ids are hashes, so their order is no order of the questions.
    for name, item in sorted(asked.items()):
        shown = item if _baseline_first(name) else item.swapped
        conversation = "\n".join(f"User: {turn}" for turn in item.question.turns[: item.turn])
        cells = [name, str(item.turn), conversation, _numbered(shown.first), _numbered(shown.second), "", ""]
        # No spreadsheet takes a cell with an apostrophe in front for a formula.
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    path.parent.mkdir(parents=True, exist_ok=True)
    # With a byte order mark, by which spreadsheets know UTF-8.
    path.write_text(text.getvalue(), encoding="utf-8-sig", errors="replace", newline="")
    return len(asked)


def import_pairs(path: Path, items: Sequence[PairwiseItem], seed: int) -> dict[str, Judgement]:
    """Read what people judged, by the ids of the pairs; rows without a verdict are left out.

    Comma, semicolon and tab are taken as delimiters, with or without a byte order mark.

    Args:
        path: the file, filled in.
        items: those that were exported, with the run's own answers.
        seed: as at the export.

    Raises:
        SpecError: all faults of the file at once: rows of no known pair or of one that stands there twice, and
            verdicts other than A, B and tie.
    """
    ids = {pair_id(item, seed) for item in items}
    judgements: dict[str, Judgement] = {}
    wrong_lines, seen = [], set()
    for line, row in _rows(path):
        name, verdict = row["id"].strip(), row["verdict"].strip()
        where = f"{path}, line {line}"
        if name not in ids:
            wrong_lines.append(f"{where}: no pair of this run has the id {name!r}")
        elif name in seen:
            wrong_lines.append(f"{where}: the pair {name} stands there twice")
        elif verdict and verdict.lower() not in _OF_FIRST_SHOWN:
            wrong_lines.append(f"{where}: verdict {verdict!r}; {_ACCEPTED}")
        elif verdict:
            judgements[name] = _judgement(name, _OF_FIRST_SHOWN[verdict.lower()], row.get("comment") or "")
        seen.add(name)
    if wrong_lines:
        raise SpecError(wrong_lines)
    return judgements


def pair_id(item: PairwiseItem, seed: int) -> str:
    """An id that tells nothing to whoever does not have the answers and the seed."""
    content = json.dumps([seed, item.turn, asdict(item.question), item.first, item.second])
    # The letter keeps spreadsheets from taking an id for a number.
    return f"p{hash_text(content)[:_ID_LENGTH]}"


@dataclass(frozen=True)
class HumanJudge:
    """People, who have filled in a file."""

    path: Path
    seed: int
    others: Sequence[PairwiseItem] = ()
    """Pairs of other models, which stand in the same file."""
    name: str = "human"

    @property
    def fingerprint(self) -> str:
        """Hash of the file and the seed."""
        return hash_text(f"human {hash_file(self.path)} {self.seed}")

    def judge(self, items: Sequence[PairwiseItem], on_judged: OnJudged | None = None) -> list[Judgement]:
        """As a `PairJudge`.

        Raises:
            SpecError: as `import_pairs` does.
        """
        by_id = import_pairs(self.path, [*items, *self.others], self.seed)
        same = Judgement(TIE, reasons=("The two answers are the same.",))
        unjudged = Judgement(None, cause=f"no verdict in {self.path.name}")
        judgements = [
            same if item.first == item.second else by_id.get(pair_id(item, self.seed), unjudged) for item in items
        ]
        if on_judged is not None:
            for place, judgement in enumerate(judgements):
                on_judged(place, judgement)
        return judgements


def _numbered(answers: Sequence[str]) -> str:
    """One answer as it is, several with numbers."""
    if len(answers) == 1:
        return answers[0]
    return "\n\n".join(f"({number}) {answer}" for number, answer in enumerate(answers, 1))


def _baseline_first(name: str) -> bool:
    return int(hash_text(f"order of {name}")[:2], 16) % 2 == 0


def _judgement(name: str, of_first_shown: float, comment: str) -> Judgement:
    if comment.startswith("'") and comment[1:].startswith(_FORMULA):
        comment = comment[1:]  # as it was before the export guarded it
    reasons = (comment.strip(),) if comment.strip() else ()
    if _baseline_first(name):
        return Judgement(WIN - of_first_shown, baseline_first=WIN - of_first_shown, reasons=reasons)
    return Judgement(of_first_shown, model_first=of_first_shown, reasons=reasons)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Rows with the line on which each ends; rows that are empty throughout are left out."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except OSError as error:
        raise SpecError([f"{path} cannot be read ({error.strerror})"]) from error
    except UnicodeDecodeError as error:
        raise SpecError([f"{path} is not UTF-8; save it as CSV in UTF-8"]) from error
    head = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count), restval="")
    missing = [column for column in _NEEDED if column not in (reader.fieldnames or ())]
    if missing:
        raise SpecError([f"{path}, line 1: no column {' and '.join(missing)}; an export has {', '.join(COLUMNS)}"])
    try:
        return [(reader.line_num, row) for row in reader if any(str(cell).strip() for cell in row.values())]
    except csv.Error as error:
        raise SpecError([f"{path}, line {reader.line_num}: no CSV ({error})"]) from error
