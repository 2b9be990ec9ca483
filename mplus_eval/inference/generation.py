"""Generation in which what prompts share is computed once, with sequences that come and go.

Prompts become a tree of token prefixes (see `tree`) that is computed pack by pack, with logits at the last token of
every prompt only; a prompt that is asked for several times is computed once. Then every step feeds one token of each
sequence that has a slot: a long prefix that several sequences share stands in memory once and is read once a step, the
rest of a prompt and what was generated stands in the sequence's own slot (see `decode_attention`). Who is done leaves
at once, and the next prompt in the tree's order enters; packs are computed only when a slot is free for what they hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mplus_eval.errors import UsageError
from mplus_eval.inference.attention import attending, heeds_caps, own_attention
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.decode_attention import SharedBlock, Slots, Step
from mplus_eval.inference.held_segments import HeldSegments
from mplus_eval.inference.logits import NotANumberError, input_device
from mplus_eval.inference.sampling import Sampling, draw
from mplus_eval.inference.tree import Request, ancestors, build_packs, build_segments, count_tokens
from mplus_eval.inference.tree_scorer import compute_pack

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Done = Callable[[int, tuple[int, ...]], None]


@dataclass(frozen=True)
class Prompt:
    """What to go on from, and until when."""

    tokens: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling | None = None
    """Greedy when None."""
    seed: int = 0
    """Of the random numbers of this prompt; not used when greedy."""
    end_tokens: frozenset[int] = frozenset()
    stopped: Callable[[Sequence[int]], bool] | None = None
    """Tells, from the new tokens so far, whether a stop string stands in them."""


@dataclass
class _Running:
    """A prompt that is being gone on from."""

    number: int
    prompt: Prompt
    path: list[int]
    """Its segments, from the root."""
    shared: list[int]
    """Those of them that stand in a shared block."""
    own: list[int]
    """The others, which stand in its own slot."""
    n_own: int
    """Tokens of these."""
    new: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether nothing more is to be generated."""
        prompt = self.prompt
        return (
            len(self.new) >= prompt.max_new_tokens
            or self.new[-1] in prompt.end_tokens
            or (prompt.stopped is not None and prompt.stopped(self.new))
        )

    @property
    def room(self) -> int:
        """Tokens that its slot may come to hold; the last new token is never fed."""
        return self.n_own + self.prompt.max_new_tokens - 1


class TreeGenerator:
    """Generates with every distinct prefix computed once and shared while it is read."""

    def __init__(self, model: PreTrainedModel, budget: Budget, *, slots: int = 128, cached_tokens: int = 65536) -> None:
        """Keep a decoder of transformers that takes `logits_to_keep` and a registered attention function.

        Args:
            model: on any device, in any precision.
            budget: of one forward over prompts.
            slots: sequences that are fed at once, at most.
            cached_tokens: tokens whose keys and values are held at once, padding of slots included. More are held only
                where one sequence alone, or what one pack holds, needs more.
        """
        self.model, self.budget = model, budget
        self.slots, self.cached_tokens = slots, cached_tokens
        self.n_tokens = 0
        """Prompt tokens computed so far."""
        self.n_steps = 0
        """Forwards over new tokens so far."""
        self.most_cached = 0
        """Tokens whose keys and values were held at once, at most, padding of slots included."""

    @torch.inference_mode()
    def generate(self, prompts: Sequence[Prompt], on_done: Done | None = None) -> list[tuple[int, ...]]:
        """Go on from every prompt.

        Args:
            prompts: with a token each, at least.
            on_done: is told the prompt's place and its new tokens as soon as it is done.

        Returns:
            The new tokens; the last is the end token, or the one that completed the stop string, if there was one.

        Raises:
            UsageError: a prompt has no tokens.
            NotANumberError: the model's logits are NaN.
        """
        for number, prompt in enumerate(prompts):
            if not prompt.tokens:
                raise UsageError(f"prompt {number} has no tokens; at least one is needed to go on from")
        return _Generation(self, prompts, on_done).run()


