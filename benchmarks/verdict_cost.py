"""What does one suite verdict cost, of the same standard error, in tokens through the model?

    python benchmarks/verdict_cost.py --data DIR                    a random model of 25 M parameters, some minutes
    python benchmarks/verdict_cost.py --data DIR --model DIRECTORY  the shape and the tokenizer of a checkpoint
    python benchmarks/verdict_cost.py --quick                       the embedded suite mini, a few seconds

DIR is a mirror of the hub; requests are lm-eval's own. Of a task that DIR has in part, items cost what those at hand
cost. Where it lacks DROP, passages are those of RACE for middle schools (200 words), and questions the tests' own.

- lm-eval --limit 100: HFLM, the first 100 items of each subject; every prompt anew but for requests that differ in
  their last token alone, without padding (its batch size of 1)
- mplus --limit 100: as many items, drawn over passages; every prefix of a call of 256 requests once
- mplus --budget N: as few items of all tasks as give lm-eval's standard error
- mplus-quick --budget N: the same behind fixed examples, and fewer of the tasks where items cost more

- --sequential: the mean of 1,000 simulated runs until the suite's verdict is settled, for several true changes, beside
  a plan with --budget that knows the change before and finds it in 80 %

Standard errors are of the difference of macro-averages of two paired models, by the shares of items that differ which
`power` and `--budget` assume; of DROP's passages as `budget.py` has it. `same SE` are tokens for lm-eval's standard
error (∝ SE²). A generated answer is as long as those of its examples, or as long as it may be where there are none.
FLOPs: two a weight and token, attention, and the vocabulary where it is projected, which HFLM does at every position
of a scored text. Processor time: FLOPs at the rate that either side reached in scoring some of these requests on one
thread. All are of two checkpoints. Exit code 1 when mplus-quick takes more than 1/50 of lm-eval's tokens.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from budget import Asked, standard_error
from lm_eval.models.huggingface import HFLM
from measuring import clock
from printout import add_write, printed
from request_cost import Cost, Counter, Shape
from request_sets import random_model
from settling import planned, settled

from mplus_eval.backends.encoding import Encoding
from mplus_eval.backends.fast_hflm import FastHFLM
from mplus_eval.capability.generate import build_requests
from mplus_eval.capability.items import LoadedTask, load_tasks
from mplus_eval.capability.selection import Selection
from mplus_eval.log_setup import silence_libraries
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.suite import Examples, Suite, load_suite
from mplus_eval.statistics.allocation import DISCORDANCE

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tests' models and data are not installed

from tests.real_data import sample_texts, with_drop
from tests.tiny_models import SENTENCES, build_tokenizer

LIMIT, GOAL, CHECKPOINTS, SEED, CONTEXT = 100, 50, 2, 0, 4096
ENOUGH = 100_000
"""Items that are more than any standard error takes."""
CHANGES = (0.0, -0.01, -0.02, -0.03, -0.05)
"""True ones of the suite, for `--sequential`."""
TIMED = {"anew": 1, "tree": 16}
"""Items of each task with choices that are scored for the rates."""
UNPAIRED = dict.fromkeys(DISCORDANCE, 0.5)
"""Two models of accuracy 1/2 would differ on so many items if they answered independently: 2·p·(1 − p)."""
Tasks = Mapping[str, LoadedTask]
Numbers = Mapping[str, Sequence[Sequence[int]]]
"""Documents of each subtask, by task."""


@dataclass(frozen=True)
class Counted:
    """What one way of asking takes, of one checkpoint.

    Attributes:
        name: as it is printed.
        numbers: the documents.
        error: standard error of the suite's difference.
        costs: of each task, where every prompt is computed anew, and where every prefix is computed once.
    """

    name: str
    numbers: Numbers
    error: float
    costs: Mapping[str, tuple[Cost, Cost]]

    @property
    def items(self) -> dict[str, int]:
        """By task."""
        return {task: sum(map(len, subtasks)) for task, subtasks in self.numbers.items()}

    @property
    def anew(self) -> Cost:
        """Of all tasks, every prompt anew."""
        return sum((anew for anew, _ in self.costs.values()), Cost())

    @property
    def tree(self) -> Cost:
        """Of all tasks, every prefix once."""
        return sum((tree for _, tree in self.costs.values()), Cost())


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="a mirror of the hub")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a checkpoint; a random model when not given")
    parser.add_argument("--quick", action="store_true", help="the embedded suite mini; its figures prove nothing")
    add_write(parser)
    arguments = parser.parse_args()
    if arguments.data is None and not arguments.quick:
        parser.error("give --data DIR, or --quick")
    return printed(arguments, measure, "verdict_cost")


def measure(arguments: argparse.Namespace) -> int:
    """Count and print."""
    silence_libraries()
    torch.set_num_threads(1)
    suite = load_suite("mini" if arguments.quick else "mplus")
    costs = {} if arguments.quick else load_suite("mplus-quick").costs
    limit = LIMIT // 10 if arguments.quick else LIMIT
    with tempfile.TemporaryDirectory() as folder:
        data = None if arguments.quick else with_drop(arguments.data, Path(folder))
        sampled = loaded(suite, data, "sampled")
        drawn = [
            name
            for name, task in sampled.items()
            if any(subtask.examples and not subtask.examples.has_order for subtask in task.subtasks)
        ]
        fixed = {**sampled, **loaded(suite, data, "fixed", drawn)}
        model, encoder = loaded_model(arguments.model, data)
        shape, counter = Shape.of(model), Counter(Encoding.of(encoder))
        rates = {way: rate(way, model, encoder, counter, shape, fixed) for way in TIMED}
        ways = counted_ways(sampled, fixed, costs, limit, counter)
    print(f"{model.num_parameters() / 1e6:.1f} M parameters, {CHECKPOINTS} checkpoints, suite {suite.name}")
    print_ways(ways, shape, rates)
    alone = error_of(sampled, Selection.of(sampled, Limit(limit, first=True), None, SEED), first=True, shares=UNPAIRED)
    print(f"from the errors that lm-eval prints, of each model alone: {100 * alone:.3f} points, at an accuracy of 1/2")
    ratio = print_chain(ways)
    print_tasks(ways)
    print_sequential(suite, sampled, ways[0])
    if arguments.quick:
        return 0
    print(f"1/{GOAL} of lm-eval's tokens: {'met' if ratio >= GOAL else 'missed'}")
    return int(ratio < GOAL)


def counted_ways(
    sampled: Tasks, fixed: Tasks, costs: Mapping[str, float], limit: int, counter: Counter
) -> list[Counted]:
    """lm-eval's way and ours, and those in between of which each changes one thing."""

    def count(name: str, tasks: Tasks, chosen: Selection, error: float) -> Counted:
        numbers = {key: list(chosen.of_task(task).values()) for key, task in tasks.items()}
        return counted(name, tasks, numbers, error, counter)

    first, drawn = (Selection.of(sampled, Limit(limit, first=way), None, SEED) for way in (True, False))
    error = error_of(sampled, first, first=True)
    evenly, cheaply = (smallest_budget(sampled, error, given) for given in ({}, costs))
    even = Selection.of(sampled, None, evenly, SEED)
    cheap = Selection.of(sampled, None, cheaply, SEED, costs)
    lm_eval = count(f"lm-eval --limit {limit}", sampled, first, error)
    return [
        lm_eval,
        # Drawn items cost as much as the first ones.
        replace(lm_eval, name=f"mplus --limit {limit}", error=error_of(sampled, drawn)),
        count(f"mplus --budget {evenly}", sampled, even, error_of(sampled, even)),
        count("  fixed examples", fixed, even, error_of(sampled, even)),
        count(f"mplus-quick --budget {cheaply}", fixed, cheap, error_of(sampled, cheap)),
    ]


