"""The view: everything a report says, as frozen records. HTML and Markdown are both rendered from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import background, formats
from mplus_eval.reports.charts import Figure, forest_figures, tax_figure
from mplus_eval.reports.conversation import ConversationSection, conversation_section
from mplus_eval.reports.decision import Decision, decide
from mplus_eval.reports.dose import TrainingSection, training_section
from mplus_eval.reports.harmlessness import HarmlessnessSection, harmlessness_section
from mplus_eval.reports.harmlessness_figures import tradeoff_figure
from mplus_eval.reports.items import FlippedCell, flipped_cells
from mplus_eval.reports.matrix import (
    MissingCell,
    missing_cells,
    notes_on_cells,
    pair_table,
    undecided_tables,
    verdict_matrix,
)
from mplus_eval.reports.noise import noise_notes, noise_table
from mplus_eval.reports.palette import Look, looks, shape_path
from mplus_eval.reports.scores import score_figures
from mplus_eval.reports.subjects import TaskSubjects, subject_tables
from mplus_eval.reports.tables import FAILED, MARKS, Fact, Mark, ModelLabel, Table
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.trajectory import trajectory_figures, without_steps

FEW_NAMES = 4


@dataclass(frozen=True)
class Legend:
    """A mark and what it means."""

    mark: Mark
    meaning: str


@dataclass(frozen=True)
class Section:
    """A section that the page has, for its navigation."""

    anchor: str
    title: str


@dataclass(frozen=True)
class Report:
    """The whole report. A part that has no data is None or empty, and then its section does not appear."""

    title: str
    facts: tuple[Fact, ...]
    models: Mapping[str, ModelLabel]
    shapes: Mapping[str, str]
    sections: tuple[Section, ...]
    margins: str
    decisions: tuple[Decision, ...]
    legend: tuple[Legend, ...]
    matrix: Table | None
    cell_notes: tuple[str, ...]
    undecided: tuple[Table, ...]
    noise: Table | None
    forests: tuple[Figure, ...]
    tax: Figure | None
    tradeoff: Figure | None
    scores: tuple[Figure, ...]
    harmlessness: HarmlessnessSection | None
    conversation: ConversationSection | None
    training: TrainingSection | None
    trajectories: tuple[Figure, ...]
    subjects: tuple[TaskSubjects, ...]
    pairs: tuple[Table, ...]
    flipped: tuple[FlippedCell, ...]
    missing: tuple[MissingCell, ...]
    methods: tuple[str, ...]
    manifest: background.Manifest
    made_by: str

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Every figure of the report."""
        dose = self.training.figure if self.training else None
        single = tuple(figure for figure in (self.tax, self.tradeoff, dose) if figure)
        harmlessness = self.harmlessness.figures if self.harmlessness else ()
        conversation = self.conversation.figures if self.conversation else ()
        return (*self.forests, *single, *self.scores, *harmlessness, *conversation, *self.trajectories)


def build_report(comparison: Comparison, manifest: Mapping[str, Any], directory: Path) -> Report:
    """Build the view of a comparison.

    Args:
        comparison: what was found.
        manifest: the content of `manifest.json`; every key may be absent.
        directory: the run directory, where outcomes may lie.
    """
    missing = missing_cells(comparison)
    trajectories = trajectory_figures(comparison)
    comparison = without_steps(comparison)
    given = looks(comparison)
    labels = _labels(comparison, given)
    others = [name for name in comparison.models if name != comparison.baseline]
    subjects = subject_tables(comparison, labels)
    flipped = flipped_cells(comparison, directory, {name: label.css for name, label in labels.items()})
    forests, tax, tradeoff = (
        forest_figures(comparison),
        tax_figure(comparison, given),
        tradeoff_figure(comparison, given),
    )
    harmlessness = harmlessness_section(comparison, given, labels, directory)
    conversation = conversation_section(comparison, given, labels, directory)
    scores = score_figures(comparison, given)
    training = training_section(comparison, given)
    present = {
        "decision": ("Decision", others),
        "matrix": ("Verdicts" if others else "Scores", comparison.tasks or (harmlessness and harmlessness.matrix)),
        "differences": ("Differences", forests),
        "tax": ("Alignment tax", tax or tradeoff),
        "scores": ("Scores by task", scores),
        "harmlessness": ("Harmlessness", harmlessness),
        "conversation": ("Conversation", conversation),
        "training": ("Training and dose", training),
        "trajectory": ("Trajectory", trajectories),
        "subjects": ("Subjects", subjects),
        "pairs": ("Pairs", comparison.pairs),
        "items": ("Items", flipped),
        "missing": ("Missing cells", missing),
        "methods": ("Methods", True),
        "manifest": ("Manifest", True),
    }
    return Report(
        title=_title(comparison, others),
        facts=_facts(comparison, manifest, tuple(cell for cell in missing if cell.model in comparison.models)),
        models=labels,
        shapes={look.shape: shape_path(look.shape) for look in given.values()},
        sections=tuple(Section(anchor, title) for anchor, (title, data) in present.items() if data),
        margins=_margins(comparison),
        decisions=tuple(decide(name, comparison) for name in others),
        legend=_legend(comparison, bool(missing)),
        matrix=verdict_matrix(comparison, labels, missing) if comparison.tasks else None,
        cell_notes=(*notes_on_cells(comparison), *noise_notes(comparison)),
        undecided=undecided_tables(comparison),
        noise=noise_table(comparison),
        forests=forests,
        tax=tax,
        tradeoff=tradeoff,
        scores=scores,
        harmlessness=harmlessness,
        conversation=conversation,
        training=training,
        trajectories=trajectories,
        subjects=subjects,
        pairs=tuple(pair_table(pair, comparison.tasks, comparison.noise_floor) for pair in comparison.pairs),
        flipped=flipped,
        missing=missing,
        methods=background.methods(comparison),
        manifest=background.manifest(comparison, manifest),
        made_by=_made_by(comparison, manifest),
    )