class _Generation:
    """One call of `generate`."""

    def __init__(self, owner: TreeGenerator, prompts: Sequence[Prompt], on_done: Done | None) -> None:
        self.owner, self.prompts, self.on_done = owner, prompts, on_done
        self.caps = heeds_caps(owner.model)
        self.results: list[tuple[int, ...]] = [()] * len(prompts)
        self.wanted = [number for number, prompt in enumerate(prompts) if prompt.max_new_tokens > 0]
        for number in set(range(len(prompts))) - set(self.wanted):
            self._finish(number, ())
        requests = [Request(prompts[number].tokens, (0,)) for number in self.wanted]
        self.segments = build_segments(requests, owner.budget.tokens)
        self.packs = deque(build_packs(self.segments, owner.budget.tokens, owner.budget.rows))
        self.held = HeldSegments(self.segments, owner.slots)
        self.waiting: deque[_Running] = deque()
        self.active: list[_Running] = []
        """By slot."""
        self.cache = Slots()
        self.blocks: dict[int, SharedBlock] = {}
        """Those that active sequences read, by their last segment."""

    def run(self) -> list[tuple[int, ...]]:
        if self.packs:
            with own_attention(self.owner.model):
                while self.packs or self.waiting or self.active:
                    self._fill()
                    slot_is_free = not self.active
                    while not slot_is_free:
                        slot_is_free = self._step()
        return self.results

    def _fill(self) -> None:
        """Give free slots to the next prompts, and compute those first where needed."""
        if not self.active:
            self.cache = Slots()  # one long sequence must not leave its room to many short ones
        while True:
            self._enter()
            if self.waiting or not self.packs or len(self.active) >= self.owner.slots:
                return
            more = count_tokens(self.segments, self.packs[0])
            if self.active and self._n_held() + more > self.owner.cached_tokens:
                return
            self._prefill()

    def _prefill(self) -> None:
        """Compute the next pack, and choose the first token of the prompts that end in it."""
        pack = self.packs.popleft()
        result = compute_pack(self.owner.model, self.segments, pack, self.held.computed, pack, caps=self.caps)
        self.owner.n_tokens += count_tokens(self.segments, pack)
        self.held.computed |= result.kept
        self._note_memory()
        if not result.wanted:
            return
        ends = {row.request: index for index in pack for row in self.segments[index].rows}
        started = []
        for _, request, _ in result.wanted:
            number = self.wanted[request]
            path = [*ancestors(self.segments, ends[request]), ends[request]]
            shared = [index for index in path if index in self.held.shared]
            own = [index for index in path if index not in self.held.shared]
            n_own = count_tokens(self.segments, own)
            started.append(_Running(number, self.prompts[number], path, shared, own, n_own))
        rows = torch.tensor([row for row, _, _ in result.wanted], device=result.logits.device)
        _extend(started, result.logits, rows)
        for sequence in started:
            if sequence.done:
                self.held.release(sequence.path)
                self._finish(sequence.number, tuple(sequence.new))
            else:
                self.waiting.append(sequence)

    def _enter(self) -> None:
        """Let those in whose prompts are computed, as far as slots and memory go."""
        entering: list[_Running] = []
        while self.waiting and len(self.active) + len(entering) < self.owner.slots:
            together = [*self.active, *entering, self.waiting[0]]
            room = max(sequence.room for sequence in together)
            if len(together) > 1 and self._n_held(len(together), room) > self.owner.cached_tokens:
                break
            entering.append(self.waiting.popleft())
        if not entering:
            return
        self.active += entering
        like, _ = self.held.computed[entering[0].path[-1]]
        self.cache.reserve(len(self.active), self._room(max(sequence.n_own for sequence in entering) + 1), like)
        self._note_memory()
        for sequence in entering:
            self.cache.enter([self.held.computed[index] for index in sequence.own])
            self.held.release(sequence.own)
        self._note_blocks()

    def _step(self) -> bool:
        """Feed the newest token of every active sequence; tell whether a slot became free."""
        needed = max(self.cache.lengths) + 1
        if needed > self.cache.shape[1]:
            self.cache.reserve(len(self.active), self._room(needed), self.cache.layers)
            self._note_memory()
        model = self.owner.model
        device = input_device(model)
        positions = [len(sequence.prompt.tokens) + len(sequence.new) - 1 for sequence in self.active]
        self.cache.feed(positions)
        with attending(Step(self.cache, list(self.blocks.values()), positions, self.caps)):
            logits = model(
                input_ids=torch.tensor([[sequence.new[-1] for sequence in self.active]], device=device),
                position_ids=torch.tensor([positions], device=device),
                use_cache=False,
            ).logits[0]
        self.owner.n_steps += 1
        self.cache.lengths = [length + 1 for length in self.cache.lengths]
        _extend(self.active, logits)
        done = [slot for slot, sequence in enumerate(self.active) if sequence.done]
        for slot in reversed(done):
            sequence = self.active[slot]
            self.active[slot] = self.active[-1]
            self.active.pop()
            self.cache.leave(slot)
            self.held.release(sequence.shared)
            self._finish(sequence.number, tuple(sequence.new))
        if done:
            self._note_blocks()
        return bool(done)

    def _room(self, needed: int) -> int:
        """The buffers' next size, doubled where they are too small but no larger than can be used."""
        room = self.cache.shape[1]
        if needed <= room:
            return room
        return max(needed, min(2 * needed, max(sequence.room for sequence in self.active)))

    def _n_held(self, rows: int = 0, room: int = 0) -> int:
        """Tokens whose keys and values are held once slots, so many at least, have all the room they may need."""
        room = max([room, *(sequence.room for sequence in self.active)])
        now_rows, now_room = self.cache.shape
        return self.held.n_tokens + max(rows, now_rows) * max(room, now_room)

    def _note_memory(self) -> None:
        rows, room = self.cache.shape
        self.owner.most_cached = max(self.owner.most_cached, self.held.n_tokens + rows * room)

    def _note_blocks(self) -> None:
        self.blocks = self.held.blocks([sequence.shared for sequence in self.active], self.blocks)

    def _finish(self, number: int, tokens: tuple[int, ...]) -> None:
        self.results[number] = tokens
        if self.on_done is not None:
            self.on_done(number, tokens)


