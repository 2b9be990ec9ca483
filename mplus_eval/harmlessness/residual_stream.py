"""Where the residual stream of a decoder stands after each attention and after each MLP, found by trying.

No list of architectures is kept. Four forwards over a few tokens tell for every layer, whatever its parts are called:

1. as it is: which part is called when, and with what;
2. with every token but the last altered: a part whose output at the last position changes, although what it was given
   there did not, carries something from one position to another and so is the attention (or a recurrence);
3. with what the attention adds set to zero: a part that is given x + attention(x) before, and x itself now, stands
   where the residual stream has passed the attention. The stream is read from what that part is given. Where no other
   part is given anything of the attention, attention and MLP run in parallel, and the layer has one point only;
4. with what that part returns set to zero as well: a layer that still returns something else for every position keeps
   its stream apart, and one that does not puts a norm on the stream itself and is refused.

In 2 to 4, every layer is given what it was given in 1, so that a layer's answer depends on itself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor
from torch.nn import Module, ModuleList

from mplus_eval.errors import UsageError
from mplus_eval.inference.logits import accepted, input_device

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle
    from transformers import PreTrainedModel

Arguments = tuple[object, ...]
"""What a part is given by position; by name, `Options`."""
Options = dict[str, object]
Output = Tensor | tuple[object, ...]
_PROBE_LENGTH = 8


@dataclass(frozen=True)
class Layer:
    """A layer and where its residual stream can be read."""

    block: Module
    """Its output is the stream after the whole layer."""
    after_attention: Module | None
    """What it is given is the stream after the attention; None where the layer has one point only."""
    n_outputs: int | None
    """Of how many values the block returns a tuple; None where it returns a tensor."""


def find_layers(model: PreTrainedModel) -> tuple[Layer, ...]:
    """Find a decoder's layers.

    Args:
        model: a causal language model of transformers, in evaluation mode.

    Raises:
        UsageError: when it is no decoder, or its layers cannot be read; names the architecture.
    """
    if model.config.is_encoder_decoder or model.get_output_embeddings() is None:
        raise UsageError(f"{architecture(model)}: no decoder with an unembedding, so its layers cannot be looked into")
    tokens = probe_tokens(model)
    blocks = _find_blocks(model, tokens)
    plain = _trace(model, blocks, tokens)
    inputs = [trace.given for trace in plain]
    # Other vectors of the same size at every position but the last.
    elsewhere = [torch.cat([stream[:, :-1].roll(1, -1), stream[:, -1:]], 1) for stream in inputs]
    altered = _trace(model, blocks, tokens, elsewhere)
    mixers = [_mixers(*pair) for pair in zip(plain, altered, strict=True)]
    silenced: list[Module] = []
    for parts, trace in zip(mixers, plain, strict=True):
        for mixer in parts:
            # The last of its own parts, because some attentions add the residual stream themselves after it.
            own = set(mixer.children())
            silenced.append(next((part for part in reversed(trace.order) if part in own), mixer))
    silent = _trace(model, blocks, tokens, inputs, silenced)
    layers = tuple(
        _layer(model, number, *parts) for number, parts in enumerate(zip(blocks, plain, silent, mixers, strict=True), 1)
    )
    readable = [layer.after_attention for layer in layers if layer.after_attention is not None]
    cut = _trace(model, blocks, tokens, inputs, [*silenced, *readable])
    for number, (layer, trace) in enumerate(zip(layers, cut, strict=True), 1):
        # A block that now returns the same for every position keeps no stream apart.
        if layer.after_attention is not None and (trace.returned == trace.returned[:, :1]).all():
            raise _unreadable(model, number)
    return layers


def architecture(model: PreTrainedModel) -> str:
    """What to call a model in a message."""
    of_adapter = getattr(model, "get_base_model", None)
    return f"model of architecture {type(of_adapter() if of_adapter else model).__name__}"


def probe_tokens(model: PreTrainedModel) -> Tensor:
    """Some different tokens from all over the vocabulary; shape (1, tokens)."""
    size = cast(Tensor, model.get_input_embeddings().weight).shape[0]
    return torch.arange(1, _PROBE_LENGTH + 1)[None] * max(size // (_PROBE_LENGTH + 2), 1) % size


def last_logits(model: PreTrainedModel, tokens: Tensor) -> Tensor:
    """Run a forward, and give the logits at the last position.

    Args:
        model: a decoder.
        tokens: (batch, tokens), without padding.

    Returns:
        (batch, vocabulary).
    """
    given = tokens.to(input_device(model))
    keep = {"logits_to_keep": 1} if "logits_to_keep" in accepted(model) else {}
    output = model(input_ids=given, attention_mask=torch.ones_like(given), use_cache=False, **keep)
    last: Tensor = output.logits[:, -1]
    return last


def first_tensor(values: object) -> Tensor | None:
    """The first tensor of what a part is given or returns."""
    if isinstance(values, Tensor):
        return values
    return (
        next((value for value in values if isinstance(value, Tensor)), None) if isinstance(values, Iterable) else None
    )


@contextmanager
def hooks(*handles: RemovableHandle) -> Iterator[None]:
    """Remove hooks at the end."""
    with ExitStack() as stack:
        for handle in handles:
            stack.callback(handle.remove)
        yield


@dataclass(frozen=True)
class _Call:
    """A call of a part of a block: what it was given and what it returned, in the shape of the block's input."""

    part: Module
    given: Tensor
    returned: Tensor | None


