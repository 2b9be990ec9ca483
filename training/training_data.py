"""What a recipe's stages are made from: the base, its tokenizer, pairs, demonstrations and prompts, all checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mplus_eval.errors import SpecError
from mplus_eval.models.locations import demo_names, model_faults, resolve_source
from mplus_eval.records.training import DataUsed
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import hash_text, tokenizer_hash, weights_hash
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.data import (
    Demonstration,
    Message,
    Pair,
    Prompt,
    Rows,
    halves,
    load_demonstrations,
    load_pairs,
    load_prompts,
    split_held_out,
    without_evaluated,
)
from mplus_eval.training.data.rows import hash_rows
from mplus_eval.training.recipe import Recipe
from mplus_eval.training.replay import encode_texts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")


@dataclass(frozen=True)
class Used(Generic[T]):
    """Rows as a stage uses them, with what the record says of them."""

    rows: tuple[T, ...]
    described: tuple[DataUsed, ...]

    @property
    def hash(self) -> str:
        """One hash over all of them."""
        return hash_text(json.dumps([entry.hash for entry in self.described]))


@dataclass(frozen=True)
class Material:
    """Everything that is trained on or measured with."""

    base: Path
    base_hash: str
    tokenizer: PreTrainedTokenizerBase
    tokenizer_hash: str
    pairs: Used[Pair]
    referee_pairs: Used[Pair]
    held_out: tuple[Pair, ...]
    demonstrations: dict[str, Used[Demonstration]]
    prompts: Used[Prompt]
    check_prompts: tuple[Prompt, ...]
    texts: tuple[str, ...]
    replayed: Used[str]


def gather(recipe: Recipe, data_dir: Path | None = None) -> Material:
    """Find the base and read all data.

    Raises:
        SpecError: with every fault found.
    """
    base = _base(recipe)
    tokenizer = load_tokenizer(base, recipe.chat_template)
    reader = _Reader(recipe, data_dir, tokenizer)
    pairs, referee, held_out = reader.pairs()
    demonstrations = {
        name: _chosen(pairs) if stage.data == "chosen" else reader.demonstrations(stage.data)
        for name, stage in recipe.sft.items()
    }
    prompts = reader.prompts(pairs)
    check_prompts, texts, replayed = reader.check_prompts(held_out), reader.texts(), reader.replayed()
    # Of data that could not be read there are none, which is not another fault.
    if faults := reader.faults or _too_few(recipe, pairs, demonstrations, prompts, check_prompts):
        raise SpecError(faults)
    template = hash_text(str(tokenizer.chat_template))[:12]
    return Material(
        base=base,
        base_hash=weights_hash(base),
        tokenizer=tokenizer,
        tokenizer_hash=f"{tokenizer_hash(base)} {template}",
        pairs=pairs,
        referee_pairs=referee,
        held_out=held_out,
        demonstrations=demonstrations,
        prompts=prompts,
        check_prompts=check_prompts,
        texts=texts,
        replayed=replayed,
    )


def _base(recipe: Recipe) -> Path:
    model = ModelSpec(name="base", source=recipe.base, role="base", revision=recipe.revision, model=None)
    if faults := model_faults(model, "hf"):
        raise SpecError([fault.replace("model 'base'", "base") for fault in faults])
    from mplus_eval.training.demo_models import demo_model

    source = resolve_source(model, "hf", {name: demo_model(name) for name in demo_names([model])})
    if source.path is None or source.adapter:
        raise SpecError([f"base {recipe.base!r}: a whole checkpoint is expected, not an adapter"])
    return source.path


class _Reader:
    """Reads the recipe's sources, collecting faults."""

    def __init__(self, recipe: Recipe, data_dir: Path | None, tokenizer: Any) -> None:
        self._recipe, self._data_dir, self._tokenizer = recipe, data_dir, tokenizer
        self.faults: list[str] = []

    def pairs(self) -> tuple[Used[Pair], Used[Pair], tuple[Pair, ...]]:
        """Pairs for the reward model, for its referee, and the ones that no training sees."""
        recipe = self._recipe
        first, second = [], []
        held_out: list[Pair] = []
        for source in recipe.pairs:
            rows = self._read(load_pairs, source)
            if rows is None:
                continue
            fitting, n_too_long = self._fitting(rows.rows, lambda pair: max((pair.chosen, pair.rejected), key=len))
            train, kept = split_held_out(fitting, recipe.held_out, recipe.seed)
            mine, other = halves(train, recipe.seed) if recipe.reward and recipe.reward.referee else (train, ())
            held_out += kept
            first.append(_used(rows, mine, "pairs", n_too_long=n_too_long))
            second.append(_used(rows, other, "pairs"))
        return _joined(first), _joined(second), tuple(held_out)

    def demonstrations(self, sources: Sequence[Any]) -> Used[Demonstration]:
        """Demonstrations of one stage."""
        found = []
        for source in sources:
            if (rows := self._read(load_demonstrations, source)) is not None:
                fitting, n_too_long = self._fitting(rows.rows, lambda one: one.answer)
                found.append(_used(rows, fitting, "demonstrations", n_too_long=n_too_long))
        return _joined(found)

    def prompts(self, pairs: Used[Pair]) -> Used[Prompt]:
        """Prompts for RLHF, without those that are evaluated."""
        recipe = self._recipe
        if not recipe.rlhf:
            return Used((), ())
        evaluated = [prompt for source in recipe.exclude_prompts for prompt in (self._rows(load_prompts, source) or ())]
        if not recipe.prompts:
            return self._prompts_of(pairs, evaluated)
        found = []
        for source in recipe.prompts:
            if (rows := self._read(load_prompts, source)) is not None:
                fitting, n_too_long = self._fitting_prompts(rows.rows)
                kept, n_removed = without_evaluated(fitting, evaluated)
                found.append(_used(rows, kept, "prompts", n_too_long=n_too_long, n_evaluated=n_removed))
        return _joined(found)

    def _prompts_of(self, pairs: Used[Pair], evaluated: Sequence[Prompt]) -> Used[Prompt]:
        """The prompts of pairs, source by source."""
        found, rows = [], iter(pairs.rows)
        for entry in pairs.described:
            fitting, n_too_long = self._fitting_prompts([Prompt(pair.prompt) for pair in islice(rows, entry.n)])
            kept, n_removed = without_evaluated(fitting, evaluated)
            changed = {
                "kind": "prompts",
                "n": len(kept),
                "n_too_long": entry.n_too_long + n_too_long,
                "n_evaluation_prompts": n_removed,
                "hash": hash_rows(kept),
            }
            found.append(Used(tuple(kept), (entry.model_copy(update=changed),)))
        return _joined(found)

    def check_prompts(self, held_out: Sequence[Pair]) -> tuple[Prompt, ...]:
        """Prompts to measure checkpoints with."""
        check = self._recipe.check
        own = [prompt for source in check.prompts for prompt in (self._rows(load_prompts, source) or ())]
        prompts = own if check.prompts else [Prompt(pair.prompt) for pair in held_out]
        return tuple(prompts[: check.n_prompts])

    def texts(self) -> tuple[str, ...]:
        """Texts to measure the KL on."""
        check = self._recipe.check
        return self._texts(check.texts, check.n_texts, "check") if check.texts else ()

    def replayed(self) -> Used[str]:
        """Texts that are replayed beside every step."""
        if (replay := self._recipe.replay) is None:
            return Used((), ())
        n_faults = len(self.faults)
        texts = self._texts(replay.texts, replay.n, "replay")
        if len(self.faults) == n_faults and not encode_texts(self._tokenizer, texts, self._recipe.max_length):
            self.faults.append(f"replay.texts {replay.texts!r}: no text has two tokens")
        described = DataUsed(source=replay.texts, kind="texts", n=len(texts), hash=hash_text("\n\n".join(texts)))
        return Used(texts, (described,))

    def _texts(self, source: str, n: int, place: str) -> tuple[str, ...]:
        if source.startswith("demo:"):
            return self._demo_texts(source, n, place)
        try:
            texts = [text.strip() for text in Path(source).expanduser().read_text(encoding="utf-8").split("\n\n")]
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(f"{place}.texts {source!r}: cannot be read ({error})")
            return ()
        return tuple(text for text in texts if text)[:n]

    def _demo_texts(self, source: str, n: int, place: str) -> tuple[str, ...]:
        from mplus_eval.demo.text import held_out_texts, texts_without_talk

        known = {"demo:texts": held_out_texts, "demo:texts-without-talk": texts_without_talk}
        if source not in known:
            self.faults.append(f"{place}.texts {source!r}: no such demo texts; there are {', '.join(known)}")
            return ()
        return tuple(known[source](n, self._recipe.seed))

    def _read(self, load: Callable[..., Rows[T]], source: Any) -> Rows[T] | None:
        try:
            return load(source, self._recipe.seed, self._data_dir)
        except SpecError as error:
            self.faults += error.faults
            return None

    def _rows(self, load: Callable[..., Rows[T]], source: Any) -> tuple[T, ...] | None:
        rows = self._read(load, source)
        return rows.rows if rows else None

    def _fitting(self, rows: Sequence[Any], answer: Callable[[Any], str]) -> tuple[list[Any], int]:
        """Leave out rows that are longer with their answer than the recipe allows, counted."""

        def text(row: Any) -> str:
            messages = [*row.prompt, Message("assistant", answer(row))]
            return str(self._tokenizer.apply_chat_template([m.as_dict() for m in messages], tokenize=False))

        kept = [row for row in rows if self._fits(text(row), self._recipe.max_length)]
        return kept, len(rows) - len(kept)

    def _fitting_prompts(self, prompts: Sequence[Prompt]) -> tuple[list[Prompt], int]:
        """Leave out prompts that leave no room for an answer, counted."""

        def text(prompt: Prompt) -> str:
            messages = [message.as_dict() for message in prompt.messages]
            return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

        kept = [prompt for prompt in prompts if self._fits(text(prompt), self._recipe.longest_prompt)]
        return kept, len(prompts) - len(kept)

    def _fits(self, text: str, longest: int) -> bool:
        # A token is a character at least, so most rows need no tokenizer.
        return len(text) <= longest or len(self._tokenizer(text, add_special_tokens=False)["input_ids"]) <= longest


