"""What the embedded demo says of its models, and what it takes.

    python benchmarks/demo.py                        train what is not in the cache, compare, print
    python benchmarks/demo.py --output runs/demo     the same in a folder where a run may lie already

With an empty cache (`XDG_CACHE_HOME`) and an empty folder, the times are those of a first `mplus-eval compare`. What is
there already is not made again, and its time is missing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from printout import add_write, printed

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.toxicity import Toxicity
from mplus_eval.spec.config import load_config
from mplus_eval.training.demo_recipe import demo_directories, is_trained

TRAIN = """
import sys
from mplus_eval.log_setup import silence_libraries
from mplus_eval.training.demo_models import demo_models
silence_libraries()
demo_models(sys.argv[1:])
"""


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("runs/demo"))
    add_write(parser)
    return printed(parser.parse_args(), measure, "demo")


def measure(arguments: argparse.Namespace) -> int:
    """Train, compare, and print what came out."""
    models = list(cast("Mapping[str, object]", load_config("demo")["models"]))
    place: Path = arguments.output
    are_there = {
        "training": any(is_trained(path) for name, path in demo_directories(models).items() if name != "base"),
        "comparison": (place / "outcomes").is_dir(),
    }
    taken = {
        "training": _timed([sys.executable, "-c", TRAIN, *models]),
        "comparison": _timed([sys.executable, "-m", "mplus_eval", "compare", "--quiet", "--output", str(place)]),
    }
    comparison = Comparison.model_validate_json((place / "comparison.json").read_text(encoding="utf-8"))
    print_verdicts(comparison)
    print_scores(comparison)
    print_toxicity(comparison)
    print_conversation(comparison)
    print_dose(comparison)
    print("\nTime: seconds of processors, and by the clock; each with the start of the program\n")
    rows = [(what, *(("was there", "") if are_there[what] else times)) for what, times in taken.items()]
    print_table(("", "processors", "clock"), rows)
    return 0


def print_verdicts(comparison: Comparison) -> None:
    """What is said of every model on every axis, and of how many tasks."""
    print("Verdicts; capability with the change of the macro-average in points, and its tasks one by one\n")
    toxicity, conversation = comparison.toxicity, comparison.conversation
    rows = []
    for model, summary in comparison.summary.items():
        if summary.alignment_tax is None or summary.alignment_tax_ci is None:
            continue
        tasks = [task.contrasts[model].verdict for task in comparison.tasks.values()]
        counts = ", ".join(f"{tasks.count(verdict)} {verdict}" for verdict in dict.fromkeys(tasks))
        low, high = (-100 * end for end in reversed(summary.alignment_tax_ci))
        change = f"{summary.verdict} {-100 * summary.alignment_tax:+.1f} ({low:+.1f} to {high:+.1f})"
        primary = toxicity.models[model].sets[toxicity.primary.set].contrast if toxicity else None
        talk = conversation.models[model].verdict if conversation else None
        rows.append((model, change, counts, primary.verdict if primary else None, talk))
    print_table(("model", "capability", "tasks", "harmlessness", "conversation"), rows)


def print_scores(comparison: Comparison) -> None:
    """Every model's score on every task."""
    print("\nCapability: scores, percent\n")
    models = list(comparison.models)
    rows = []
    for name, task in comparison.tasks.items():
        scores = [_percent(task.scores[model].value) for model in models]
        rows.append((name, task.n_items, f"{100 * (task.chance or 0):.0f}", *scores))
    means = [_percent(comparison.summary[model].macro_average) for model in models]
    print_table(("task", "items", "chance", *models), [*rows, ("mean of the tasks", "", "", *means)])


def print_toxicity(comparison: Comparison) -> None:
    """How toxic every model's worst of ten continuations is, and what it refuses."""
    if (toxicity := comparison.toxicity) is None:
        return
    print(
        "\nHarmlessness: expected maximum toxicity of ten continuations by the word list (0 to 1), in brackets the"
        "\nshare of all texts with an insult, percent; of 30 requests for rudeness and of 30 harmless ones, the share"
        "\nrefused\n"
    )
    sets = toxicity.models[comparison.baseline].sets
    print_table(("model", *sets, "refuses unsafe, safe, %"), _toxicity_rows(toxicity))


def _toxicity_rows(toxicity: Toxicity) -> Iterable[Sequence[object]]:
    for name, model in toxicity.models.items():
        sets = [
            f"{entry.expected_maximum_toxicity.value:.2f} ({100 * (entry.toxic_fraction.value or 0):.0f})"
            for entry in model.sets.values()
        ]
        refused = [
            f"{100 * (entry.refusal_rate.value or 0):.0f}, {100 * (entry.over_refusal_rate.value or 0):.0f}"
            for entry in model.refusals.values()
        ]
        yield (name, *sets, *refused)


def print_conversation(comparison: Comparison) -> None:
    """How often every judge prefers a model to the base."""
    if (conversation := comparison.conversation) is None:
        return
    print("\nConversation: wins over the base, percent, a tie counting half\n")
    rows = []
    for name, model in conversation.models.items():
        for judging in (model, model.second_judge):
            if judging is not None and judging.win_rate.ci is not None:
                low, high = (100 * end for end in judging.win_rate.ci)
                rate = f"{_percent(judging.win_rate.value)} ({low:.1f} to {high:.1f})"
                rows.append((name, judging.judge, rate, judging.verdict))
    print_table(("model", "judge", "wins", "verdict"), rows)


def print_dose(comparison: Comparison) -> None:
    """How far training moved every model from the base, and what its answers are like."""
    print(
        "\nDose: 200 held-out prompts of conversation, about a third of them provoking, one sampled answer each; KL in"
        "\nnats, rates in percent, the rule-based judge's score from 0 to 1\n"
    )
    rows = []
    for name, model in comparison.models.items():
        training = model.training
        if training and training.dose and training.behaviour:
            dose, answers = training.dose, training.behaviour
            measures = answers.measures
            rows.append(
                (
                    name, training.step, f"{dose.kl_answers:.2f}", f"{dose.kl_text or 0:.3f}",
                    f"{100 * answers.end_of_turn_rate:.0f}", f"{100 * measures['insulting']:.0f}",
                    f"{measures['rule']:.2f}", f"{100 * answers.distinct_answers:.0f}",
                )
            )  # fmt: skip
    header = ("model", "steps", "KL, answer", "KL, token of text", "ends its turn", "insulting", "rule", "distinct")
    print_table(header, rows)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table as Markdown has it."""
    for row in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(map(str, row))} |")


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _timed(command: Sequence[str]) -> tuple[str, str]:
    """Run a command to its end; seconds of processors, of what it starts too, and by the clock."""
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    return f"{used.ru_utime + used.ru_stime:.0f}", f"{time.monotonic() - started:.0f}"


if __name__ == "__main__":
    raise SystemExit(main())
