"""Reads all sources of a recipe, leaves out what is too long or evaluated, and collects every fault on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mplus_eval.errors import SpecError
from mplus_eval.records.training import DataUsed
from mplus_eval.store.hashes import hash_text
from mplus_eval.training.data.evaluated import without_evaluated
from mplus_eval.training.data.load import load_demonstrations, load_pairs, load_prompts
from mplus_eval.training.data.rows import (
    Demonstration,
    Message,
    OpenDialogue,
    PreferencePair,
    Rows,
    TrainingRow,
    hash_rows,
)
from mplus_eval.training.data.slices import DataSlice, joined, slice_of
from mplus_eval.training.data.split import first_user_message, split_held_out
from mplus_eval.training.data.texts import encode_texts, read_texts
from mplus_eval.training.recipe import DataSource, PromptDataSource, Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


Source = TypeVar("Source", bound=DataSource)
T = TypeVar("T", bound=TrainingRow)


class SourceReader:
    """Reads the recipe's sources; what cannot be read stands in `faults`, and its rows are left out."""

    def __init__(self, recipe: Recipe, data_dir: Path | None, tokenizer: PreTrainedTokenizerBase) -> None:
        self._recipe, self._data_dir, self._tokenizer = recipe, data_dir, tokenizer
        self.faults: list[str] = []

    def pairs(self) -> tuple[DataSlice[PreferencePair], DataSlice[PreferencePair], tuple[PreferencePair, ...]]:
        """Pairs for the reward model, for the held-out reward model, and the ones that no training sees."""
        recipe = self._recipe
        first, second = [], []
        held_out: list[PreferencePair] = []
        for source in recipe.pairs:
            rows = self._read(load_pairs, source)
            if rows is None:
                continue
            fitting = [pair for pair in rows.rows if self._pair_fits(pair)]
            share = 0.0 if recipe.test_pairs else recipe.held_out
            trained_on, untouched = split_held_out(fitting, share, recipe.seed)
            mine, others = trained_on, trained_on[:0]
            if recipe.reward and recipe.reward.referee:
                # Two halves for two reward models, which no pair and no first message joins.
                mine, others = split_held_out(trained_on, 0.5, recipe.seed + 1)
            held_out += untouched
            first.append(slice_of(rows, mine, "pairs", n_too_long=len(rows.rows) - len(fitting)))
            second.append(slice_of(rows, others, "pairs"))
        if recipe.test_pairs:
            held_out = self._test_pairs([*(pair for each in (*first, *second) for pair in each.rows)])
        return joined(first), joined(second), tuple(held_out)

    def _test_pairs(self, trained_on: Sequence[PreferencePair]) -> list[PreferencePair]:
        """Those that fit and begin as no pair that is trained on."""
        rows = [
            pair for source in self._recipe.test_pairs if (read := self._read(load_pairs, source)) for pair in read.rows
        ]
        seen = {first_user_message(pair) for pair in trained_on}
        return [pair for pair in rows if self._pair_fits(pair) and first_user_message(pair) not in seen]

    def demonstrations(self, sources: Sequence[DataSource]) -> DataSlice[Demonstration]:
        """Demonstrations of one stage."""
        slices = []
        for source in sources:
            if (rows := self._read(load_demonstrations, source)) is not None:
                fitting = [row for row in rows.rows if self._fits(row.prompt, row.answer)]
                slices.append(slice_of(rows, fitting, "demonstrations", n_too_long=len(rows.rows) - len(fitting)))
        return joined(slices)

    def prompts(self, pairs: DataSlice[PreferencePair]) -> DataSlice[OpenDialogue]:
        """Prompts for RLHF, without those that are evaluated: the recipe's own, or else those of the pairs."""
        recipe = self._recipe
        if not recipe.rlhf:
            return DataSlice((), ())
        evaluated = self._prompts_of(recipe.exclude_prompts)
        slices = []
        if recipe.prompts:
            for source in recipe.prompts:
                if (rows := self._read(load_prompts, source)) is not None:
                    fitting, n_too_long = self._with_room_for_an_answer(rows.rows)
                    used, n_evaluated = without_evaluated(fitting, evaluated)
                    slices.append(slice_of(rows, used, "prompts", n_too_long=n_too_long, n_evaluated=n_evaluated))
            return joined(slices)
        remaining = iter(pairs.rows)
        for entry in pairs.described:
            of_pairs = [OpenDialogue(pair.prompt) for pair in islice(remaining, entry.n)]
            fitting, n_too_long = self._with_room_for_an_answer(of_pairs)
            used, n_evaluated = without_evaluated(fitting, evaluated)
            changed = {
                "kind": "prompts",
                "n": len(used),
                "n_too_long": entry.n_too_long + n_too_long,
                "n_evaluation_prompts": n_evaluated,
                "hash": hash_rows(used),
            }
            slices.append(DataSlice(used, (entry.model_copy(update=changed),)))
        return joined(slices)

    def check_prompts(self, held_out: Sequence[PreferencePair]) -> tuple[OpenDialogue, ...]:
        """Prompts to measure checkpoints with."""
        check = self._recipe.check
        prompts = self._prompts_of(check.prompts) if check.prompts else [OpenDialogue(pair.prompt) for pair in held_out]
        return tuple(prompts[: check.n_prompts])

    def texts(self) -> tuple[str, ...]:
        """Texts to measure the KL on."""
        check = self._recipe.check
        return self._texts(check.texts, check.n_texts, "check") if check.texts else ()

    def replayed(self) -> DataSlice[str]:
        """Texts that are replayed beside every step."""
        if (replay := self._recipe.replay) is None:
            return DataSlice((), ())
        n_faults = len(self.faults)
        texts = self._texts(replay.texts, replay.n, "replay")
        if len(self.faults) == n_faults and not encode_texts(self._tokenizer, texts, self._recipe.max_length):
            self.faults.append(f"replay.texts {replay.texts!r}: no text has two tokens")
        described = DataUsed(source=replay.texts, kind="texts", n=len(texts), hash=hash_text("\n\n".join(texts)))
        return DataSlice(texts, (described,))

    def _texts(self, source: str, n: int, place: str) -> tuple[str, ...]:
        try:
            return read_texts(source, n, self._recipe.seed)
        except SpecError as error:
            self.faults += [f"{place}.texts {source!r}: {fault}" for fault in error.faults]
            return ()

    def _read(self, load: Callable[[Source, int, Path | None], Rows[T]], source: Source) -> Rows[T] | None:
        try:
            return load(source, self._recipe.seed, self._data_dir)
        except SpecError as error:
            self.faults += error.faults
            return None

    def _prompts_of(self, sources: Iterable[PromptDataSource]) -> list[OpenDialogue]:
        """The prompts of all sources, of any length."""
        return [prompt for source in sources if (rows := self._read(load_prompts, source)) for prompt in rows.rows]

    def _pair_fits(self, pair: PreferencePair) -> bool:
        """Whether a pair with the longer of its answers is no longer than the recipe allows."""
        return self._fits(pair.prompt, max((pair.chosen, pair.rejected), key=len))

    def _fits(self, prompt: Sequence[Message], answer: str) -> bool:
        """Whether a row with its answer is no longer than the recipe allows."""
        messages = [message.as_dict() for message in (*prompt, Message("assistant", answer))]
        text = str(self._tokenizer.apply_chat_template(messages, tokenize=False))
        return self._is_at_most(text, self._recipe.max_length)

    def _with_room_for_an_answer(self, prompts: Sequence[OpenDialogue]) -> tuple[list[OpenDialogue], int]:
        """The prompts that leave room for an answer, and how many do not."""
        fitting = []
        for prompt in prompts:
            messages = [message.as_dict() for message in prompt.messages]
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            if self._is_at_most(str(text), self._recipe.longest_prompt):
                fitting.append(prompt)
        return fitting, len(prompts) - len(fitting)

    def _is_at_most(self, text: str, n_tokens: int) -> bool:
        # A token is a character at least, so most rows need no tokenizer.
        return len(text) <= n_tokens or len(self._tokenizer(text, add_special_tokens=False)["input_ids"]) <= n_tokens