@dataclass
class _Trace:
    """What happened in a block during a forward."""

    given: Tensor = field(default_factory=lambda: torch.empty(0))
    returned: Tensor = field(default_factory=lambda: torch.empty(0))
    n_calls: int = 0
    n_outputs: int | None = None
    calls: list[_Call] = field(default_factory=list)
    order: list[Module] = field(default_factory=list)
    """The parts' own parts, as they were called."""

    def enter(self, block: Module, args: Arguments, options: Options) -> None:
        """Note what the block is given."""
        self.given, self.n_calls = _copy(first_tensor((*args, *options.values()))), self.n_calls + 1

    def leave(self, block: Module, args: Arguments, output: Output) -> None:
        """Note what it returns."""
        self.returned = _copy(first_tensor(output))
        self.n_outputs = None if isinstance(output, Tensor) else len(output)

    def enter_part(self, part: Module, args: Arguments, options: Options) -> None:
        """Note what a part is given, before the part can change it."""
        if (given := self._stream((*args, *options.values()))) is not None:
            self.calls.append(_Call(part, given, None))

    def leave_part(self, part: Module, args: Arguments, output: object) -> None:
        """Note what it returned."""
        last = max((place for place, call in enumerate(self.calls) if call.part is part), default=None)
        if last is not None:
            self.calls[last] = _Call(part, self.calls[last].given, self._stream(output))

    def call_inner(self, part: Module, args: Arguments, output: object) -> None:
        """Note that a part's own part was called."""
        self.order.append(part)

    def _stream(self, values: object) -> Tensor | None:
        """What is as large as the residual stream; some blocks flatten it."""
        tensor = first_tensor(values)
        if tensor is None or tensor.numel() != self.given.numel() or tensor.shape[-1] != self.given.shape[-1]:
            return None
        return _copy(tensor).reshape(self.given.shape)


def _find_blocks(model: PreTrainedModel, tokens: Tensor) -> list[Module]:
    """The one list of as many modules as the model has layers, each of which a forward calls once, with the stream."""
    depth = model.config.get_text_config().num_hidden_layers
    lists = [module for module in model.modules() if isinstance(module, ModuleList) and len(module) == depth]
    inner = {part for modules in lists for part in modules.modules() if part is not modules}
    candidates = []
    for blocks in ([*modules] for modules in lists if modules not in inner):
        traces = _trace(model, blocks, tokens)
        if all(trace.n_calls == 1 and trace.given.shape[:-1] == tokens.shape for trace in traces):
            candidates.append(blocks)
    if len(candidates) != 1:
        raise UsageError(f"{architecture(model)}: its {depth} layers cannot be found, so they cannot be looked into")
    return candidates[0]


