"""Judges as they are named on the command line and in suites.

reward                                 the reward model beside one of the models, as training leaves it
reward:PATH                            a reward model's directory
llm:MODEL@http://HOST:PORT/v1          a language model; its key is read from OPENAI_API_KEY
human:FILE.csv                         verdicts that people wrote into an exported file
function:MODULE:NAME                   a function of prompt, answer and whether it ended; the higher value wins
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mplus_eval.errors import SpecError
from mplus_eval.judges.base import PairJudge, PairwiseItem
from mplus_eval.judges.endpoint import Endpoint, judge_faults

ACCEPTED = "reward, reward:PATH, llm:MODEL@http://HOST:PORT/v1, human:FILE.csv or function:MODULE:NAME"


def judge_source_faults(source: str) -> list[str]:
    """Return what stands in the way of a judge, a line each, before any answer is generated."""
    kind, _, rest = source.partition(":")
    where = f"judge {source!r}"
    if kind == "reward":
        return [] if not rest or Path(rest).expanduser().is_dir() else [f"{where}: no such directory"]
    if kind == "human" and rest:
        return [] if Path(rest).expanduser().is_file() else [f"{where}: no such file"]
    if kind == "llm" and "@" in rest:
        return judge_faults(_endpoint(rest), where)
    if kind == "function" and ":" in rest:
        from mplus_eval.rewards.functions import load_function

        try:
            load_function(rest)
        except SpecError as error:
            return [f"{where}: {fault}" for fault in error.faults]
        return []
    return [f"{where}: accepted: {ACCEPTED}"]


def load_judge(source: str, cache: Path, pairings: Sequence[PairwiseItem], seed: int) -> PairJudge:
    """A judge, ready to be asked.

    Args:
        source: checked by `judge_source_faults`, and of `reward` found by `found_reward`.
        cache: where a language model's verdicts are kept.
        pairings: all pairs of all models, which stand in one file of people's verdicts.
        seed: with which that file was exported.
    """
    kind, _, rest = source.partition(":")
    if kind == "reward":
        from mplus_eval.judges.reward import RewardJudge

        return RewardJudge.load(Path(rest).expanduser())
    if kind == "human":
        from mplus_eval.judges.human import HumanJudge

        return HumanJudge(Path(rest).expanduser(), seed, pairings)
    if kind == "llm":
        from mplus_eval.judges.llm import LlmJudge

        return LlmJudge(_endpoint(rest), cache)
    from mplus_eval.judges.function import FunctionJudge

    return FunctionJudge.load(rest)


def found_reward(directories: Iterable[Path | None]) -> Path | None:
    """The reward model that stands beside one of these checkpoints, as training leaves it; None when none does."""
    from mplus_eval.records.training import read_record

    for directory in directories:
        beside = directory.parent / "reward" if directory else None
        record = read_record(beside) if beside else None
        if record is not None and record.method == "reward model":
            return beside
    return None


def resolved(sources: Sequence[str], directories: Iterable[Path | None]) -> tuple[str, ...]:
    """Judges with the reward model's directory in place of a bare `reward`.

    Raises:
        SpecError: none lies beside one of the checkpoints.
    """
    beside = found_reward(directories) if "reward" in sources else None
    if "reward" in sources and beside is None:
        raise SpecError(["judge 'reward': no reward model of mplus-eval train lies beside a model; write reward:PATH"])
    return tuple(f"reward:{beside}" if source == "reward" else source for source in sources)


def _endpoint(text: str) -> Endpoint:
    model, _, url = text.partition("@")
    return Endpoint(base_url=url, model=model)
