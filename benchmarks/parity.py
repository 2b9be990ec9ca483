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
from collections.abc import Iterator
from pathlib import Path

import torch
from lm_eval.models.huggingface import HFLM
from printout import add_write, printed

from mplus_eval.backends.base import LoadedModel
from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.backends.hf import HfModel
from mplus_eval.capability.items import load_tasks
from mplus_eval.capability.settings import resolve_tasks
from mplus_eval.log_setup import silence_libraries
from mplus_eval.spec.limit import parse_limit
from mplus_eval.spec.suite import load_suite

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tests' models and data are not installed

from tests.hflm_parity import Differences, compare
from tests.real_data import OWN_DATA, link_datasets, sample_texts
from tests.tiny_models import build_model

ARCHITECTURES = ("mistral", "llama", "gpt2")
CONTEXT, VOCABULARY = 8192, 4096
REQUESTS_PER_CALL = 256


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
            backend = HfModel(ours, LoadedModel("hf", "float32", None, "cpu"), REQUESTS_PER_CALL)
            print(f"{path.name}: tier {ours.tier.name}\n{_HEADING}", flush=True)
            for task in tasks:
                differences = compare(task, arguments.limit, backend, theirs)
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


_HEADING = f"{'':16}{'requests':>9}{'|Δ|':>10}{'answers':>9}{'scores':>8}"


def _line(name: str, differences: Differences) -> str:
    answers = f"{differences.answers}+{differences.ties}" if differences.ties else str(differences.answers)
    fault = "  differs" if differences.is_fault else ""
    return f"{name:16}{differences.requests:9,}{differences.difference:10.1e}{answers:>9}{differences.scores:8}{fault}"


if __name__ == "__main__":
    sys.exit(main())