def counted(name: str, tasks: Tasks, numbers: Numbers, error: float, counter: Counter) -> Counted:
    """Count what documents cost."""
    costs = {}
    for key, task in tasks.items():
        of_task = [counter.of(subtask, each) for subtask, each in zip(task.subtasks, numbers[key], strict=True)]
        costs[key] = (sum((anew for anew, _ in of_task), Cost()), sum((tree for _, tree in of_task), Cost()))
    return Counted(name, numbers, error, costs)


def error_of(
    tasks: Tasks, chosen: Selection, *, first: bool = False, shares: Mapping[str, float] = DISCORDANCE
) -> float:
    """Standard error of the suite's difference, of documents that are chosen.

    Args:
        tasks: by name.
        chosen: which documents.
        first: whether they are the first ones, so that passages come whole.
        shares: of items that differ, by the kind of a task.
    """
    items = {name: list(of_task.values()) for name, of_task in chosen.shares.items()}
    rates = {name: np.full(len(of_task), shares[tasks[name].kind]) for name, of_task in items.items()}
    return standard_error(Asked("", items, first), rates)


def smallest_budget(tasks: Tasks, error: float, costs: Mapping[str, float]) -> int:
    """Of which the standard error is no larger."""
    low, high = 2 * sum(len(task.subtasks) for task in tasks.values()), ENOUGH
    while low < high:
        middle = (low + high) // 2
        is_enough = error_of(tasks, Selection.of(tasks, None, middle, SEED, costs)) <= error
        low, high = (low, middle) if is_enough else (middle + 1, high)
    return low