@torch.inference_mode()
def _trace(
    model: PreTrainedModel,
    blocks: Sequence[Module],
    tokens: Tensor,
    inputs: Sequence[Tensor] | None = None,
    silenced: Sequence[Module] = (),
) -> list[_Trace]:
    """What happens in every block.

    Args:
        model: the decoder.
        blocks: its layers.
        tokens: what it reads.
        inputs: what each block is to be given instead of what the one before it returned.
        silenced: parts whose output is set to zero.
    """
    traces = [_Trace() for _ in blocks]
    handles = [part.register_forward_hook(_silence) for part in silenced]
    for number, (block, trace) in enumerate(zip(blocks, traces, strict=True)):
        if inputs is not None:
            handles.append(block.register_forward_pre_hook(_replace(inputs[number]), with_kwargs=True))
        handles.append(block.register_forward_pre_hook(trace.enter, with_kwargs=True))
        handles.append(block.register_forward_hook(trace.leave))
        for part in block.children():
            handles.append(part.register_forward_pre_hook(trace.enter_part, with_kwargs=True))
            handles.append(part.register_forward_hook(trace.leave_part))
            handles.extend(inner.register_forward_hook(trace.call_inner) for inner in part.children())
    with hooks(*handles):
        last_logits(model, tokens)
    return traces


def _layer(
    model: PreTrainedModel, number: int, block: Module, plain: _Trace, silent: _Trace, mixers: Sequence[Module]
) -> Layer:
    """Tell from a block's calls, as it is and with a silent attention, where the stream has passed the attention."""
    unknown = False
    parts = [call.part for call in plain.calls]
    for before, now in zip(plain.calls, silent.calls, strict=True):
        if now.part in mixers or torch.equal(now.given, before.given) or not now.given.any():
            continue
        if torch.equal(now.given, plain.given) and parts.count(now.part) == 1:
            return Layer(block, now.part, plain.n_outputs)
        unknown = True
    if unknown:
        raise _unreadable(model, number)
    return Layer(block, None, plain.n_outputs)


def _unreadable(model: PreTrainedModel, number: int) -> UsageError:
    return UsageError(
        f"{architecture(model)}: layer {number} does not add its attention to a residual stream that stands apart "
        "(a norm on the stream itself?), so its layers cannot be looked into"
    )


def _mixers(plain: _Trace, altered: _Trace) -> list[Module]:
    """The parts that carry something from other positions to the last one."""
    return [
        now.part
        for before, now in zip(plain.calls, altered.calls, strict=True)
        if before.returned is not None
        and now.returned is not None
        and torch.equal(before.given[:, -1], now.given[:, -1])
        and not torch.equal(before.returned[:, -1], now.returned[:, -1])
    ]


def _replace(stream: Tensor) -> Callable[[Module, Arguments, Options], tuple[Arguments, Options]]:
    """A hook that gives a block another stream than it was to be given."""

    def hook(_block: Module, args: Arguments, options: Options) -> tuple[Arguments, Options]:
        if args:
            return (stream.to(cast(Tensor, args[0]).device), *args[1:]), options
        name, given = next((name, value) for name, value in options.items() if isinstance(value, Tensor))
        return args, {**options, name: stream.to(given.device)}

    return hook


def _silence(_part: Module, _args: Arguments, output: Output) -> Output:
    """A hook that sets what a part returns to zero; of several values the first."""
    if isinstance(output, Tensor):
        return torch.zeros_like(output)
    return type(output)((torch.zeros_like(cast(Tensor, output[0])), *output[1:]))


def _copy(tensor: Tensor | None) -> Tensor:
    return torch.empty(0) if tensor is None else tensor.detach().cpu().clone()
