from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.contrast import Sequential
from mplus_eval.reports.capability_phrasing import suite_remarks
from mplus_eval.reports.matrix import notes_on_cells
from mplus_eval.reports.selection import items_of
from mplus_eval.reports.sequential import decided, is_sequential, sequential_method, sequential_notes
from tests.reports import build


def asked(n_asked: int, n_items: int = 10_042, *, settled: bool = True) -> Sequential:
    return Sequential(n_asked=n_asked, n_items=n_items, n_looks=4, settled=settled)


def sequential(comparison: Comparison) -> Comparison:
    """The first task settled early, the second asked to the end."""
    tasks = {}
    for (name, task), (n_asked, settled) in zip(comparison.tasks.items(), ((2400, True), (10_042, False)), strict=True):
        contrasts = {
            model: contrast.model_copy(update={"sequential": asked(n_asked, settled=settled)})
            for model, contrast in task.contrasts.items()
        }
        scores = {model: score.model_copy(update={"n_scored": n_asked}) for model, score in task.scores.items()}
        fields = {"contrasts": contrasts, "scores": scores, "n_items": 10_042}
        tasks[name] = task.model_copy(update=fields)
    summary = {
        model: each.model_copy(update={"sequential": asked(3000, 20_084)}) if model != comparison.baseline else each
        for model, each in comparison.summary.items()
    }
    return comparison.model_copy(update={"tasks": tasks, "summary": summary})


def test_when_a_verdict_was_settled():
    assert decided(asked(2400)) == "decided after 2,400 of 10,042 items"
    assert decided(asked(10_042)) == "decided with all 10,042 items"
    assert decided(asked(10_042, settled=False)) == "not decided with all 10,042 items"
    assert decided(asked(2400, settled=False)) == "not decided after 2,400 of 10,042 items"


def test_every_model_has_a_note():
    comparison = sequential(build.of_size(2, 2))
    (note,) = sequential_notes(comparison)
    first, second = comparison.tasks
    model = next(name for name in comparison.models if name != comparison.baseline)
    assert note == (
        f"{model}: {first} decided after 2,400 of 10,042 items; {second} not decided with all 10,042 items; "
        "macro-average decided after 3,000 of 20,084 items; error 5 % however often looked."
    )
    assert note in notes_on_cells(comparison)
    assert "1 of 2 tasks decided, with 12,442 of 20,084 items." in list(suite_remarks(model, comparison))


def test_items_of_a_task_are_those_that_were_asked():
    comparison = sequential(build.of_size(2, 2))
    assert [items_of(task) for task in comparison.tasks.values()] == ["n 2,400 of 10,042", "n 10,042"]


def test_methods_tell_of_rounds_only_where_there_were_any():
    comparison = build.of_size(2, 2)
    assert (is_sequential(comparison), sequential_method(comparison)) == (False, "")
    assert sequential_method(sequential(comparison)).startswith(
        "Items were asked in rounds, whole clusters in an order"
    )
