"""One request to generate, as it is put to a model of transformers, and what is read from the tokens that come back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lm_eval.models.utils import handle_stop_sequences

from mplus_eval.backends.base import Response
from mplus_eval.backends.generation_settings import others_of, sampling_of, stopper
from mplus_eval.inference.generation import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from mplus_eval.backends.reasoning import Reasons, Watch


@dataclass(frozen=True)
class GenerationRequest:
    """What to go on from, and until when.

    Attributes:
        prompt: as the generators take it; its end tokens are those of texts, answers and turns.
        until: stop strings, also those that begin another turn.
        others: settings that transformers alone knows.
        turn_tokens: end tokens that begin another turn.
        turn_texts: stop strings that do; None where no turns are told apart.
        watch: what follows the reasoning of a model that has any.
    """

    prompt: Prompt
    until: tuple[str, ...]
    others: Mapping[str, Any]
    turn_tokens: frozenset[int]
    turn_texts: tuple[str, ...] | None
    watch: Watch | None = None

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Any],
        tokens: Sequence[int],
        seed: int,
        *,
        tokenizer: PreTrainedTokenizerBase,
        ends: Collection[int],
        reasons: Reasons | None = None,
    ) -> GenerationRequest:
        """Translate a request's settings.

        Args:
            settings: normalised by lm-eval, with `ends` and `turns` where it is talk.
            tokens: of the prompt.
            seed: of the random numbers.
            tokenizer: the model's.
            ends: tokens that end any text.
            reasons: how the model reasons after this prompt, where it does.
        """
        turns = settings.get("turns")
        of_turn = {text: token_id(tokenizer, text) for text in turns or ()}
        of_end = [token_id(tokenizer, text) for text in settings.get("ends") or ()]
        all_ends = {*ends, *(token for token in of_end if token is not None)}
        turn_tokens = {token for token in of_turn.values() if token is not None} - all_ends
        turn_texts = tuple(text for text, token in of_turn.items() if token is None)
        # An end token of several characters' plain text, as some tokenizers have, is met as text.
        eos = str(tokenizer.decode([tokenizer.eos_token_id])) if tokenizer.eos_token_id is not None else None
        until = tuple(dict.fromkeys([*handle_stop_sequences(settings["until"], eos=eos), *turn_texts]))
        limit, ending = settings["max_gen_toks"], frozenset(all_ends | turn_tokens)
        watch = reasons.watch(stops=until, limit=limit, ends=ending) if reasons else None
        prompt = Prompt(
            tokens=tuple(tokens),
            max_new_tokens=limit + (watch.room if watch else 0),
            sampling=sampling_of(settings),
            seed=seed,
            end_tokens=ending - watch.passing if watch else ending,
            stopped=watch or stopper(tokenizer, until),
        )
        told = None if turns is None else turn_texts
        return cls(prompt, until, others_of(settings), frozenset(turn_tokens), told, watch)

    def response(self, tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> Response:
        """What was generated, cut as `HFLM` cuts it; a stop string that is one token is not counted either."""
        if self.watch is not None:
            response, stop = self.watch.response(tokens)
            by_turn = bool(tokens) and tokens[-1] in self.turn_tokens
            return replace(response, ran_on=None if self.turn_texts is None else by_turn or stop in self.turn_texts)
        text = str(tokenizer.decode(list(tokens), skip_special_tokens=True))
        stops = {stop: text.index(stop) for stop in self.until if stop and stop in text}
        first = min(stops.values(), default=len(text))
        newest = tokens[-1] if tokens else None
        by_token = newest in self.prompt.end_tokens
        by_one = by_token or (
            newest is not None and tokenizer.decode([newest], skip_special_tokens=False) in self.until
        )
        ran_on = None
        if self.turn_texts is not None:
            ran_on = newest in self.turn_tokens or any(stops.get(turn) == first for turn in self.turn_texts)
        by_text = newest is not None and self.prompt.stopped is not None and self.prompt.stopped(tokens)
        return Response(text[:first], n_tokens=len(tokens) - by_one, ended=by_token or by_text, ran_on=ran_on)


def token_id(tokenizer: PreTrainedTokenizerBase, text: str) -> int | None:
    """The id of a token of that text; None where the vocabulary has none."""
    token = tokenizer.convert_tokens_to_ids(text)
    return token if isinstance(token, int) and tokenizer.convert_ids_to_tokens(token) == text else None
