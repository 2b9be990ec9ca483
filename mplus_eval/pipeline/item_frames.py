"""What a run directory holds of single items and turns, as pandas frames; no part is opened that is not asked for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.conversation.pairwise import read_judgements
from mplus_eval.errors import UsageError
from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd

FLIP_COLUMNS = (
    "item_id", "sample", "stratum", "kind", "score_baseline", "score_model", "answer_baseline", "answer_model",
    "target", "prompt",
)  # fmt: skip


def outcomes(path: Path, comparison: Comparison, model: str | None = None, task: str | None = None) -> pd.DataFrame:
    """The outcomes of one model, of one task or prompt set, or of all models on all tasks.

    Raises:
        UsageError: the run has no such model or task.
    """
    import pandas as pd

    sets = comparison.toxicity.sets if comparison.toxicity else {}
    _known("model", model, comparison.models)
    _known("task", task, (*comparison.tasks, *sets))
    directory = RunDirectory(path)
    frames = [
        directory.outcome_frame(one, name).assign(model=one, task=name)
        for name in ([task] if task else comparison.tasks)
        for one in ([model] if model else _asked(comparison, name))
    ]
    found = [frame for frame in frames if len(frame)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def flips(path: Path, comparison: Comparison, model: str, task: str) -> pd.DataFrame:
    """The items of a task on which a model parts from the baseline, with what both are taken to have said.

    Raises:
        UsageError: the run has no such model or task, or the model is the baseline.
    """
    from mplus_eval.statistics.flips import flip_kinds

    _known("model", model, [name for name in comparison.models if name != comparison.baseline])
    _known("task", task, comparison.tasks)
    columns = ("item_id", "sample", "stratum", "score", "answer", "target", "prompt")
    directory, sides = RunDirectory(path), {}
    for name in (comparison.baseline, model):
        frame = directory.outcome_frame(name, task, columns)
        sides[name] = frame[frame["score"].notna()] if len(frame) else _empty(columns)
    own, other = sides[model], sides[comparison.baseline][["item_id", "sample", "score", "answer"]]
    pairs = other.merge(own, on=["item_id", "sample"], suffixes=("_baseline", "_model")).sort_values(
        ["item_id", "sample"], ignore_index=True
    )
    sign = 1.0 if comparison.tasks[task].higher_is_better else -1.0
    before, after = (sign * pairs[f"score_{side}"].to_numpy(dtype=float) for side in ("baseline", "model"))
    said = (pairs[f"answer_{side}"].astype(object) for side in ("baseline", "model"))
    said_before, said_after = (side.where(side.notna(), None).to_numpy() for side in said)
    kinds = flip_kinds(before, after, said_before, said_after, wrong=0.0 if sign > 0 else -1.0)
    found: pd.DataFrame = pairs.assign(kind=kinds)[kinds != ""].reset_index(drop=True)
    return found[list(FLIP_COLUMNS)]


def dialogues(path: Path, comparison: Comparison) -> pd.DataFrame:
    """Every turn of every dialogue that a model had, with what each judge prefers: 1 the model, 0 the baseline."""
    import pandas as pd

    part = comparison.conversation
    if part is None:
        return pd.DataFrame()
    directory, rows = RunDirectory(path), []
    for model in (comparison.baseline, *part.models):
        preferences = _preferences(directory, comparison.baseline, part, model)
        for answer in directory.read_answers(model, part.name):
            turn = answer.sample + 1
            rows.append(
                {
                    "model": model,
                    "dialogue": answer.item_id,
                    "category": answer.stratum,
                    "turn": turn,
                    "asked": answer.asked,
                    "answer": answer.text,
                    "ended": answer.ended,
                    "error": answer.error,
                    **{
                        f"preference_{judge}": by_turn.get((answer.item_id, turn))
                        for judge, by_turn in preferences.items()
                    },
                }
            )
    return pd.DataFrame(rows)


def _preferences(
    directory: RunDirectory, baseline: str, part: Conversation, model: str
) -> dict[str, dict[tuple[str, int], float | None]]:
    """By judge, what it prefers by dialogue and turn; of the baseline, the other side of every pair, nothing."""
    return {
        judge: {
            (turn.item_id, turn.turn): turn.preference
            for turn in read_judgements(directory, number, model, (baseline, part.name), fingerprint)
        }
        for number, (judge, fingerprint) in enumerate(part.judges.items(), start=1)
    }


def _asked(comparison: Comparison, task: str) -> Iterable[str]:
    """The models with scores of a task; of a prompt set, all."""
    return comparison.tasks[task].scores if task in comparison.tasks else comparison.models


def _known(what: str, name: str | None, names: Iterable[str]) -> None:
    if name is not None and name not in (known := list(names)):
        raise UsageError(f"{what} {name!r}: this run has {', '.join(known) or 'none'}")


def _empty(columns: Iterable[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=list(columns))
