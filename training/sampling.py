"""Answers of a model to prompts, sampled from its own distribution, the same at every call.

    messages   [{"role": "user", "content": "Say something."}]
    prompt     User: Say something.\\nAssistant:
    answer     Thank you for asking.</s>          text without </s>, token ids with it, ended

What a checkpoint's `generation_config` says of sampling is not heeded, only its end tokens: penalties and truncation
would make it another distribution than the one whose KL to the base is measured.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

from mplus_eval.rewards.model import Messages


@dataclass(frozen=True)
class SampledAnswer:
    """One sampled answer."""

    text: str
    """Without special tokens, cut before a stop string."""
    token_ids: tuple[int, ...]
    """As sampled, up to and with the end-of-turn token or the stop string's last token."""
    prompt_ids: tuple[int, ...]
    ended: bool
    """Whether the model ended its turn; if not, the limit cut it."""


def sample_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Messages],
    *,
    max_new_tokens: int,
    seed: int,
    temperature: float = 1.0,
    batch_size: int = 64,
    stop_strings: Sequence[str] = (),
    done: Callable[[int], None] = lambda _: None,
) -> list[SampledAnswer]:
    """Sample one answer to each prompt.

    The global random state, the model's mode and its generation settings are afterwards what they were before. The
    same seed gives the same answers with the same batch size.

    Args:
        model: on the device where it is to run.
        tokenizer: with a chat template and a padding token.
        prompts: conversations that end with the user's turn.
        max_new_tokens: limit of an answer, the end-of-turn token included.
        seed: of the sampling.
        temperature: 1 is the model's own distribution.
        batch_size: prompts answered at once.
        stop_strings: texts that end a turn beside the end tokens.
        done: told how many more prompts were answered.

    Returns:
        The answers, in the order of the prompts.
    """
    # A model in adapters hands its settings on to the one inside, and would leave ours there.
    inner: Any = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    ends = end_tokens(inner, tokenizer)
    settings = GenerationConfig(
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=sorted(ends),
        pad_token_id=tokenizer.pad_token_id,
    )
    answers: list[SampledAnswer] = []
    with evaluating(inner), _of_its_own(inner, settings, seed), _head_unfrozen(inner), torch.no_grad():
        for start in range(0, len(prompts), batch_size):
            ids, mask = (each.to(inner.device) for each in _encoded(tokenizer, prompts[start : start + batch_size]))
            stop = [_Stop(tokenizer, stop_strings, ids.shape[1])] if stop_strings else []
            whole = inner.generate(input_ids=ids, attention_mask=mask, stopping_criteria=StoppingCriteriaList(stop))
            generated = whole[:, ids.shape[1] :].tolist()
            for prompt, is_prompt, tokens in zip(ids, mask.bool(), generated, strict=True):
                answers.append(_answer(tokenizer, prompt[is_prompt].tolist(), tokens, ends, stop_strings))
            done(len(generated))
    return answers


def _encoded(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Messages]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and which of them are prompt, both (prompts, longest prompt), padded on the left."""
    encoded: Any = tokenizer.apply_chat_template(
        [list(messages) for messages in prompts],
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
        tokenizer_kwargs={"padding_side": "left"},
    )
    return encoded["input_ids"], encoded["attention_mask"]


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids that end a turn: the tokenizer's end token and those of the model's generation settings."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    several = configured if isinstance(configured, list | tuple) else [configured]
    return frozenset(token for token in [tokenizer.eos_token_id, *several] if token is not None)


@contextmanager
def evaluating(*models: torch.nn.Module) -> Iterator[None]:
    """Models without dropout inside, each of their parts in its former mode afterwards."""
    training = [part for model in models for part in model.modules() if part.training]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def _of_its_own(model: PreTrainedModel, settings: GenerationConfig, seed: int) -> Iterator[None]:
    """Give a model generation settings and a random state, and put back its own and the global one.

    Its own settings would fill every field left open in these. The random state is the processor's and that of the
    model's device; other devices are not touched.
    """
    devices = [model.device] if model.device.type == "cuda" else []
    before = model.generation_config
    model.generation_config = settings
    try:
        with torch.random.fork_rng(devices=devices, device_type="cuda"):
            torch.default_generator.manual_seed(seed)
            for device in devices:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            yield
    finally:
        model.generation_config = before


@contextmanager
def _head_unfrozen(model: PreTrainedModel) -> Iterator[None]:
    """Have the head's weights said to be trained, which under an adapter they are not.

    Frozen weights torch copies once for every row where the last of several states is multiplied with them on a
    processor: 5 GB for 16 prompts of a vocabulary of 262,144.
    """
    weight = getattr(model.get_output_embeddings(), "weight", None)
    if weight is None or weight.requires_grad or not weight.is_floating_point():
        yield
        return
    weight.requires_grad_(True)
    try:
        yield
    finally:
        weight.requires_grad_(False)


class _Stop(StoppingCriteria):
    """Ends an answer when a stop string stands in it.

    The library's own matches on the spelling of single tokens: it raises on tokenizers that do not spell all letters,
    and takes the prompt's end for the beginning of a stop string.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop_strings: Sequence[str], prompt_length: int) -> None:
        self.tokenizer, self.stop_strings, self.prompt_length = tokenizer, stop_strings, prompt_length
        # No token is shorter than a byte; one more, since some decoders drop the first token's leading space.
        self.reach = max(len(stop_string.encode()) for stop_string in stop_strings) + 1

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object) -> torch.Tensor:
        """Which rows have ended, shape (batch,)."""
        tails = input_ids[:, max(self.prompt_length, input_ids.shape[1] - self.reach) :].tolist()
        ended = [has_stop(self.tokenizer, tail, self.stop_strings) for tail in tails]
        return torch.tensor(ended, device=input_ids.device)


def has_stop(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], stop_strings: Sequence[str]) -> bool:
    """Whether a stop string stands in the text of some tokens."""
    text = tokenizer.decode(list(tokens))
    return any(stop_string in text for stop_string in stop_strings)


def _answer(
    tokenizer: PreTrainedTokenizerBase,
    prompt_ids: Sequence[int],
    tokens: Sequence[int],
    ends: frozenset[int],
    stop_strings: Sequence[str],
) -> SampledAnswer:
    """Cut what was generated where the turn ended: behind it stands padding, up to the batch's longest answer."""
    end = next((place for place, token in enumerate(tokens) if token in ends), None)
    answer = list(tokens if end is None else tokens[: end + 1])
    stop = stop_length(tokenizer, answer, stop_strings)
    answer = answer if stop is None else answer[:stop]
    text = str(tokenizer.decode(answer, skip_special_tokens=True))
    return SampledAnswer(
        text=before_stop(text, stop_strings),
        token_ids=tuple(answer),
        prompt_ids=tuple(prompt_ids),
        ended=end is not None or stop is not None,
    )


def stop_length(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], stop_strings: Sequence[str]) -> int | None:
    """How many tokens it takes until a stop string stands in the text; None where none does."""

    def stopped(length: int) -> bool:
        return has_stop(tokenizer, tokens[:length], stop_strings)

    if not stop_strings or not stopped(len(tokens)):
        return None
    return bisect_left(range(len(tokens)), True, key=stopped)


def before_stop(text: str, stop_strings: Sequence[str]) -> str:
    """An answer up to the first stop string.

    >>> before_stop("Yes. User: And", ["User:"])
    'Yes. '
    """
    return text[: min([len(text), *(text.find(stop) for stop in stop_strings if stop in text)])]
