"""What a run on a real base says of the claims of arXiv 2403.02513, one by one, in the order of its abstract.

    python benchmarks/claim.py RUN
    python benchmarks/claim.py RUN --training DIR     and what the training in DIR says of its models

RUN is a run directory of `compare --pairs all` with the models base, sft, chosen and plus, as the recipe gemma-270m
names them. A claim is shown, or contradicted, where a verdict says so, and not shown elsewhere. Against the base it is
the report's own; of two other models the suite's is too, harmlessness is the same statistics of their own pairs of
prompts, and conversation is the interval between their ratings. Models that are not comparable with the base are so
with none, and where that is in doubt, they neither improve on another nor are they as good.

Exit code 2 where RUN is none.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from printout import add_write, printed

from mplus_eval.exports import StoredRun
from mplus_eval.exports.tables import Row, Table, along, conversation, decision, refusals, scores, summary, toxicity
from mplus_eval.harmlessness.contrast import IN_DOUBT
from mplus_eval.records.training import read_record
from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.contrast import contrasts
from mplus_eval.statistics.difference import find_difference, rng_for
from mplus_eval.statistics.pairing import PairedItems, ScoredItems

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
    parser.add_argument("run", type=Path, metavar="RUN", help="run directory")
    parser.add_argument("--training", type=Path, metavar="DIR", help="what the recipe wrote")
    add_write(parser)
    return printed(parser.parse_args(arguments), show, "claim")


def show(arguments: argparse.Namespace) -> int:
    """The claims, then the figures behind them."""
    run = StoredRun.read(arguments.run)
    print(_HEADING)
    for claim in CLAIMS:
        print(*_lines(claim, run), sep="\n")
    _print_figures(run)
    if arguments.training:
        _print_training(arguments.training)
    return 0


def _lines(claim: Claim, run: StoredRun) -> Iterator[str]:
    """The claim, and a row for each model and each other one that it is about."""
    yield claim.text
    for model in claim.models:
        for other in claim.against:
            row = between(run, model, other, claim.axis)
            pair = f"{model} against {other}"
            if row is None:
                yield f"    {pair:24}not measured"
                continue
            figure = f"{_number(row['value'])} [{_number(row['low'])}, {_number(row['high'])}]"
            yield f"    {pair:24}{row['figure']:58}{figure:28}{row['verdict']:17}{claim.outcome(row['verdict'])}"
            if row["why"]:
                yield from textwrap.wrap(str(row["why"]), _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)


def between(run: StoredRun, model: str, other: str, axis: str) -> Row | None:
    """Figure and verdict of one model against another; None where there are none."""
    of_base = {row["model"]: row for row in decision(run) if row["axis"] == axis}
    if other == run.comparison.baseline:
        row = of_base.get(model)
        return {**row, "why": row["why"] or _doubt(run, axis, model)} if row else None
    found = {"capability": _of_capability, "harmlessness": _of_harmlessness, "conversation": _of_conversation}
    row = found[axis](run, model, other)
    withheld = [of_base[name] for name in (model, other) if name in of_base]
    if row is not None and (strange := [each for each in withheld if each["verdict"] == Verdict.NOT_COMPARABLE]):
        return {**row, "verdict": str(Verdict.NOT_COMPARABLE), "why": strange[0]["why"]}
    if row is not None and row["verdict"] in KEPT and (why := _doubt(run, axis, model, other)):
        return {**row, "verdict": str(Verdict.UNDECIDED), "why": why}
    return row


def _doubt(run: StoredRun, axis: str, *models: str) -> str:
    """Why it is in doubt whether models' texts can be compared with the base's; empty where it is not."""
    toxicity = run.comparison.toxicity
    if toxicity is None or axis != "harmlessness":
        return ""
    sets = [toxicity.models[name].sets[toxicity.primary.set] for name in models if name in toxicity.models]
    flags = (flag for on_set in sets if on_set.contrast for flag in on_set.contrast.flags)
    return "; ".join(flag for flag in flags if flag.endswith(IN_DOUBT))


def _of_capability(run: StoredRun, model: str, other: str) -> Row | None:
    for pair in run.comparison.pairs:
        if {pair.model, pair.against} == {model, other} and pair.summary.alignment_tax is not None:
            sign = -1.0 if pair.model == model else 1.0
            ends = sorted(sign * end for end in pair.summary.alignment_tax_ci or ())
            # A pair has one verdict, of its own model against the other.
            verdict = pair.summary.verdict if pair.model == model else None
            return _row("macro-average, difference", sign * pair.summary.alignment_tax, ends, verdict)
    return None


def _of_harmlessness(run: StoredRun, model: str, other: str) -> Row | None:
    toxicity = run.comparison.toxicity
    if toxicity is None or not {model, other} <= set(toxicity.models):
        return None
    sides = [_maxima(run, name, toxicity.primary.set) for name in (other, model)]
    if not all(len(side) for side in sides):
        return None
    pair = PairedItems.of(*sides)
    generator = rng_for(run.comparison.seed, "toxicity", toxicity.primary.set, *sorted((model, other)))
    difference = find_difference(pair, higher_is_better=False, margin=toxicity.margin, generator=generator)
    contrast = contrasts({"primary": difference}, {"primary": pair}, run.comparison.level)["primary"]
    figure = f"expected maximum toxicity on {toxicity.primary.set}, difference"
    return _row(figure, contrast.difference, contrast.ci, contrast.verdict)


def _maxima(run: StoredRun, model: str, prompt_set: str) -> ScoredItems:
    """The largest toxicity of a prompt's samples, of every prompt without a failed one."""
    samples = run.directory.outcome_frame(model, prompt_set, ("item_id", "score"))
    if not len(samples):
        samples = pd.DataFrame({"item_id": [], "score": []})
    maxima = samples.groupby("item_id")["score"].agg(lambda scores: scores.max(skipna=False)).dropna()
    rows = pd.DataFrame({"item_id": maxima.index, "score": maxima.to_numpy()})
    absent = {"sample": 0, "stratum": "", "cluster": None, "answer": None, "metrics": None}
    return ScoredItems.of(rows.assign(**absent), "expected_maximum_toxicity")


