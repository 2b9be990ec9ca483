"""Do measured values agree with those that were published of a model?

    python benchmarks/published.py gemma3-270m=DIR smollm2-135m-instruct=DIR --data DIR
    python benchmarks/published.py gemma3-270m=DIR --data DIR --only arc_easy,hellaswag
    python benchmarks/published.py gemma3-270m=DIR --data DIR --budget 200    so many items of each at most
    python benchmarks/published.py gemma3-270m=DIR --data DIR --keep DIR      goes on with the runs that are there

NAME=DIR is a model of published_values.yaml and its checkpoint, --data a mirror of the hub (`mplus-eval tasks fetch`).
Each value is measured by `mplus_eval.compare` with lm-eval's own task, shots and metric. It agrees where the 95 %
interval holds it. Where it does not, the table says why once that was looked into.

The same items and numbers come of each run with one seed. A smaller --budget asks some of the same items; behind
sampled few-shot examples with others than before, for lm-eval draws them from item to item.

Exit code 1 where a value lies outside its interval and the table has no reason, 2 where something asked for is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import yaml
from printout import add_write, printed
from published_values import Card, Published, card_of, read_cards

import mplus_eval
from mplus_eval.errors import SpecError, UsageError
from mplus_eval.records.base import Interval
from mplus_eval.spec.faults import nearest


@dataclass(frozen=True)
class Measured:
    """A value as it was found, in fractions.

    Attributes:
        n_items: that were scored.
        n_available: items of the data.
        n_failed: that have no score.
        other_metrics: of the same items, by name; of one task only.
    """

    value: float
    interval: Interval
    n_items: int
    n_available: int
    n_failed: int
    other_metrics: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and keep the printout with --write."""
    return printed(_parser().parse_args(arguments), measure, "published")


def measure(arguments: argparse.Namespace) -> int:
    """Measure the values of every model, and print them beside those that were published."""
    cards = read_cards()
    models = dict(_named(text) for text in arguments.models)
    chosen = {model: card_of(cards, model) for model in models}
    _refuse_unknown(arguments.only, chosen)
    counts = {"agree": 0, "explained": 0, "unexplained": 0, "not measured": 0}
    for model, card in chosen.items():
        print(f"{model}: {card.source}\n{arguments.dtype}; weights {card.weights}\n{_HEADING}")
        for published in card.chosen(arguments.only):
            if not (arguments.data / published.data).is_dir():
                counts["not measured"] += 1
                print(f"{_asked(published)}   not measured: no {published.data} in the data", flush=True)
                continue
            found = measured(model, models[model], published, arguments)
            outcome = verdict(published, found)
            counts[outcome] += 1
            print(_row(published, found, outcome), *_remarks(published, found, outcome), sep="\n", flush=True)
        print()
    print(", ".join(f"{n} {outcome}" for outcome, n in counts.items()))
    return int(counts["unexplained"] > 0)


def verdict(published: Published, found: Measured) -> str:
    """Whether they agree, and if not whether the table says why."""
    if published.agrees(found.interval):
        return "agree"
    return "explained" if published.differs else "unexplained"


def measured(model: str, source: str, published: Published, arguments: argparse.Namespace) -> Measured:
    """Evaluate one model on the tasks of one value; the mean of several tasks is the suite's macro-average.

    Raises:
        UsageError: a task could not be evaluated.
    """
    with nullcontext(arguments.keep) if arguments.keep else tempfile.TemporaryDirectory() as root:
        folder = Path(root) / model / published.name
        folder.mkdir(parents=True, exist_ok=True)
        suite = folder / "suite.yaml"
        suite.write_text(yaml.safe_dump(_suite(published)), encoding="utf-8")
        comparison = mplus_eval.compare(
            {model: {"source": source, "dtype": arguments.dtype, "chat_template": published.chat}},
            suite=str(suite),
            data_dir=arguments.data,
            budget=min(filter(None, (published.items, arguments.budget)), default=None),
            seed=arguments.seed,
            output=folder / "run",
        ).comparison
    if comparison.missing:
        raise UsageError(f"{model} × {published.name}: {comparison.missing[0].cause}")
    summary, results = comparison.summary[model], comparison.tasks.values()
    if summary.macro_average is None or summary.ci is None:
        raise UsageError(f"{model} × {published.name}: {summary.withheld}")
    scores = [task.scores[model] for task in results]
    return Measured(
        value=summary.macro_average,
        interval=summary.ci,
        n_items=sum(score.n_scored for score in scores),
        n_available=sum(task.n_available or task.n_items for task in results),
        n_failed=sum(score.n_failed for score in scores),
        other_metrics=scores[0].other_metrics if len(scores) == 1 else {},
    )


def _suite(published: Published) -> dict[str, object]:
    """The tasks of a value as a suite, each as lm-eval has it but for shots, metric and filter."""
    way = {"shots": published.shots, "metric": published.metric}
    way |= {"filter": published.filter} if published.filter else {}
    return {
        "name": "published",
        "tasks": [{"name": task, "lm_eval": f"lm_eval:{task}"} | way for task in published.tasks],
    }


def _named(text: str) -> tuple[str, str]:
    name, found, source = text.partition("=")
    if not (name and found and source):
        raise SpecError([f"model {text!r}: NAME=DIR is accepted, NAME a model of published_values.yaml"])
    return name, source


def _refuse_unknown(only: Sequence[str], chosen: Mapping[str, Card]) -> None:
    known = [value.name for card in chosen.values() for value in card.values]
    if faults := [f"--only {name!r}: {nearest(name, known)}" for name in only if name not in known]:
        raise SpecError(faults)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=DIR")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a mirror of the hub")
    parser.add_argument("--only", type=_names, default=(), metavar="NAMES", help="of values, with commas between")
    parser.add_argument("--budget", type=int, metavar="N", help="items of each value at most; the table's by default")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="run directories of the values, which are gone on with"
    )
    parser.add_argument("--seed", type=int, default=0)
    add_write(parser)
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_HEADING = f"{'value':22}{'shots':>5}  {'metric':26}{'items':>16}{'measured':>24}{'published':>11}  agrees"


def _asked(published: Published) -> str:
    metric = published.metric + (f" ({published.filter})" if published.filter else "")
    return f"{published.name:22}{published.shots:5}  {metric:26}"


def _row(published: Published, found: Measured, outcome: str) -> str:
    low, high = (100 * end for end in found.interval)
    items = f"{found.n_items:,} of {found.n_available:,}"
    value = f"{100 * found.value:.1f} [{low:.1f}, {high:.1f}]"
    agrees = "yes" if outcome == "agree" else "no"
    return f"{_asked(published)}{items:>16}{value:>24}{published.value:>11}  {agrees}"


def _remarks(published: Published, found: Measured, outcome: str) -> Iterator[str]:
    """What stands under a row: how it was asked and published otherwise, and why the values part."""
    others = ", ".join(f"{name.removesuffix(',none')} {100 * value:.1f}" for name, value in found.other_metrics.items())
    for text in (
        f"of the {published.source}" if published.source else "",
        "in the model's chat template" if published.chat else "",
        f"the same items by {others}" if others else "",
        f"{found.n_failed} items failed" if found.n_failed else "",
        published.note,
        f"why: {published.differs or 'not known'}" if outcome != "agree" else "",
    ):
        yield from textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="    ")


_WIDTH = 120

if __name__ == "__main__":
    sys.exit(main())
