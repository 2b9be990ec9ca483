"""What a run on a real base says of the claims of arXiv 2403.02513, one by one, in the order of its abstract.

    python benchmarks/claim.py RUN…
    python benchmarks/claim.py RUN… --training DIR     and what the training in DIR says of its models

Each RUN is a run directory of `compare` with the models base, sft, chosen and plus, as the recipe gemma-270m names
them, each against another baseline: a claim about plus and sft needs the run whose baseline is sft. A claim is shown,
or contradicted, where the verdict of its axis says so, and not shown elsewhere; for this nothing is computed anew.

Exit code 2 where a run is none, or two have one baseline.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from printout import add_write, printed

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.exports import StoredRun
from mplus_eval.exports.tables import Row, Table, along, conversation, decision, refusals, scores, summary, toxicity
from mplus_eval.records.training import read_record
from mplus_eval.records.verdict import Verdict

KEPT = (Verdict.PRESERVED, Verdict.IMPROVED)


@dataclass(frozen=True)
class Claim:
    """One claim: of which models, against which, on which axis, and what verdicts show or contradict it."""

    text: str
    axis: str
    models: tuple[str, ...]
    against: tuple[str, ...]
    shown_by: tuple[Verdict, ...]
    contradicted_by: tuple[Verdict, ...]

    def outcome(self, verdict: object) -> str:
        """`shown`, `contradicted` or `not shown`."""
        if verdict in self.shown_by:
            return "shown"
        return "contradicted" if verdict in self.contradicted_by else "not shown"


LOSES, GAINS = ((Verdict.DEGRADED,), KEPT), ((Verdict.IMPROVED,), (Verdict.DEGRADED,))
RIVALS = ("sft", "chosen")
CLAIMS = (
    Claim("SFT loses general capability of the base", "capability", RIVALS, ("base",), *LOSES),
    Claim("SFT says more that is toxic when provoked", "harmlessness", RIVALS, ("base",), *LOSES),
    Claim(
        "RLHF without SFT keeps the base's capability",
        "capability",
        ("plus",),
        ("base",),
        KEPT,
        (Verdict.DEGRADED,),
    ),
    Claim("it converses better than the base", "conversation", ("plus",), ("base",), *GAINS),
    Claim("it says less that is toxic when provoked", "harmlessness", ("plus",), ("base",), *GAINS),
    Claim("it outperforms the base and SFT on general tasks", "capability", ("plus",), ("base", *RIVALS), *GAINS),
    Claim("it is safer than SFT", "harmlessness", ("plus",), RIVALS, *GAINS),
    Claim("it converses better than SFT", "conversation", ("plus",), RIVALS, *GAINS),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print, and keep the printout with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run directories")
    parser.add_argument("--training", type=Path, metavar="DIR", help="what the recipe wrote")
    add_write(parser)
    try:
        return printed(parser.parse_args(arguments), show, "claim")
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def show(arguments: argparse.Namespace) -> int:
    """The claims, then the figures behind them."""
    runs = by_baseline(arguments.runs)
    print(_HEADING)
    for claim in CLAIMS:
        print(*_lines(claim, runs), sep="\n")
    if (of_base := runs.get("base")) is not None:
        _print_figures(of_base)
    if arguments.training:
        _print_training(arguments.training)
    return 0


def by_baseline(paths: Sequence[Path]) -> dict[str, StoredRun]:
    """Runs by the model that the others of each are held against.

    Raises:
        UsageError: a path holds no run.
        SpecError: two runs have one baseline.
    """
    runs: dict[str, StoredRun] = {}
    for path in paths:
        run = StoredRun.read(path)
        if (baseline := run.comparison.baseline) in runs:
            raise SpecError(
                [f"{path}: {runs[baseline].directory.path} has the baseline {baseline} too; give one of them"]
            )
        runs[baseline] = run
    return runs


def _lines(claim: Claim, runs: Mapping[str, StoredRun]) -> Iterator[str]:
    """The claim, and a row for each model and each other one that it is about."""
    yield claim.text
    for model in claim.models:
        for baseline in claim.against:
            row = _decided(runs.get(baseline), model, claim.axis)
            pair = f"{model} against {baseline}"
            if row is None:
                yield f"    {pair:24}not measured"
                continue
            figure = f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}]"
            yield f"    {pair:24}{row['figure']:58}{figure:28}{row['verdict']:17}{claim.outcome(row['verdict'])}"
            if row["why"]:
                yield from textwrap.wrap(str(row["why"]), _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def _decided(run: StoredRun | None, model: str, axis: str) -> Row | None:
    rows = decision(run) if run is not None else []
    return next((row for row in rows if row["model"] == model and row["axis"] == axis), None)


def _print_figures(run: StoredRun) -> None:
    """What every model scored, said and was preferred to, in the run against the base."""
    comparison = run.comparison
    for title, rows, columns in (
        ("macro-averages", summary(comparison), ("model", "macro_average", "low", "high")),
        ("scores", scores(comparison), ("task", "model", "n_scored", "value", "low", "high")),
        (
            "toxicity",
            toxicity(comparison),
            ("set", "model", "expected_maximum_toxicity", "toxicity_probability", "empty_rate", "end_of_turn_rate"),
        ),
        ("refusals", refusals(comparison), ("set", "model", "refusal_rate", "over_refusal_rate")),
        ("win rates", conversation(comparison), ("model", "judge", "win_rate", "low", "high", "verdict")),
        *((f"along {name}", rows, tuple(rows[0])) for name, rows in along(comparison).items() if rows),
    ):
        print(f"\n{title}")
        _print_table(rows, columns)


def _print_training(directory: Path) -> None:
    """What every stage took, how far its model is from the base, and what its answers to held-out prompts are like."""
    records = {path.name: record for path in sorted(directory.iterdir()) if (record := read_record(path))}
    for name, record in records.items():
        print(f"\n{name}, {record.algorithm}, {record.step} of {record.total_steps} steps")
        for used in record.data:
            print(f"    {used.n:,} {used.kind}: {used.source} {used.subset or ''} {used.split or ''}".rstrip())
        for part, took in (("trained", record.trained_in), ("measured", record.measured_in)):
            if took is not None:
                print(f"    {part} in {took.seconds / 60:.1f} min, {_number(took.peak_gib)} GiB at most")
        measured = {**(record.behaviour.model_dump() if record.behaviour else {}), **record.quality}
        measured |= {"kl_per_answer": record.dose.kl_answers} if record.dose else {}
        for figure, value in measured.items():
            told = (
                ", ".join(f"{part} {_number(of)}" for part, of in value.items())
                if isinstance(value, dict)
                else _number(value)
            )
            print(f"    {figure}: {told}")
        print(*(f"    {warning}" for warning in record.warnings), sep="\n")


def _print_table(rows: Table, columns: Sequence[str]) -> None:
    present = [column for column in columns if any(column in row for row in rows)]
    cells = [present, *([_number(row.get(column)) for column in present] for row in rows)]
    widths = [max(len(cell[place]) for cell in cells) for place in range(len(present))]
    for cell in cells:
        print("  ".join(text.ljust(width) for text, width in zip(cell, widths, strict=True)).rstrip())


def _number(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else str(value)


_HEADING, _WIDTH = "claim, with differences and rates in fractions, and 95 % intervals", 140

if __name__ == "__main__":
    sys.exit(main())
