"""The comparison: everything that was found, as stored in `comparison.json`, schema version 1.

All scores, differences and margins are fractions, not percent. `difference` is the model minus the other model
(the baseline, unless a pair says otherwise); a positive `alignment_tax` is a loss. A key is absent where nothing
was evaluated; fields may be added, and `schema_version` grows when one changes its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mplus_eval.errors import UsageError
from mplus_eval.records.asking import Asking
from mplus_eval.records.base import Interval, Probability, Record
from mplus_eval.records.contamination import Contamination
from mplus_eval.records.contrast import Contrast, Sequential
from mplus_eval.records.conversation import Conversation
from mplus_eval.records.thinking import ThinkingSpent
from mplus_eval.records.toxicity import Toxicity
from mplus_eval.records.training import Training
from mplus_eval.records.unjudged import Unjudged
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.files import STORED_NAME
from mplus_eval.store.sealed import SEAL, DamagedFileError, read_sealed, write_sealed_text

SCHEMA_VERSION: Literal[1] = 1
SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"


class Scoring(Record):
    """How a model is scored: chosen as it is loaded, by a check against plain forwards or lm-eval (docs/scoring.md)."""

    name: Literal["tree", "shared prefix", "prefix cache", "prompt rows", "one token", "plain"] = Field(
        description="the tier; plain is lm-eval's own"
    )
    difference: float = Field(description="largest difference of a log-probability in the check, nats a scored token")
    tolerance: float = Field(description="the largest that was accepted")
    why: str = Field(default="", description="why a better tier was left; empty for the best")


class ModelEntry(Record):
    """One model as it was loaded."""

    role: str
    source: str
    fingerprint: str
    weights: str = Field(default="", description="hash of the weights; models that share it are the same model")
    vocabulary: str = Field(
        default="", description="hash of what its token ids stand for; models that share it count the same tokens"
    )
    backend: str
    dtype: str | None = None
    parameters: int | None = None
    scoring: Scoring | None = Field(default=None, description="of the backends hf and vllm")
    chat_template: str = Field(
        default="plain", description="prompt format of the capability tasks: plain, own, or a file's hash"
    )
    asking: Asking | None = Field(default=None, description="how it was really asked, as found when it was loaded")
    training: Training | None = Field(default=None, description="how it was made, where the checkpoint says so")
    trained_by: tuple[str, ...] = Field(
        default=(),
        description="hashes of the weights of the reward models that trained it; of a model without a training record, "
        "of the one that lies beside it",
    )
    trajectory: str | None = Field(
        default=None,
        description="the model of whose training this is a saved step; such models stand in the trajectory only",
    )
    step: int | None = Field(
        default=None, description="after how many steps of training it was saved, where it is of a trajectory"
    )

    @property
    def trained_steps(self) -> int | None:
        """After how many steps of training it was saved, where anything says it."""
        return self.step if self.step is not None or self.training is None else self.training.step


class Score(Record):
    """One model on one task. `value` is that of the scored items, None when there is none."""

    value: float | None
    ci: Interval | None
    n_scored: int
    n_failed: int
    n_truncated: int = Field(
        default=0, description="scored items whose prompt was cut on the left to fit the model's length"
    )
    other_metrics: dict[str, float] = Field(default_factory=dict, description="the task's further metrics, same items")


class SubjectContrast(Record):
    """One model against the baseline within one stratum; `p_adjusted` is Holm's over the strata of the task."""

    difference: float
    ci: Interval
    n_pairs: int
    p_value: Probability
    p_adjusted: Probability


class Subject(Record):
    """One stratum of a task (an MMLU subject, a BBH task)."""

    n_items: int
    scores: dict[str, Score]
    contrasts: dict[str, SubjectContrast] = Field(default_factory=dict)


