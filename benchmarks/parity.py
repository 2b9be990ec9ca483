"""Are log-probabilities, scores and generated texts those of lm-eval's HFLM, on the real tasks of the suite mplus?

    python benchmarks/parity.py --data DIR                   all 11 tasks, every item: three small random models
    python benchmarks/parity.py --data DIR --limit 20        so many of every subtask, drawn with seed 0; or first:20
    python benchmarks/parity.py --data DIR --model DIRECTORY --tasks mmlu,gsm8k

DIR is a mirror of the hub (`mplus-eval tasks fetch --to DIR`); DROP comes from the tests' own file where DIR lacks it.
Both sides share one model in float32; HFLM asks one request at a time, since it pads otherwise. Columns:

- |Δ|: the largest difference of a log-probability; beyond 1e-4, and 1e-6 of its size, it is a fault
- answers: greedy flags and generated texts that differ; after a plus those among them where HFLM's two best logits lie
  within 1e-4, which is no fault
- scores: items of which any metric (acc, acc_norm and others) differs with no such tie

Exit code 1 when there is a fault.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import normalize_gen_kwargs
from measuring import TIE
from printout import add_write, printed

from mplus_eval.backends.base import LoadedModel
from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.backends.hf import HfModel
from mplus_eval.backends.lm_eval_model import LmEvalModel
from mplus_eval.capability.generate import build_requests, generate
from mplus_eval.capability.items import LoadedTask, Subtask, load_tasks
from mplus_eval.capability.score import score_items
from mplus_eval.capability.selection import Selection
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.log_setup import silence_libraries
from mplus_eval.spec.limit import Limit, parse_limit
from mplus_eval.spec.suite import load_suite
from mplus_eval.store.outcomes import Answer

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tests' models and data are not installed

from tests.real_data import OWN_DATA, link_datasets, sample_texts
from tests.tiny_models import build_model

ARCHITECTURES = ("mistral", "llama", "gpt2")
CONTEXT, VOCABULARY = 8192, 4096
LARGEST_DIFFERENCE, RELATIVE_DIFFERENCE = 1e-4, 1e-6
REQUESTS_PER_CALL = 256


@dataclass
class Differences:
    """What one task showed."""

    requests: int = 0
    difference: float = 0.0
    too_large: int = 0
    answers: int = 0
    ties: int = 0
    scores: int = 0

    @property
    def is_fault(self) -> bool:
        """Whether anything differs with no tie to excuse it."""
        return bool(self.too_large or self.answers or self.scores)


def main() -> int:
    """Read what is asked for, and compare."""
    return printed(_parser().parse_args(), measure, "parity")


def measure(arguments: argparse.Namespace) -> int:
    """Compare and print."""
    silence_libraries()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        own = [root for root in (OWN_DATA,) if not (arguments.data / "drop").exists()]
        data_dir = link_datasets((arguments.data, *own), Path(folder) / "data")
        names = arguments.tasks.split(",") if arguments.tasks else None
        tasks = load_tasks(
            resolve_tasks(load_suite("mplus"), names, tasks_dir=None),
            data_dir=data_dir,
            tasks_dir=None,
        )
        n_faults = 0
        for path in _models(arguments.model, data_dir, Path(folder)):
            ours = FastHFLM(pretrained=str(path), device="cpu", dtype="float32", backend="causal")
            theirs = HFLM(pretrained=ours.model, tokenizer=ours.tokenizer, backend="causal", batch_size=1)
            print(f"{path.name}: tier {ours.tier.name}\n{_HEADING}", flush=True)
            for task in tasks:
                differences = _compared(task, arguments.limit, ours, theirs)
                n_faults += differences.is_fault
                print(_line(task.spec.name, differences), flush=True)
    print(f"{n_faults} tasks with a fault" if n_faults else "no fault")
    return int(n_faults > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a mirror of the hub")
    parser.add_argument("--limit", type=parse_limit, metavar="N|first:N", help="items of each subtask; all by default")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a checkpoint; three small random ones by default")
    parser.add_argument("--tasks", metavar="NAMES", help="of the suite, with commas between; all by default")
    parser.add_argument("--threads", type=int, default=1)
    add_write(parser)
    return parser


def _models(given: Path | None, data_dir: Path, folder: Path) -> Iterator[Path]:
    """The checkpoint that was named, or random ones with room for a prompt of BBH and 1,024 tokens after it."""
    if given is not None:
        yield given
        return
    texts = sample_texts(data_dir)
    for seed, name in enumerate(ARCHITECTURES):
        yield build_model(
            folder / name, architecture=name, seed=seed, context=CONTEXT, texts=texts, vocabulary=VOCABULARY
        )


def _compared(task: LoadedTask, limit: Limit | None, ours: FastHFLM, theirs: HFLM) -> Differences:
    facts = LoadedModel("hf", "float32", None, "cpu")
    backends = (HfModel(ours, facts, REQUESTS_PER_CALL), LmEvalModel(theirs, facts, REQUESTS_PER_CALL))
    differences = Differences()
    selection = Selection.of({task.spec.name: task}, limit, None, 0)
    for subtask in task.subtasks:
        numbers = selection.numbers(task.spec.name, subtask)
        requests = build_requests(subtask, None, numbers=numbers, chat=False)
        mine, other = (generate(subtask, requests, backend, lambda _n: None) for backend in backends)
        scores = [_metrics(task, subtask, answers, numbers) for answers in (mine, other)]
        tied = _hold(differences, subtask, requests, mine, other, theirs)
        differences.scores += sum(scores[0][item] != value for item, value in scores[1].items() if item not in tied)
    return differences


def _metrics(task: LoadedTask, subtask: Subtask, answers: Sequence[Answer], numbers: Sequence[int]) -> dict[str, Any]:
    """Every metric of every item."""
    return {outcome.item_id: outcome.metrics for outcome in score_items(task, subtask, answers, numbers)}


def _hold(
    differences: Differences,
    subtask: Subtask,
    requests: Sequence[Any],
    mine: Sequence[Answer],
    other: Sequence[Answer],
    lm: HFLM,
) -> set[str]:
    """Hold our answers against the others', and return the items whose answers differ by a tie."""
    tied: set[str] = set()
    asked: dict[str, list[Any]] = {}
    for request in requests:
        asked.setdefault(subtask.item_id(request.doc_id), []).append(request)
    differences.requests += len(requests)
    for own, reference in zip(mine, other, strict=True):
        if own.error or reference.error:
            differences.answers += own.error != reference.error
            continue
        values = list(zip(own.log_probabilities or (), reference.log_probabilities or (), strict=True))
        for value, expected in values:
            difference = abs(value - expected)
            differences.difference = max(differences.difference, difference)
            differences.too_large += difference > max(LARGEST_DIFFERENCE, RELATIVE_DIFFERENCE * abs(expected))
        outputs = [each.generations or each.greedy or () for each in (own, reference)]
        for request, answered, expected in zip(asked[own.item_id], *outputs, strict=bool(outputs[0])):
            if answered == expected:
                continue
            if _is_tie(lm, request, answered):
                differences.ties += 1
                tied.add(own.item_id)
            else:
                differences.answers += 1
    return tied