def print_ways(ways: Sequence[Counted], shape: Shape, rates: Mapping[str, float]) -> None:
    """A line for each way."""
    lm_eval = ways[0]
    print(f"{'':26}{'items':>8}{'SE, points':>12}{'tokens':>13}{'same SE':>13}{'TFLOP':>9}{'CPU s':>9}")
    for way in ways:
        kind, cost = ("anew", way.anew) if way is lm_eval else ("tree", way.tree)
        operations = CHECKPOINTS * shape.operations(cost)
        tokens, same = CHECKPOINTS * cost.tokens, CHECKPOINTS * cost.tokens * (way.error / lm_eval.error) ** 2
        print(
            f"{way.name:26}{sum(way.items.values()):8,}{100 * way.error:12.3f}{tokens:13,.0f}{same:13,.0f}"
            f"{operations / 1e12:9.2f}{operations / rates[kind]:9.0f}"
        )


def print_chain(ways: Sequence[Counted]) -> float:
    """The factors from lm-eval's way to ours, each a ratio of tokens for the same standard error; their product."""
    lm_eval, drawn, budget, fixed, quick = ways
    passages = (lm_eval.error / drawn.error) ** 2
    factors = {
        "items drawn over passages, not the first ones": passages,
        "a budget for all tasks, not a limit for each subject": lm_eval.anew.tokens / passages / budget.anew.tokens,
        "every prefix once": budget.anew.tokens / budget.tree.tokens,
        "the same examples for every item": budget.tree.tokens / fixed.tree.tokens,
        "fewer items of the tasks where they cost more": fixed.tree.tokens / quick.tree.tokens,
    }
    print("\nTokens for the same standard error, lm-eval's over ours:")
    for words, factor in factors.items():
        print(f"  {words:56}× {factor:6.2f}")
    product = prod(factors.values())
    print(f"  {'all of it':56}× {product:6.2f}")
    return product