class Task(Record):
    """One task: what was measured, every model's score and every model's contrast with the baseline."""

    metric: str
    higher_is_better: bool = True
    n_items: int
    n_available: int | None = Field(default=None, description="items of the data, where not all of them were asked")
    n_shots: int
    chance: float
    kind: str = Field(description="choice, generation or text, or mixed")
    lm_eval: str = Field(description="lm-eval's id of the task or group")
    version: str = Field(description="lm-eval's version of the definition")
    filter: str = Field(description="lm-eval's filter whose metric is reported")
    departs: tuple[str, ...] = Field(
        default=(), description="in what the suite has it asked otherwise than lm-eval's definition, with both ways"
    )
    n_shots_replaced: int = Field(
        default=0, description="items with other few-shot examples than were drawn, which gave the item away"
    )
    has_description: bool = Field(
        default=False, description="prompts begin with a description, in chat as a system message"
    )
    outside: str = Field(
        default="", description="why it is no part of the macro-average, which is of the other tasks; empty where it is"
    )
    relative: bool = Field(
        default=False,
        description="differences, intervals and margins are relative changes of the value: 0.01 is 1 % more of it",
    )
    by_size: bool = Field(
        default=True, description="strata count by their items in the value; false where each counts alike"
    )
    scores: dict[str, Score]
    contrasts: dict[str, Contrast] = Field(default_factory=dict)
    subjects: dict[str, Subject] = Field(default_factory=dict, description="by stratum, where there is more than one")


class Pooled(Record):
    """One model against another over the items of all tasks, each counting alike: a detector, and no verdict."""

    difference: float
    ci: Interval
    n_pairs: int
    p_value: Probability


class Summary(Record):
    """One model over the whole suite. The baseline has a macro-average only.

    Everything but `withheld` is None when the macro-average is withheld: it is given over all tasks or not at all.
    """

    macro_average: float | None = None
    ci: Interval | None = None
    alignment_tax: float | None = None
    alignment_tax_ci: Interval | None = None
    p_value: Probability | None = None
    p_adjusted: Probability | None = Field(
        default=None,
        description="what the verdict rests on: failed items against a gain, and over models if asked for",
    )
    p_non_inferiority: Probability | None = None
    p_non_inferiority_adjusted: Probability | None = Field(default=None, description="the same of non-inferiority")
    margin: float | None = None
    smallest_detectable_difference: float | None = None
    smallest_provable_margin: float | None = None
    items_to_settle: int | None = Field(
        default=None, description="of an undecided suite: about how many items would settle it"
    )
    verdict: Verdict | None = None
    pooled: Pooled | None = Field(default=None, description="all items of all tasks, beside the verdict")
    withheld: str | None = Field(default=None, description="why there is no macro-average or no verdict")
    reasons: tuple[str, ...] = Field(default=(), description="why there is no other verdict; empty where there is")
    above_noise: bool | None = Field(
        default=None, description="the same as of a contrast, of the items of all tasks together"
    )
    sequential: Sequential | None = Field(
        default=None, description="the same as of a contrast, of the items of all tasks together"
    )


class Pair(Record):
    """One model against another that is not the baseline (`--pairs all`)."""

    model: str
    against: str
    tasks: dict[str, Contrast]
    summary: Summary


class TrajectoryPoints(Record):
    """The macro-averages of a training's baseline, saved steps and final model, over the items that all of them scored.

    A model without a macro-average of its own is no point.
    """

    n_items: int
    selection_bias: float | None = Field(
        default=None,
        description="by how many standard errors the best of the saved steps looks better than it is, were all alike",
    )
    averages: dict[str, Summary] = Field(default_factory=dict, description="by model; with nothing but the average")
    withheld: str | None = Field(default=None, description="why there is no average")


class FlipRate(Record):
    """Of the items that both passes scored, how many changed their score; the interval is exact."""

    n_items: int
    flips: int
    rate: Probability
    ci: Interval


class NoiseFloor(Record):
    """What flips when the baseline is asked again in batches of another size, and nothing else changes.

    The second pass is no model of the comparison.
    """

    batch_size: str = Field(description="that of the second pass, beside that of the first")
    tasks: dict[str, FlipRate] = Field(default_factory=dict)
    suite: FlipRate | None = Field(default=None, description="all items together; absent unless every task has one")
    missing: dict[str, str] = Field(default_factory=dict, description="why a task has no noise floor")


class Missing(Record):
    """A cell that has no result, and why."""

    model: str
    task: str
    cause: str