def _is_tie(lm: HFLM, request: Any, answered: Any) -> bool:
    """Whether the reference's two best logits are all but equal where the answers part."""
    if request.request_type == "generate_until":
        return _texts_part_at_a_tie(lm, request, answered)
    _, (context, continuation) = request, lm._encode_pair(*request.args)
    inputs = torch.tensor([(context + continuation)[-(lm.max_length + 1) :][:-1]])
    with torch.no_grad():
        gaps = _gaps(lm.model(inputs).logits[0, -len(continuation) :])
    return bool((gaps < TIE).any())


def _texts_part_at_a_tie(lm: HFLM, request: Any, answered: str) -> bool:
    context, settings = request.args
    limit = normalize_gen_kwargs(settings, lm.max_gen_toks)["max_gen_toks"]
    prompt = torch.tensor([lm.tok_encode(context)[-(lm.max_length - limit) :]])
    made = lm.model.generate(
        prompt, max_new_tokens=limit, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    tokens = made.sequences[0, prompt.shape[1] :].tolist()
    parted = (step for step in range(len(tokens)) if not answered.startswith(lm.tok_decode(tokens[: step + 1])))
    step = next(parted, len(tokens) - 1)
    return bool(_gaps(made.logits[step])[0] < TIE)


def _gaps(logits: torch.Tensor) -> torch.Tensor:
    best = logits.float().topk(2).values
    return best[:, 0] - best[:, 1]


_HEADING = f"{'':16}{'requests':>9}{'|Δ|':>10}{'answers':>9}{'scores':>8}"


def _line(name: str, differences: Differences) -> str:
    answers = f"{differences.answers}+{differences.ties}" if differences.ties else str(differences.answers)
    fault = "  differs" if differences.is_fault else ""
    return f"{name:16}{differences.requests:9,}{differences.difference:10.1e}{answers:>9}{differences.scores:8}{fault}"


if __name__ == "__main__":
    sys.exit(main())
