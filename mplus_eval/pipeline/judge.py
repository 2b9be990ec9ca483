"""Judging, once all answers are there: dialogues by every judge, refusals by a language model where one judges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from mplus_eval.pipeline.evaluate import Failures
    from mplus_eval.pipeline.plan import Plan
    from mplus_eval.pipeline.progress import RunProgress

STATISTICS_COLUMNS = (
    "item_id", "stratum", "cluster", "sample", "prompt_hash", "n_truncated", "answer", "score", "metrics",
)  # fmt: skip


def judge(plan: Plan, directory: RunDirectory, failures: Failures, progress: RunProgress) -> dict[str, str]:
    """Have refusals and dialogues judged; the fingerprints of those who judge dialogues, by name."""
    _judge_refusals(plan, directory, failures, progress)
    if plan.dialogues is None:
        return {}
    from mplus_eval.conversation.pairwise import judge_all, judged_pairs
    from mplus_eval.judges.reward import with_reward_model

    pairs = judged_pairs(plan, failures)
    judges = with_reward_model(plan.judges, [model.location.path for model in plan.models])
    return judge_all(
        plan.dialogues, pairs, judges, directory, seed=plan.spec.seed, progress=progress.prepare, say=progress.say
    )


def _judge_refusals(plan: Plan, directory: RunDirectory, failures: Failures, progress: RunProgress) -> None:
    """Have a language model tell refusals, where one judges."""
    from mplus_eval.judges import JudgeContext, load_judge
    from mplus_eval.judges.base import RefusalJudge
    from mplus_eval.spec.judges import judge_kind

    source = next((source for source in plan.judges if judge_kind(source).tells_refusals), None)
    cells = {
        (cell.model.spec.name, cell.task.spec.name): cell.task
        for cell in plan.cells
        if getattr(cell.task, "kind", None) == "refusal" and (cell.model.spec.name, cell.task.spec.name) not in failures
    }
    if source is None or not cells:
        return
    from mplus_eval.harmlessness.items import PromptSet
    from mplus_eval.harmlessness.refusal_judge import judge_refusals

    judge = load_judge(source, JudgeContext(directory.path / "judgements" / "cache", (), plan.spec.seed))
    assert isinstance(judge, RefusalJudge)
    requests = {
        names: [(prompt.item_id, prompt.text) for prompt in task.prompts]
        for names, task in cells.items()
        if isinstance(task, PromptSet)
    }
    judge_refusals(requests, directory, judge, progress.prepare)