class Comparison(Record):
    """All of it: the content of `comparison.json`."""

    schema_version: Literal[1] = SCHEMA_VERSION
    baseline: str
    suite: str
    level: float = 0.05
    seed: int = 0
    limit: int | None = Field(default=None, description="most items of each leaf task, prompts of each set, dialogues")
    budget: int | None = Field(default=None, description="items of all tasks together, where they were spread")
    drawn: int | None = Field(
        default=None,
        description="seed by which the items of a limit or budget were drawn; absent: the first",
    )
    adjust: Literal["model", "models"] = Field(
        default="model", description="whether the tests of one model are adjusted together, or those of all models"
    )
    allowed: tuple[str, ...] = Field(default=(), description="differences in asking that withheld no verdict (--allow)")
    models: dict[str, ModelEntry]
    tasks: dict[str, Task]
    summary: dict[str, Summary]
    pairs: tuple[Pair, ...] = ()
    trajectories: dict[str, TrajectoryPoints] = Field(
        default_factory=dict, description="by the model of whose training there are saved steps"
    )
    missing: tuple[Missing, ...] = ()
    thinking: dict[str, dict[str, ThinkingSpent]] | None = Field(
        default=None, description="by model and task, prompt set or set of dialogues, where a model reasoned"
    )
    noise_floor: NoiseFloor | None = None
    contamination: Contamination | None = Field(
        default=None, description="whether models had seen the items (`mplus-eval contamination --into`)"
    )
    toxicity: Toxicity | None = None
    conversation: Conversation | None = None

    @property
    def unjudged(self) -> tuple[tuple[str, Unjudged], ...]:
        """By axis, the judges that gave too few verdicts."""
        parts = {"harmlessness": self.toxicity, "conversation": self.conversation}
        return tuple((axis, judge) for axis, part in parts.items() if part is not None for judge in part.unjudged)

    def write(self, path: Path) -> None:
        """Write the comparison as sealed JSON, whole or not at all; the same comparison always gives the same bytes."""
        write_sealed_text(path, self.model_dump_json(indent=2))

    @classmethod
    def read(cls, path: Path) -> Comparison:
        """Read a stored comparison.

        Raises:
            UsageError: when the file holds none, one of another schema version, or another one than was written.
        """
        try:
            comparison = cls.model_validate(read_sealed(path))
        except DamagedFileError as error:
            raise UsageError(f"{path} is not a comparison of schema version {SCHEMA_VERSION} ({error.why})") from None
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise UsageError(
                f"{path} is not a comparison of schema version {SCHEMA_VERSION} ({place}: {fault['msg']})"
            ) from None
        comparison.refuse_names(path)
        return comparison

    def refuse_names(self, path: Path) -> None:
        """Refuse names that are none on the command line, and such as have nothing behind them.

        A comparison may be somebody else's, and names of models, tasks and sets become paths.

        Raises:
            UsageError: naming the first.
        """
        of_toxicity = self.toxicity.sets if self.toxicity is not None else ()
        of_conversation = [self.conversation.name] if self.conversation is not None else []
        for name in (*self.models, *self.tasks, *of_toxicity, *of_conversation):
            if not STORED_NAME.fullmatch(name):
                raise UsageError(f"{path}: the name {name[:100]!r}, of a model or task, cannot be a path")
        if strange := next((name for name in self._named if name not in self.models), None):
            raise UsageError(f"{path}: {strange[:100]!r} is named and is none of its models")

    @property
    def _named(self) -> Iterator[str]:
        """The baseline, and every model with a score, an average or a contrast."""
        yield self.baseline
        yield from self.summary
        for task in self.tasks.values():
            yield from task.scores
            yield from task.contrasts
        for pair in self.pairs:
            yield from (pair.model, pair.against)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of `comparison.json`, published as `docs/comparison.schema.json`."""
    schema: dict[str, Any] = Comparison.model_json_schema(mode="serialization")
    schema["properties"][SEAL] = {
        "type": "string",
        "description": "hash of all other keys, by which a file that is not what was written is told",
    }
    return {"$schema": SCHEMA_URL, "title": "mplus-eval comparison", **schema}