def _extend(sequences: Sequence[_Running], logits: Tensor, rows: Tensor | None = None) -> None:
    """Choose the next token of every sequence from its row of the logits, or from `rows` of them.

    Raises:
        NotANumberError: when the logits of one are NaN.
    """
    best = logits.amax(-1)
    if bool(torch.isnan(best).any()):
        at = int(torch.isnan(best if rows is None else best[rows]).nonzero()[0])
        raise NotANumberError(f"the model returned NaN logits for prompt {sequences[at].number}")
    groups: dict[Sampling | None, list[int]] = {}
    for place, sequence in enumerate(sequences):
        groups.setdefault(sequence.prompt.sampling, []).append(place)
    for sampling, places in groups.items():
        chosen = [sequences[place] for place in places]
        # All rows are taken as they are, without a copy.
        whole = rows is None and len(chosen) == len(logits)
        where = torch.tensor(places, device=logits.device) if rows is None else rows[places]
        own_logits = logits if whole else logits[where]
        if sampling is None:
            tokens: list[int] = own_logits.argmax(-1).tolist()
        else:
            seeds = [sequence.prompt.seed for sequence in chosen]
            tokens = draw(own_logits, sampling, seeds, [len(sequence.new) for sequence in chosen])
        for sequence, token in zip(chosen, tokens, strict=True):
            sequence.new.append(token)
