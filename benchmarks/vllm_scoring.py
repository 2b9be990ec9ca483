"""How much sooner does the backend vllm score than lm-eval's own vLLM class on the same engine, and how exactly?

    python benchmarks/vllm_scoring.py --data DIR --model DIR     a checkpoint: MMLU 5-shot, HellaSwag 10- and 0-shot
    python benchmarks/vllm_scoring.py --data DIR                 a random model of 25 M parameters

DIR is a mirror of the hub (`mplus-eval tasks fetch --to DIR`). It runs where vLLM is installed, as in the environment
that `make test-vllm` makes. Both sides answer the same requests of lm-eval, in turn, ours first; before each of them
the cache of the engine is emptied. On a processor the time is the processor's, on a GPU the wall's. Columns:

- ratio: lm-eval's time over ours, tokenisation included (the medians of --rounds)
- tokens: input tokens of lm-eval's requests, and what is left of them with every distinct prefix computed once
- |Δ|: the largest difference of a log-probability
- greedy: how many answers differ in whether each token is the likeliest

Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import copy
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from printout import add_write, printed

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tests' data are not installed

LARGEST_DIFFERENCE = 1e-3
"""Of a sum of log-probabilities in float32."""


@dataclass(frozen=True)
class RequestSet:
    """Requests of a task of the suite mplus, and how many times sooner they are to be scored."""

    name: str
    task: str
    shots: int
    goal: float | None


SETS = (
    RequestSet("MMLU 5-shot", "mmlu", 5, 3.0),
    RequestSet("HellaSwag 10-shot", "hellaswag", 10, 2.0),
    RequestSet("HellaSwag 0-shot", "hellaswag", 0, None),
)

_HEADING = (
    f"{'':18} {'requests':>8} {'ours':>8} {'lm-eval':>8} {'ratio':>6} {'goal':>5} {'tokens':>15} {'|Δ|':>8} greedy"
)


def main() -> int:
    """Read what is asked for, and measure."""
    return printed(_parser().parse_args(), measure, "vllm")


def measure(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    # One process, so that its clock sees the engine; the worker's threads are not bound, since others run here too.
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
    from mplus_eval.backends import load_backend
    from mplus_eval.log_setup import silence_libraries
    from mplus_eval.models.locations import ModelLocation
    from mplus_eval.spec.model import ModelSpec

    silence_libraries()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.model or _random_model(Path(folder))
        spec = ModelSpec(
            name="m",
            source=str(path),
            dtype=arguments.dtype,
            max_length=arguments.max_length,
            enforce_eager=True,
            engine={"block_size": arguments.block_size} if arguments.block_size else None,
        )
        backend: Any = load_backend("vllm", spec, ModelLocation(path))
        tier = backend.facts.scoring
        print(f"{path.name}, {backend.facts.dtype}; tier: {tier.name}, off by {tier.difference:.1g}; {tier.why}")
        print(_HEADING)
        met = [_measured(one, backend, arguments) for one in SETS if arguments.only.lower() in one.name.lower()]
        backend.close()
    print(f"{sum(met)} of {len(met)} request sets reach their goals")
    return int(not all(met))


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    found.add_argument("--data", type=Path, required=True, metavar="DIR", help="a mirror of the hub")
    found.add_argument("--model", type=Path, metavar="DIR", help="a checkpoint; a random one by default")
    found.add_argument("--dtype", default="float32")
    found.add_argument("--subjects", type=int, default=3, help="of MMLU")
    found.add_argument("--items", type=int, default=8, help="of each subject, and of HellaSwag")
    found.add_argument("--rounds", type=int, default=2)
    found.add_argument("--max-length", type=int, default=2048)
    found.add_argument("--block-size", type=int, help="tokens of a block of the cache, vLLM's own by default")
    found.add_argument("--only", default="", metavar="WORD", help="request sets with this in their name")
    add_write(found)
    return found


def _measured(one: RequestSet, backend: Any, arguments: argparse.Namespace) -> bool:
    requests = _requests(one, arguments)
    theirs = _lm_eval(backend)
    sides: dict[str, Callable[[], list[tuple[float, bool]]]] = {
        "ours": lambda: [(each.log_probability, each.is_greedy) for each in backend.respond(requests)],
        "lm-eval": lambda: theirs.loglikelihood(list(requests), disable_tqdm=True),
    }
    seconds: dict[str, list[float]] = {"ours": [], "lm-eval": []}
    found: dict[str, list[tuple[float, bool]]] = {}
    for _ in range(arguments.rounds):
        for side, ask in sides.items():
            backend.lm.model.reset_prefix_cache()
            started = _clock()
            found[side] = ask()
            seconds[side].append(_clock() - started)
    ours, reference = median(seconds["ours"]), median(seconds["lm-eval"])
    pairs = list(zip(found["ours"], found["lm-eval"], strict=True))
    off = max(abs(mine[0] - other[0]) for mine, other in pairs)
    n_greedy = sum(mine[1] != other[1] for mine, other in pairs)
    before, after = _tokens(backend, requests)
    goal = "–" if one.goal is None else f"{one.goal:g}"
    print(
        f"{one.name:18} {len(requests):8} {ours:7.1f}s {reference:7.1f}s {reference / ours:6.2f} {goal:>5} "
        f"{before:7}/{after:7} {off:8.1e} {n_greedy}",
        flush=True,
    )
    is_exact = arguments.dtype != "float32" or (off <= LARGEST_DIFFERENCE and n_greedy == 0)
    return is_exact and (one.goal is None or reference / ours >= one.goal)


def _requests(one: RequestSet, arguments: argparse.Namespace) -> list[Any]:
    """The first items of the task's first subjects, as lm-eval makes them."""
    from mplus_eval.capability.generate import build_requests
    from mplus_eval.capability.items import load_tasks
    from mplus_eval.capability.settings import resolve_tasks
    from mplus_eval.spec.suite import load_suite

    settings = resolve_tasks(load_suite("mplus"), [one.task], tasks_dir=None)
    settings = tuple(each.model_copy(update={"shots": one.shots}) for each in settings)
    (task,) = load_tasks(settings, data_dir=arguments.data, tasks_dir=None)
    return [
        request
        for subtask in task.subtasks[: arguments.subjects]
        for request in build_requests(subtask, None, numbers=range(arguments.items), chat=False)
    ]


def _lm_eval(backend: Any) -> Any:
    """lm-eval's own class over the same engine, with nothing of ours in it."""
    theirs = copy.copy(backend.lm)
    for name in ("_loglikelihood_tokens", "tok_encode"):
        del vars(theirs)[name]
    return theirs


def _tokens(backend: Any, requests: Sequence[Any]) -> tuple[int, int]:
    from mplus_eval.backends.encoding import encode_requests

    encoded = encode_requests(backend.encoding, requests)
    wholes = sorted([*each.context, *each.continuation] for each in encoded)
    distinct = len({tuple(whole[:end]) for whole in wholes for end in range(1, len(whole))})
    return sum(map(len, wholes)), distinct


def _clock() -> float:
    import torch

    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


def _random_model(folder: Path) -> Path:
    from request_sets import random_model, tokenizer

    random_model().save_pretrained(folder / "random-25M")
    tokenizer().save_pretrained(folder / "random-25M")
    return folder / "random-25M"


if __name__ == "__main__":
    sys.exit(main())