def print_tasks(ways: Sequence[Counted]) -> None:
    """Items and tokens of each task, by lm-eval's way and ours."""
    lm_eval, _, budget, fixed, quick = ways
    shown = [("lm-eval", lm_eval, 0), ("--budget", budget, 1), ("fixed examples", fixed, 1), ("mplus-quick", quick, 1)]
    print(f"\n{'items, tokens':18}" + "".join(f"{name:>20}" for name, _, _ in shown))
    for task in quick.costs:
        cells = (f"{way.items[task]:8,}{way.costs[task][which].tokens:12,.0f}" for _, way, which in shown)
        print(f"{task:18}" + "".join(cells))


def print_sequential(suite: Suite, tasks: Tasks, lm_eval: Counted) -> None:
    """What it takes to settle the suite's verdict without knowing the change, and by a plan for the change.

    Items of `mplus` cost what they cost at lm-eval's limit, where many of a subtask share what they can.
    """
    sizes = [task.items or tasks[task.name].n_docs for task in suite.tasks]
    discordance = [DISCORDANCE[tasks[task.name].kind] for task in suite.tasks]
    tokens = [lm_eval.costs[task.name][1].tokens / lm_eval.items[task.name] for task in suite.tasks]
    print(f"\n{'change, points':18}{'verdict':>12}{'plan, items':>14}{'tokens':>14}{'--sequential':>14}{'tokens':>14}")
    for change in CHANGES:
        verdict = "preserved" if change == 0 else "improved" if change > 0 else "degraded"
        plan = planned(sizes, discordance, abs(change) or suite.margin, suite.level)
        asked = settled(sizes, discordance, -change, suite.margin, suite.level).items
        cells = (f"{sum(items):14,.0f}{CHECKPOINTS * np.dot(items, tokens):14,.0f}" for items in (plan, asked))
        print(f"{100 * change:14.0f}    {verdict:>12}" + "".join(cells))


def rate(way: str, model: Any, encoder: Any, counter: Counter, shape: Shape, tasks: Tasks) -> float:
    """FLOPs a second that HFLM (`anew`) or ours (`tree`) reaches in scoring some items of every task with choices.

    Raises:
        ValueError: other tokens went through the model than are counted.
    """
    given = {"pretrained": model, "tokenizer": encoder, "backend": "causal", "max_length": CONTEXT}
    lm = HFLM(**given, batch_size=1) if way == "anew" else FastHFLM(**given)
    seen: list[int] = []
    hook = model.get_input_embeddings().register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numel()))
    operations = seconds = tokens = 0.0
    for subtask in (task.subtasks[0] for task in tasks.values() if task.kind == "choice"):
        numbers = range(min(TIMED[way], subtask.n_docs))
        requests = build_requests(subtask, None, numbers=numbers, chat=False)
        cost = counter.of(subtask, numbers)[way == "tree"]
        operations, tokens = operations + shape.operations(cost), tokens + cost.tokens
        started = clock(lm.device)
        lm.loglikelihood(requests, disable_tqdm=True)
        seconds += clock(lm.device) - started
    hook.remove()
    if tokens != sum(seen):
        raise ValueError(f"{way}: {tokens:,.0f} tokens are counted, and {sum(seen):,} went through the model")
    return operations / seconds


def loaded(
    suite: Suite, data: Path | None, examples: Examples, names: Sequence[str] | None = None
) -> dict[str, LoadedTask]:
    """The tasks of a suite, or those of some names, with sampled or fixed examples."""
    wanted = [task for task in suite.tasks if names is None or task.name in names]
    tasks = [task.model_copy(update={"examples": examples}) for task in wanted]
    return {task.spec.name: task for task in load_tasks(tasks, data_dir=data, tasks_dir=None)}


def loaded_model(place: Path | None, data: Path | None) -> tuple[Any, Any]:
    """A checkpoint with its tokenizer; else a random model, with a tokenizer that is trained on the data's texts."""
    if place is None:
        model = random_model()
        return model, build_tokenizer(model.config.vocab_size, texts=sample_texts(data) if data else SENTENCES)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32).eval()
    return model, AutoTokenizer.from_pretrained(place)


if __name__ == "__main__":
    sys.exit(main())
