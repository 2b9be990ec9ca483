"""What a recipe's stages are made from: the base, its tokenizer, pairs, demonstrations and prompts, all checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.errors import SpecError
from mplus_eval.models.locations import demo_names, model_faults, resolve_source
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import hash_text, tokenizer_hash, weights_hash
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.data.reader import SourceReader
from mplus_eval.training.data.rows import Demonstration, OpenDialogue, PreferencePair, TrainingRow
from mplus_eval.training.data.slices import DataSlice
from mplus_eval.training.demo_recipe import demo_directories, is_trained
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.workload import RowLength

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TrainingData:
    """Everything that is trained on or measured with.

    Attributes:
        base: directory of the base.
        base_hash: of its weights.
        tokenizer: the base's, ready for training.
        tokenizer_hash: of the tokenizer and the chat template that it is given.
        pairs: of the reward model.
        referee_pairs: of the held-out reward model, none of them among `pairs`.
        held_out: pairs that no training sees.
        demonstrations: of each supervised stage, by its name.
        prompts: of RLHF.
        check_prompts: to measure checkpoints with.
        texts: to measure the KL on.
        replayed: texts beside every step.
    """

    base: Path
    base_hash: str
    tokenizer: PreTrainedTokenizerBase
    tokenizer_hash: str
    pairs: DataSlice[PreferencePair]
    referee_pairs: DataSlice[PreferencePair]
    held_out: tuple[PreferencePair, ...]
    demonstrations: dict[str, DataSlice[Demonstration]]
    prompts: DataSlice[OpenDialogue]
    check_prompts: tuple[OpenDialogue, ...]
    texts: tuple[str, ...]
    replayed: DataSlice[str]

    def of_stage(self, name: str) -> DataSlice[TrainingRow]:
        """What a stage is trained on; every stage of RLHF on the same prompts."""
        if name in ("reward", "referee"):
            return self.pairs if name == "reward" else self.referee_pairs
        return self.demonstrations.get(name, self.prompts)

    def row_lengths(self, rows: Sequence[TrainingRow]) -> list[RowLength]:
        """Tokens of rows, in their order."""
        prompts, wholes = [], []
        for row in rows:
            asked = [message.as_dict() for message in (row.messages if isinstance(row, OpenDialogue) else row.prompt)]
            prompts.append(str(self.tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)))
            if not isinstance(row, OpenDialogue):
                longest = row.answer if isinstance(row, Demonstration) else max(row.chosen, row.rejected, key=len)
                whole = [*asked, {"role": "assistant", "content": longest}]
                wholes.append(str(self.tokenizer.apply_chat_template(whole, tokenize=False)))
        n_prompts, n_wholes = (self._n_tokens(texts) for texts in (prompts, wholes or prompts))
        return [RowLength(*each) for each in zip(n_prompts, n_wholes, strict=True)]

    def _n_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]] if texts else []


def gather(recipe: Recipe, data_dir: Path | None = None) -> TrainingData:
    """Find the base and read all data.

    Raises:
        SpecError: with every fault found.
    """
    base = _base(recipe)
    tokenizer = load_tokenizer(base, recipe.chat_template)
    reader = SourceReader(recipe, data_dir, tokenizer)
    pairs, referee_pairs, held_out = reader.pairs()
    # The chosen answers of the very pairs that the reward model sees.
    chosen = DataSlice(
        tuple(Demonstration(pair.prompt, pair.chosen) for pair in pairs.rows),
        tuple(entry.model_copy(update={"kind": "chosen answers"}) for entry in pairs.described),
    )
    demonstrations = {
        name: chosen if stage.data == "chosen" else reader.demonstrations(stage.data)
        for name, stage in recipe.sft.items()
    }
    prompts = reader.prompts(pairs)
    check_prompts, texts, replayed = reader.check_prompts(held_out), reader.texts(), reader.replayed()
    # Of data that could not be read there are none, which is not another fault.
    if faults := reader.faults or _too_few(recipe, pairs, demonstrations, prompts, check_prompts):
        raise SpecError(faults)
    template = hash_text(str(tokenizer.chat_template))[:12]
    return TrainingData(
        base=base,
        base_hash=weights_hash(base),
        tokenizer=tokenizer,
        tokenizer_hash=f"{tokenizer_hash(base)} {template}",
        pairs=pairs,
        referee_pairs=referee_pairs,
        held_out=held_out,
        demonstrations=demonstrations,
        prompts=prompts,
        check_prompts=check_prompts,
        texts=texts,
        replayed=replayed,
    )


def _base(recipe: Recipe) -> Path:
    model = ModelSpec(
        name="base", source=recipe.base, role="base", revision=recipe.revision, allow_bin=recipe.allow_bin
    )
    if faults := model_faults(model, "hf"):
        raise SpecError([fault.replace("model 'base'", "base") for fault in faults])
    demo = demo_directories(demo_names([model]))
    if not all(map(is_trained, demo.values())):
        raise SpecError([f"base {recipe.base!r}: not trained yet; `mplus-eval compare` trains the demo's models"])
    location = resolve_source(model, "hf", demo)
    if location.path is None or location.adapter or location.file:
        raise SpecError([f"base {recipe.base!r}: a whole checkpoint is expected, not an adapter or a GGUF file"])
    return location.path


def _too_few(
    recipe: Recipe,
    pairs: DataSlice[PreferencePair],
    demonstrations: dict[str, DataSlice[Demonstration]],
    prompts: DataSlice[OpenDialogue],
    check_prompts: Sequence[OpenDialogue],
) -> list[str]:
    """What does not make up one batch."""
    faults = []
    if recipe.rlhf and not check_prompts:
        faults.append("check: no prompts to measure with; give check.prompts, or pairs with held_out above 0")
    if recipe.reward and len(pairs.rows) < (size := recipe.reward.batch_size * recipe.n_processes):
        faults.append(f"reward: {len(pairs.rows)} pairs are fewer than a batch of {size}")
    for name, slice_ in demonstrations.items():
        if len(slice_.rows) < (size := recipe.sft[name].batch_size * recipe.n_processes):
            faults.append(f"sft.{name}: {len(slice_.rows)} demonstrations are fewer than a batch of {size}")
    n_too_long = sum(entry.n_too_long for entry in prompts.described)
    too_long = (
        f"{n_too_long} left out for their length; a prompt may have {recipe.longest_prompt} tokens, max_length "
        f"{recipe.max_length} less max_new_tokens {recipe.max_length - recipe.longest_prompt}"
    )
    if recipe.rlhf and n_too_long and not prompts.rows:
        return [*faults, f"rlhf: no prompt is left: {too_long}"]
    for name, stage in recipe.rlhf.items():
        at_once = stage.batches_at_once * stage.batch_size * recipe.n_processes // stage.answers
        if len(prompts.rows) < at_once:
            why = f" ({too_long})" if n_too_long else ""
            faults.append(f"rlhf.{name}: {len(prompts.rows)} prompts are fewer than a batch of {at_once}{why}")
    return faults