def _of_conversation(run: StoredRun, model: str, other: str) -> Row | None:
    conversation = run.comparison.conversation
    for rated in conversation.rating_differences if conversation else ():
        if {rated.model, rated.against} == {model, other}:
            sign = 1.0 if rated.model == model else -1.0
            low, high = rated.ci if sign > 0 else (_minus(rated.ci[1]), _minus(rated.ci[0]))
            improved, degraded = low is not None and low > 0, high is not None and high < 0
            verdict = Verdict.IMPROVED if improved else Verdict.DEGRADED if degraded else Verdict.UNDECIDED
            return _row(
                f"rating, difference in points, by {_first_judge(run)}", sign * rated.value, (low, high), verdict
            )
    return None


def _first_judge(run: StoredRun) -> str:
    conversation = run.comparison.conversation
    return next(iter(conversation.judges)) if conversation else ""


def _minus(end: float | None) -> float | None:
    return None if end is None else -end


def _row(figure: str, value: float, ends: Sequence[float | None], verdict: Verdict | None) -> Row:
    low, high = ends if len(ends) == 2 else (None, None)
    word = str(verdict or "no verdict")
    return {"figure": figure, "value": value, "low": low, "high": high, "verdict": word, "why": ""}


def _print_figures(run: StoredRun) -> None:
    """What every model scored, said and was preferred to, in the run against the base."""
    comparison = run.comparison
    for title, rows, columns in (
        ("macro-averages", summary(comparison)[: len(comparison.summary)], ("model", "macro_average", "low", "high")),
        ("scores", scores(comparison), ("task", "model", "n_scored", "value", "low", "high")),
        (
            "toxicity",
            toxicity(comparison),
            ("set", "model", *_TOXICITY, "empty_rate", "end_of_turn_rate", *_SAMENESS),
        ),
        ("refusals", refusals(comparison), ("set", "model", *_REFUSALS)),
        ("win rates", conversation(comparison), ("model", "judge", *_WINS, "verdict", "text_mean_words")),
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


_TOXICITY = tuple(f"expected_maximum_toxicity_{part}" for part in ("value", "low", "high"))
_SAMENESS = tuple(f"sanity_same_{what}" for what in ("answer_rate", "phrase_rate", "phrase"))
_REFUSALS = tuple(
    f"{rate}_{part}" for rate in ("refusal_rate", "over_refusal_rate") for part in ("value", "low", "high")
)
_WINS = tuple(f"win_rate_{part}" for part in ("value", "low", "high"))
_HEADING, _WIDTH = "claim, with differences and rates in fractions, and 95 % intervals", 140

if __name__ == "__main__":
    sys.exit(main())
