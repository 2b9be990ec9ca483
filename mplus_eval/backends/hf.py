"""The backend `hf`: transformers models on this machine, asked through lm-eval's `HFLM` with shared prefixes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mplus_eval.backends.asking import asking_of
from mplus_eval.backends.base import LoadedModel, OpenedModel, Response
from mplus_eval.backends.lm_eval_model import LmEvalModel, set_chat_template
from mplus_eval.backends.placement import OUT_OF_MEMORY, Placement
from mplus_eval.backends.reasoning import reasoning_of
from mplus_eval.models.chat_format import chat_format
from mplus_eval.models.gguf import read_gguf
from mplus_eval.models.locations import ModelLocation
from mplus_eval.spec.model import ModelSpec

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from transformers import PretrainedConfig, PreTrainedModel

    from mplus_eval.backends.fast_hflm import FastHFLM

DEFAULT_BATCH_SIZE = {"cpu": 16, "cuda": 64}
_BATCHES_PER_CALL = 16


class HfModel(LmEvalModel):
    """A transformers model; out of memory halves what is computed at once and goes on."""

    lm: FastHFLM
    placement = Placement()

    @property
    def opened(self) -> OpenedModel:
        """The transformers model; an adapter's layers stand inside it."""
        from mplus_eval.inference.logits import without_adapter

        return OpenedModel(without_adapter(self.lm.model), self.lm.tokenizer, self.lm.encoding)

    def respond(self, requests: Sequence[Instance]) -> list[Response]:
        """Answer requests of one type, halving what is computed at once for as long as the memory does not suffice.

        Raises:
            MemoryError: when it does not suffice for one request at a time.
        """
        return self._with_memory(lambda: self.lm.respond(requests))

    def score_tokens(self, requests: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[Response]:
        """The log-probability of each continuation after its context, both as ids, halving as `respond` does."""
        pairs = [(None, list(context), list(continuation)) for context, continuation in requests]
        return self._with_memory(lambda: self.lm.score_encoded(pairs))

    def _with_memory(self, ask: Callable[[], list[Response]]) -> list[Response]:
        while True:
            try:
                return ask()
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                if not self.lm.halve():
                    raise MemoryError(f"out of memory, also with one item at a time; {OUT_OF_MEMORY}") from error
            # Outside the handler, so that the failed call's tensors are no longer held by its traceback.
            _free()

    def close(self) -> None:
        """Forget the model and give its memory back."""
        super().close()
        self.placement.clear()
        _free()


def load(model: ModelSpec, source: ModelLocation) -> HfModel:
    """Load a checkpoint directory or GGUF file, with its adapter where it has one.

    Raises:
        MemoryError: when it does not fit where it is to lie.
    """
    if model.tp_plan is None:
        return load_here(model, source)
    from mplus_eval.backends.lockstep import load_in_step

    return load_in_step(model, source)


def load_here(model: ModelSpec, source: ModelLocation, kind: type[HfModel] = HfModel) -> HfModel:
    """Load a model, or this process's slice of it."""
    placement = Placement.of(model)
    try:
        backend = _loaded(model, source, placement, kind)
    except BaseException as error:  # also an interrupt: what was offloaded to the disk must not stay there
        placement.clear()
        if isinstance(error, RuntimeError) and is_out_of_memory(error):
            raise MemoryError(f"out of memory; {OUT_OF_MEMORY}") from error
        raise
    backend.placement = placement
    return backend


def _loaded(model: ModelSpec, source: ModelLocation, placement: Placement, kind: type[HfModel]) -> HfModel:
    from mplus_eval.backends.fast_hflm import FastHFLM
    from mplus_eval.inference.budget import Budget

    device = device_of(model)
    batch_size = _batch_size(model, device)
    lm = FastHFLM(
        pretrained=str(source.path),
        peft=str(source.adapter) if source.adapter else None,
        tokenizer=str(source.tokenizer) if source.tokenizer else None,
        dtype=model.dtype,
        device=device,
        max_length=model.longest,
        batch_size=batch_size,
        trust_remote_code=model.trust_remote_code,
        backend="causal",
        quantization=model.quantization,
        weights_in=source.file,
        add_bos=model.add_bos,
        generation=model.generation,
        budget=None if model.batch_size == "auto" else Budget.of_batch(model.batch_size),
        **({"attn_implementation": model.attn_implementation} if model.attn_implementation else {}),
        **placement.of_hflm,
    )
    set_chat_template(lm, model.chat_template, model.enable_thinking)
    chat = chat_format(lm.tokenizer)
    lm.end_as(chat)
    lm.reasoning = reasoning_of(model, lm.tokenizer, encode=lm.encoding.bare_text)
    dtype = str(lm.model.dtype).removeprefix("torch.")
    asking = asking_of(
        model,
        lm.encoding,
        max_length=lm.max_length,
        decoding=lm.decoding,
        ends=sorted(lm.ends),
        chat=chat,
        reasoning=lm.reasoning,
        quantization=stored_quantization(source, lm.config),
    )
    facts = LoadedModel("hf", dtype, n_parameters(lm.model), device, lm.tier, asking)
    return kind(lm, facts, requests_per_call(model))


def n_parameters(model: PreTrainedModel) -> int:
    """How many weights a model has; tied ones count once, also where they are offloaded and no longer one tensor."""
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    twice = sum(size for name, size in sizes.items() if tied.get(name) in sizes)
    return int(model.num_parameters()) - twice


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device had too little memory: accelerators say so by a class, processors in words."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError) or bool(should_reduce_batch_size(error))


def device_of(model: ModelSpec) -> str:
    """The device that a model is loaded to: the one that was named, or a GPU where there is one."""
    import torch

    return model.device or ("cuda" if torch.cuda.is_available() else "cpu")


def requests_per_call(model: ModelSpec) -> int:
    """How many requests a model is given at once."""
    return _batch_size(model, device_of(model)) * _BATCHES_PER_CALL


def _batch_size(model: ModelSpec, device: str) -> int:
    if model.batch_size != "auto":
        return model.batch_size
    return DEFAULT_BATCH_SIZE.get(device.split(":")[0], 16)


def stored_quantization(source: ModelLocation, config: PretrainedConfig) -> str | None:
    """How the weights are quantized where they lie."""
    if source.file is not None:
        return read_gguf(source.file).quantization
    settings = getattr(config, "quantization_config", None)
    return settings.get("quant_method") if isinstance(settings, dict) else None


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
