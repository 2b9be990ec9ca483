"""The training record: what a checkpoint says of how it was made, as `training.json` beside its weights.

The trainer writes it last, so a checkpoint that has one is whole; a comparison reads it and reports it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mplus_eval.records.base import Record
from mplus_eval.store.hashes import changed_file
from mplus_eval.store.sealed import DamagedFileError, read_sealed, write_sealed_text

RECORD_FILE = "training.json"
RECORD_VERSION: Literal[1] = 1

_STATE = ("optimizer", "scheduler", "scaler", "rng_state", "trainer_state", "training_args", "pytorch_model_fsdp")
"""How the files begin that only training reads again."""

Method = Literal["reward model", "sft", "rlhf"]


class DataUsed(Record):
    """One source of training data, as it was used."""

    source: str
    subset: str | None = None
    split: str | None = None
    kind: Literal["pairs", "chosen answers", "demonstrations", "prompts", "texts"]
    n: int = Field(description="rows trained on")
    n_malformed: int = Field(default=0, description="rows that were left out because they are malformed")
    n_too_long: int = Field(default=0, description="rows that were left out because of their length")
    n_evaluation_prompts: int = Field(default=0, description="rows that were left out because they are evaluated")
    hash: str = Field(description="of the rows as they were used, in order")


class Dose(Record):
    """How far a model is from the base, in nats: KL(model || base), see `mplus_eval.training.dose`."""

    kl_answers: float = Field(description="of a whole answer of the model's own, mean over held-out prompts")
    kl_answers_per_token: float
    kl_text: float | None = Field(default=None, description="per token of held-out text")
    n_prompts: int
    n_texts: int = 0


class Behaviour(Record):
    """What the model's answers to held-out prompts are like; one sampled answer a prompt, temperature 1."""

    end_of_turn_rate: float
    mean_tokens: float
    distinct_answers: float = Field(description="share of answers that are not the same as another one before")
    distinct_2: float = Field(description="share of distinct 2-grams among all 2-grams")
    rewards: dict[str, float] = Field(default_factory=dict, description="mean of each reward part; `referee` if any")
    measures: dict[str, float] = Field(default_factory=dict, description="the recipe's own measures, mean")


class Resources(Record):
    """What one part of a stage took, in one go: GiB held at most, None where that is not told, and seconds."""

    seconds: float
    peak_gib: float | None = None


class Training(Record):
    """What a report says of how a model was made."""

    method: Method
    algorithm: str = Field(description="Bradley-Terry, SFT, RLOO or GRPO")
    base: str
    base_fingerprint: str = Field(description="hash of the base's weights")
    data: tuple[DataUsed, ...]
    step: int
    total_steps: int
    seed: int
    dose: Dose | None = None
    behaviour: Behaviour | None = None
    base_behaviour: Behaviour | None = Field(default=None, description="the base's answers to the same prompts")
    quality: dict[str, float] = Field(default_factory=dict, description="of a reward model, on held-out pairs")
    warnings: tuple[str, ...] = ()
    seconds: float


class TrainingRecord(Training):
    """How one checkpoint was made. `stage_hash` is over all that its weights depend on."""

    record_version: Literal[1] = RECORD_VERSION
    name: str
    role: str = ""
    tokenizer_fingerprint: str = Field(description="hash of the saved tokenizer")
    stage_hash: str
    recipe: dict[str, Any]
    reward_models: tuple[str, ...] | None = Field(
        default=None,
        description="hashes of the weights of every reward model that trained it or its base; None where that was not "
        "recorded",
    )
    trained_in: Resources | None = Field(default=None, description="None where a stopped training went on")
    measured_in: Resources | None = None
    created: str
    mplus_eval: str
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] | None = Field(
        default=None, description="hashes of what training left beside this record; None where that was not recorded"
    )

    def shown_beside(self, baseline: str) -> Training:
        """The part that a report shows; without a distance to other weights than the baseline's.

        Args:
            baseline: hash of the baseline's weights.
        """
        shown = Training.model_validate({key: getattr(self, key) for key in Training.model_fields})
        if self.base_fingerprint == baseline:
            return shown
        warning = (
            "The base of its training has other weights than the baseline, so its distance to the base is left out."
        )
        return shown.model_copy(update={"dose": None, "base_behaviour": None, "warnings": (*self.warnings, warning)})

    def write(self, directory: Path) -> None:
        """Write the record into a checkpoint's directory, whole or not at all."""
        write_sealed_text(directory / RECORD_FILE, self.model_dump_json(indent=2))

    def damage(self, directory: Path, *, with_state: bool = False) -> str | None:
        """What of a checkpoint's directory is not as training left it, or None; so too where that was not recorded.

        Args:
            directory: of the checkpoint.
            with_state: whether what training would go on from is looked at too, which is several times the weights.
        """
        return changed_file(
            directory,
            {name: was for name, was in (self.files or {}).items() if with_state or not name.startswith(_STATE)},
        )


def damage_of(directory: Path) -> str | None:
    """What of a checkpoint's directory is not as its training left it; None where nothing is, or nothing says it."""
    path = directory / RECORD_FILE
    try:
        if path.is_file():
            return TrainingRecord.model_validate(read_sealed(path)).damage(directory)
    except ValidationError:
        return None
    except DamagedFileError as error:
        return f"{RECORD_FILE} is damaged: {error.why}"
    return None


def read_record(directory: Path) -> TrainingRecord | None:
    """The record of a checkpoint; None where there is none, it is damaged, or not one of this version."""
    path = directory / RECORD_FILE
    if not path.is_file():
        return None
    try:
        return TrainingRecord.model_validate(read_sealed(path))
    except (ValidationError, DamagedFileError):
        return None