def _used(rows: Rows[Any], kept: Sequence[Any], kind: Any, *, n_too_long: int = 0, n_evaluated: int = 0) -> Used[Any]:
    source = rows.source
    described = DataUsed(
        source=source.source,
        subset=source.subset,
        split=source.split,
        kind=kind,
        n=len(kept),
        n_malformed=rows.n_malformed,
        n_too_long=n_too_long,
        n_evaluation_prompts=n_evaluated,
        hash=hash_rows(kept),
    )
    return Used(tuple(kept), (described,))


def _joined(parts: Sequence[Used[Any]]) -> Used[Any]:
    return Used(
        tuple(row for part in parts for row in part.rows), tuple(entry for part in parts for entry in part.described)
    )


def _chosen(pairs: Used[Pair]) -> Used[Demonstration]:
    """The chosen answers of the very pairs that the reward model sees."""
    described = tuple(entry.model_copy(update={"kind": "chosen answers"}) for entry in pairs.described)
    return Used(tuple(Demonstration(pair.prompt, pair.chosen) for pair in pairs.rows), described)


def _too_few(
    recipe: Recipe,
    pairs: Used[Pair],
    demonstrations: dict[str, Used[Demonstration]],
    prompts: Used[Prompt],
    check_prompts: Sequence[Prompt],
) -> list[str]:
    faults = []
    if recipe.rlhf and not check_prompts:
        faults.append("check: no prompts to measure with; give check.prompts, or pairs with held_out above 0")
    processes = recipe.launch.processes * recipe.launch.machines
    if recipe.reward and len(pairs.rows) < recipe.reward.batch_size * processes:
        faults.append(
            f"reward: {len(pairs.rows)} pairs are fewer than a batch of {recipe.reward.batch_size * processes}"
        )
    for name, rows in demonstrations.items():
        if len(rows.rows) < recipe.sft[name].batch_size * processes:
            size = recipe.sft[name].batch_size * processes
            faults.append(f"sft.{name}: {len(rows.rows)} demonstrations are fewer than a batch of {size}")
    n_too_long = sum(entry.n_too_long for entry in prompts.described)
    too_long = (
        f"{n_too_long} left out for their length; a prompt may have {recipe.longest_prompt} tokens, max_length "
        f"{recipe.max_length} less max_new_tokens {recipe.max_length - recipe.longest_prompt}"
    )
    if recipe.rlhf and n_too_long and not prompts.rows:
        return [*faults, f"rlhf: no prompt is left: {too_long}"]
    for name, stage in recipe.rlhf.items():
        at_once = (stage.steps_per_generation or stage.accumulate) * stage.batch_size * processes // stage.answers
        if len(prompts.rows) < at_once:
            why = f" ({too_long})" if n_too_long else ""
            faults.append(f"rlhf.{name}: {len(prompts.rows)} prompts are fewer than a batch of {at_once}{why}")
    return faults
