"""What is measured of a saved checkpoint: its dose, and what its answers are like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mplus_eval.records.training import Behaviour, Dose, TrainingRecord, read_record
from mplus_eval.rewards.model import Messages
from mplus_eval.training.card import write_record
from mplus_eval.training.chat import last_user_message
from mplus_eval.training.diversity import distinct_n, share_distinct
from mplus_eval.training.dose import kl_of_own_answers, kl_of_texts
from mplus_eval.training.peak_memory import give_back
from mplus_eval.training.rewards import Reward
from mplus_eval.training.sampling import SampledAnswer, sample_answers
from mplus_eval.training.workload import MEASURED_AT_ONCE

if TYPE_CHECKING:
    from mplus_eval.training.hooks import Progress
    from mplus_eval.training.stage import Stage

AnswerMeasure = Callable[[str, str, bool], float]
"""The user's last message, the answer, and whether it ended, to a number."""

MAX_TEXT_TOKENS = 1024
"""Of a text; the rest is cut off."""


@dataclass(frozen=True)
class Measurement:
    """What checkpoints are measured with: the same for all that are compared.

    Attributes:
        tokenizer: the checkpoints', with a chat template and a padding token.
        prompts: held-out conversations that end with the user's turn; at least one.
        texts: held-out texts; without any, the KL on text is left out.
        max_new_tokens: limit of an answer.
        seed: of the sampling.
        rewards: by name; one that judges no answer is left out.
        measures: by name.
        stop_strings: that end an answer beside the end tokens, for all that are compared.
    """

    tokenizer: PreTrainedTokenizerBase
    prompts: Sequence[Messages]
    texts: Sequence[str]
    max_new_tokens: int
    seed: int
    rewards: Mapping[str, Reward]
    measures: Mapping[str, AnswerMeasure]
    stop_strings: tuple[str, ...] = ()

    @property
    def n_measured(self) -> int:
        """Prompts answered, answers measured and texts read, of a checkpoint."""
        return 2 * len(self.prompts) + len(self.texts)


def measure_checkpoint(
    model: PreTrainedModel,
    base: PreTrainedModel,
    measurement: Measurement,
    done: Callable[[int], None] = lambda _: None,
) -> tuple[Dose, Behaviour]:
    """Sample an answer to each prompt at temperature 1, and measure them and the model.

    Args:
        model: the checkpoint.
        base: what it was trained from, of the same vocabulary.
        measurement: what with.
        done: told how many prompts were answered, answers measured or texts read, `n_measured` in all.
    """
    tokenizer, texts = measurement.tokenizer, measurement.texts
    answers = sample_answers(
        model,
        tokenizer,
        measurement.prompts,
        max_new_tokens=measurement.max_new_tokens,
        seed=measurement.seed,
        batch_size=MEASURED_AT_ONCE,
        stop_strings=measurement.stop_strings,
        done=done,
    )
    kl = kl_of_own_answers(model, base, answers, tokenizer.pad_token_id, MEASURED_AT_ONCE, done)
    dose = Dose(
        kl_answers=kl.per_answer,
        kl_answers_per_token=kl.per_token,
        kl_text=kl_of_texts(model, base, texts, tokenizer, MAX_TEXT_TOKENS, MEASURED_AT_ONCE, done) if texts else None,
        n_prompts=len(measurement.prompts),
        n_texts=len(texts),
    )
    return dose, behaviour(measurement.prompts, answers, measurement.rewards, measurement.measures)


def behaviour(
    prompts: Sequence[Messages],
    answers: Sequence[SampledAnswer],
    rewards: Mapping[str, Reward],
    measures: Mapping[str, AnswerMeasure],
) -> Behaviour:
    """What answers are like; lengths and 2-grams are in tokens, the end-of-turn token included."""
    texts, ended = [answer.text for answer in answers], [answer.ended for answer in answers]
    judged = {
        name: [value for value in reward(prompts, texts, ended) if value is not None]
        for name, reward in rewards.items()
    }
    asked = [last_user_message(messages) for messages in prompts]
    return Behaviour(
        end_of_turn_rate=fmean(ended),
        mean_tokens=fmean(len(answer.token_ids) for answer in answers),
        distinct_answers=share_distinct(texts),
        distinct_2=distinct_n([answer.token_ids for answer in answers], 2),
        rewards={name: fmean(values) for name, values in judged.items() if values},
        measures={
            name: fmean(measure(*answered) for answered in zip(asked, texts, ended, strict=True))
            for name, measure in measures.items()
        },
    )


def measure_stage(
    stage: Stage,
    final: TrainingRecord,
    base: PreTrainedModel,
    load: Callable[[Path], PreTrainedModel],
    measurement: Measurement,
    base_behaviours: dict[tuple[str, ...], Behaviour],
    progress: Progress,
) -> TrainingRecord:
    """Measure the saved steps of a stage, writing their records again, and its final checkpoint.

    Args:
        stage: which is trained.
        final: the record of its final checkpoint.
        base: what it was trained from.
        load: gives the model in a checkpoint's directory.
        measurement: what with.
        base_behaviours: what the base's answers are like, by the rewards that judged it; it is added to.
        progress: called with what is done; of all checkpoints the prompts, answers and texts measured, and all of them.

    Returns:
        The record of the final checkpoint, measured and not written.
    """
    judges = tuple(measurement.rewards)
    saved = [(path, record) for path in stage.checkpoints() if (record := read_record(path)) is not None]
    unmeasured = [(path, record) for path, record in saved if record.dose is None]
    # The last saved step is mostly the final checkpoint: the same weights.
    is_last_saved = any(record.step == final.step for _, record in saved)
    n_all = measurement.n_measured * (len(unmeasured) + (judges not in base_behaviours) + (not is_last_saved))
    n_done = 0

    def done(n: int) -> None:
        nonlocal n_done
        n_done += n
        if base.device.type == "cpu":
            give_back()
        progress(f"measuring {stage.name}", n_done, n_all)

    def measured(path: Path, record: TrainingRecord) -> TrainingRecord:
        dose, answers = measure_checkpoint(load(path), base, measurement, done)
        return record.model_copy(update={"dose": dose, "behaviour": answers, "base_behaviour": base_behaviours[judges]})

    done(0)
    if judges not in base_behaviours:
        base_behaviours[judges] = measure_checkpoint(base, base, measurement, done)[1]
    for path, record in unmeasured:
        write_record(measured(path, record), path)
    if not is_last_saved:
        return measured(stage.directory, final)
    last = next(record for path, _ in saved if (record := read_record(path)) and record.step == final.step)
    found = {"dose": last.dose, "behaviour": last.behaviour, "base_behaviour": base_behaviours[judges]}
    return final.model_copy(update=found)
