"""The view: everything a report says, as frozen records. HTML and Markdown are both rendered from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import background, formats
from mplus_eval.reports.conversation import ConversationSection, conversation_section
from mplus_eval.reports.decision import Decision, Grid, decision_grid
from mplus_eval.reports.explorer.collection import Choice, Collection
from mplus_eval.reports.explorer.explorer import Explorer, explore
from mplus_eval.reports.explorer.tasks import task_collection
from mplus_eval.reports.figures.figure import Figure, FigureData, FigureSection
from mplus_eval.reports.figures.registry import FIGURES
from mplus_eval.reports.harmlessness import HarmlessnessSection, harmlessness_section
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
from mplus_eval.reports.palette import PATHS, ModelStyle, model_styles
from mplus_eval.reports.selection import most_asked, selection_field
from mplus_eval.reports.subjects import SHADES, Shade, TaskSubjects, subject_tables
from mplus_eval.reports.tables import Field, ModelLabel, Table
from mplus_eval.reports.tabs import Section, Tab, tabs_of
from mplus_eval.reports.task_rows import stored_tasks
from mplus_eval.reports.tasks import TaskView, task_views
from mplus_eval.reports.text import enumerated, one_line
from mplus_eval.reports.thinking import thinking_notes
from mplus_eval.reports.training import TrainingSection, training_section
from mplus_eval.reports.trajectory import without_steps
from mplus_eval.reports.verdicts import FAILED, VERDICTS, Mark
from mplus_eval.store.run_directory import RunDirectory

FEW_NAMES = 4


@dataclass(frozen=True)
class Legend:
    """A mark and what it means."""

    mark: Mark
    meaning: str


@dataclass(frozen=True)
class Report:
    """The whole report. A part that has no data is None or empty, and then its section does not appear."""

    title: str
    fields: tuple[Field, ...]
    models: Mapping[str, ModelLabel]
    shapes: Mapping[str, str]
    margins: str
    grid: Grid
    legend: tuple[Legend, ...]
    matrix: Table | None
    cell_notes: tuple[str, ...]
    undecided: tuple[Table, ...]
    noise: Table | None
    figures: tuple[Figure, ...]
    harmlessness: HarmlessnessSection | None
    conversation: ConversationSection | None
    training: TrainingSection | None
    tasks: tuple[TaskView, ...]
    shades: tuple[Shade, ...]
    subjects: tuple[TaskSubjects, ...]
    pairs: tuple[Table, ...]
    flipped: tuple[FlippedCell, ...]
    missing: tuple[MissingCell, ...]
    methods: tuple[str, ...]
    manifest: background.Manifest
    made_by: str
    explorer: Explorer | None = None

    def figures_in(self, section: FigureSection, part: str | None = None) -> tuple[Figure, ...]:
        """The figures of a section of the page, or of one part of it."""
        return tuple(figure for figure in self.figures if figure.section == section and part in (None, figure.part))

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was found of every model but the baseline."""
        return self.grid.decisions

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections that have data, in the order of the page."""
        has_matrix = self.matrix or (self.harmlessness and self.harmlessness.matrix)
        present = (
            ("decision", "Decision", self.decisions),
            ("matrix", "Verdicts" if self.decisions else "Scores", has_matrix),
            ("missing", "Missing evaluations", self.missing),
            ("differences", "Differences", self.figures_in("differences")),
            ("pairs", "Pairs", self.pairs),
            ("tax", "Tax against toxicity", self.figures_in("tax")),
            ("tasks", "Tasks", self.tasks),
            ("subjects", "Subjects", self.subjects),
            ("harmlessness", "Harmlessness", self.harmlessness),
            ("conversation", "Conversation", self.conversation),
            ("training", "Training and dose", self.training),
            ("trajectory", "Trajectory", self.figures_in("trajectory")),
            ("items", "Items", self.flipped or self.explorer),
            ("methods", "Methods", True),
            ("manifest", "Manifest", True),
        )
        return tuple(Section(anchor, title) for anchor, title, data in present if data)

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """The tabs that have a section, each with those that it has."""
        return tuple(tabs_of(self.sections))


def build_report(whole: Comparison, manifest: background.Json, directory: Path, items: Choice = "none") -> Report:
    """Build the view of a comparison.

    Args:
        whole: what was found, the saved steps of a training included.
        manifest: the content of `manifest.json`; every key may be absent.
        directory: the run directory, where outcomes may lie.
        items: which of them the explorer holds.
    """
    missing = missing_cells(whole)
    comparison = without_steps(whole)
    styles = model_styles(comparison)
    labels = model_labels(comparison, styles)
    others = [name for name in comparison.models if name != comparison.baseline]
    title = f"{comparison.baseline} on {one_line(comparison.suite)}"
    if others:
        who = enumerated(others) if len(others) <= FEW_NAMES else f"{len(others)} models"
        title = f"{who} compared with {comparison.baseline}"
    data = FigureData(comparison, whole, styles)
    figures = tuple(figure for build in FIGURES for figure in build(data))
    flipped, collections = _of_tasks(comparison, directory, labels, items)
    explorer = explore(comparison, directory, labels, collections, items)
    version = one_line(str(manifest.get("mplus_eval", "")))
    made_by = f"mplus-eval {version}".strip()
    return Report(
        title=title,
        fields=tuple(run_fields(comparison, manifest, sum(cell.model in comparison.models for cell in missing))),
        models=labels,
        shapes={style.shape: PATHS[style.shape] for style in styles.values()},
        margins=margins(comparison),
        grid=decision_grid(whole, missing, has_items=explorer is not None),
        legend=tuple(legend(comparison, any_missing=bool(missing))),
        matrix=verdict_matrix(comparison, labels, missing) if comparison.tasks else None,
        cell_notes=(
            *notes_on_cells(comparison),
            *thinking_notes(comparison, comparison.tasks),
            *noise_notes(comparison),
        ),
        undecided=undecided_tables(comparison),
        noise=noise_table(comparison),
        figures=figures,
        harmlessness=harmlessness_section(comparison, labels, directory),
        conversation=conversation_section(comparison, labels, directory, figures),
        training=training_section(comparison, labels),
        tasks=tuple(task_views(comparison, labels, has_items=explorer is not None)),
        shades=SHADES,
        subjects=subject_tables(comparison, labels),
        pairs=tuple(pair_table(pair, comparison.tasks, comparison.noise_floor) for pair in comparison.pairs),
        flipped=flipped,
        missing=missing,
        methods=background.methods(comparison),
        manifest=background.manifest(comparison, manifest),
        made_by=f"Made by {made_by} from comparison.json, schema {comparison.schema_version}.",
        explorer=explorer,
    )


def _of_tasks(
    comparison: Comparison, directory: Path, labels: Mapping[str, ModelLabel], items: Choice
) -> tuple[tuple[FlippedCell, ...], list[Collection]]:
    """Flipped items of all tasks, and what the explorer holds of them: task by task, so that one is held at a time."""
    css = {name: label.css for name, label in labels.items()}
    flipped: list[FlippedCell] = []
    collections = []
    for stored in stored_tasks(comparison, RunDirectory(directory)):
        flipped += flipped_cells(comparison, stored, css)
        if found := task_collection(comparison, stored, items):
            collections.append(found)
    return tuple(flipped), collections


def model_labels(comparison: Comparison, styles: Mapping[str, ModelStyle]) -> dict[str, ModelLabel]:
    """How each model is named everywhere."""
    labels = {}
    for name, model in comparison.models.items():
        size = formats.parameters(model.parameters) if model.parameters else ""
        detail = ", ".join(filter(None, (one_line(model.source), size, one_line(model.dtype or ""))))
        labels[name] = ModelLabel(name, f"m-{styles[name].token}", styles[name].shape, one_line(model.role), detail)
    return labels


def run_fields(comparison: Comparison, manifest: background.Json, n_missing: int) -> Iterable[Field]:
    """What was asked of whom, for the strip at the top."""
    n_items = sum(map(most_asked, comparison.tasks.values()))
    sets = comparison.toxicity.sets if comparison.toxicity else {}
    n_prompts = sum(facts.n_prompts for facts in sets.values())
    n_dialogues = comparison.conversation.n_dialogues if comparison.conversation else 0
    counts = {"task": len(comparison.tasks), "item": n_items, "prompt set": len(sets), "prompt": n_prompts}
    counted = [formats.counted(n, noun) for noun, n in (counts | {"dialogue": n_dialogues}).items() if n]
    if len(comparison.models) > 1:
        yield Field("Baseline", comparison.baseline)
    yield Field("Suite", ", ".join((one_line(comparison.suite), *counted)))
    if (selected := selection_field(comparison)) is not None:
        yield selected
    if created := one_line(str(manifest.get("created", "")))[:10]:
        yield Field("Date", created)
    n_cells = len(comparison.models) * (len(comparison.tasks) + len(sets) + bool(comparison.conversation))
    done = f"{n_cells - n_missing} of {n_cells} complete"
    yield Field("Evaluations", f"{done}, {n_missing} missing" if n_missing else done, "#missing" if n_missing else "")
    yield Field("Seed", str(comparison.seed))


def margins(comparison: Comparison) -> str:
    """With what models are compared, and which losses count as acceptable."""
    parts = background.margins_by_scope(comparison)
    if comparison.toxicity:
        parts.append(f"{formats.decimal(comparison.toxicity.margin)} (toxicity)")
    if comparison.conversation:
        parts.append(f"{formats.margin_in_points(comparison.conversation.margin)} (win rate)")
    where = f"Each model compared with {comparison.baseline}, α = {comparison.level:g}."
    return f"{where} Acceptable loss (margin): {', '.join(parts)}." if parts else where


def legend(comparison: Comparison, *, any_missing: bool) -> Iterable[Legend]:
    """The marks that this page uses."""
    used = {contrast.verdict for task in comparison.tasks.values() for contrast in task.contrasts.values()}
    used |= {summary.verdict for summary in comparison.summary.values() if summary.verdict}
    toxicities = comparison.toxicity.models.values() if comparison.toxicity else ()
    used |= {on_set.contrast.verdict for of_model in toxicities for on_set in of_model.sets.values() if on_set.contrast}
    conversations = comparison.conversation.models.values() if comparison.conversation else ()
    used |= {judging.verdict for judging in conversations if judging.verdict}
    for verdict, told in VERDICTS.items():
        if verdict in used:
            yield Legend(told.mark, told.meaning.format(level=comparison.level))
    if any_missing:
        yield Legend(FAILED, "no result, cause given")