def _labels(comparison: Comparison, given: Mapping[str, Look]) -> dict[str, ModelLabel]:
    labels = {}
    for name, model in comparison.models.items():
        size = formats.parameters(model.parameters) if model.parameters else ""
        detail = ", ".join(part for part in (one_line(model.source), size, one_line(model.dtype or "")) if part)
        labels[name] = ModelLabel(name, f"m-{given[name].token}", given[name].shape, one_line(model.role), detail)
    return labels


def _title(comparison: Comparison, others: list[str]) -> str:
    if not others:
        return f"{comparison.baseline} on {one_line(comparison.suite)}"
    who = enumerated(others) if len(others) <= FEW_NAMES else f"{len(others)} models"
    return f"{who} against {comparison.baseline}"


def _facts(comparison: Comparison, manifest: Mapping[str, Any], missing: tuple[MissingCell, ...]) -> tuple[Fact, ...]:
    n_items = sum(task.n_items for task in comparison.tasks.values())
    sets = comparison.toxicity.sets if comparison.toxicity else {}
    n_prompts = sum(one.n_prompts for one in sets.values())
    talk = comparison.conversation
    n_cells = len(comparison.models) * (len(comparison.tasks) + len(sets) + bool(talk))
    counts = [(len(comparison.tasks), "task"), (n_items, "item"), (len(sets), "prompt set"), (n_prompts, "prompt")]
    counts += [(talk.n_dialogues, "dialogue")] if talk else []
    counted = (formats.counted(number, noun) for number, noun in counts if number)
    facts = [Fact("Baseline", comparison.baseline)] if len(comparison.models) > 1 else []
    facts.append(Fact("Suite", ", ".join((one_line(comparison.suite), *counted))))
    if comparison.limit is not None:
        facts.append(Fact("Limit", f"first {formats.count(comparison.limit)} items of each task or subject"))
    if created := one_line(str(manifest.get("created", "")))[:10]:
        facts.append(Fact("Date", created))
    done = f"{n_cells - len(missing)} of {n_cells} done"
    facts.append(Fact("Cells", f"{done}, {len(missing)} missing" if missing else done, "#missing" if missing else ""))
    return (*facts, Fact("Seed", str(comparison.seed)))


def _margins(comparison: Comparison) -> str:
    suite = sorted({entry.margin for entry in comparison.summary.values() if entry.margin is not None})
    task = sorted({found.margin for entry in comparison.tasks.values() for found in entry.contrasts.values()})
    named = [
        f"{enumerated([formats.margin_in_points(size) for size in sizes])} for {what}"
        for sizes, what in ((suite, "the macro-average"), (task, "a task"))
        if sizes
    ]
    if comparison.toxicity:
        named.append(f"{formats.toxicity(comparison.toxicity.margin)} for toxicity")
    if comparison.conversation:
        named.append(f"{formats.margin_in_points(comparison.conversation.margin)} of the win rate for conversation")
    where = f"Each model against {comparison.baseline} at level {comparison.level:g}."
    return f"{where} Margins: {', '.join(named)}." if named else where


def _legend(comparison: Comparison, any_missing: bool) -> tuple[Legend, ...]:
    """The marks that this page uses."""
    level = f"adjusted p < {comparison.level:g}"
    meanings = {
        "improved": f"better, {level}",
        "preserved": "a loss over the margin is ruled out",
        "degraded": f"worse, {level}",
        "undecided": "none of these was shown",
        "not comparable": "the answers cannot be compared",
    }
    used = {contrast.verdict for task in comparison.tasks.values() for contrast in task.contrasts.values()}
    used |= {entry.verdict for entry in comparison.summary.values() if entry.verdict}
    toxicities = comparison.toxicity.models.values() if comparison.toxicity else ()
    used |= {one.contrast.verdict for found in toxicities for one in found.sets.values() if one.contrast}
    talk = comparison.conversation.models.values() if comparison.conversation else ()
    used |= {found.verdict for found in talk if found.verdict}
    entries = [Legend(MARKS[verdict], meanings[verdict.value]) for verdict in MARKS if verdict in used]
    return (*entries, *([Legend(FAILED, "no result, cause given")] if any_missing else []))


def _made_by(comparison: Comparison, manifest: Mapping[str, Any]) -> str:
    version = one_line(str(manifest.get("mplus_eval", "")))
    return f"Made by {f'mplus-eval {version}'.strip()} from comparison.json, schema {comparison.schema_version}."
