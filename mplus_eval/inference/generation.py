"""Generation in which what prompts share is computed once, with sequences that come and go.

Prompts become a tree of token prefixes (see `tree`) that is computed pack by pack, with logits at the last token of
every prompt only; a prompt that is asked for several times is computed once. Then every step feeds one token of each
sequence that has a slot: a long prefix that several sequences share stands in memory once and is read once a step, the
rest of a prompt and what was generated stands in the sequence's own slot (see `decode_attention`). Who is done leaves
at once, and the next prompt in the tree's order enters; packs are computed only when a slot is free for what they hold.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mplus_eval.errors import UsageError
from mplus_eval.inference import cascade, decode_attention
from mplus_eval.inference.budget import Budget
from mplus_eval.inference.cascade import KeyValue
from mplus_eval.inference.decode_attention import SharedBlock, Slots, Step
from mplus_eval.inference.logits import NotANumberError
from mplus_eval.inference.sampling import Sampling, draw
from mplus_eval.inference.tree import Request, Segment, ancestors, build_packs, build_segments
from mplus_eval.inference.tree_scorer import attention_of, compute_pack, heeds_caps

WORTH_SHARING = 256
"""A segment stands in a shared block where that spares a step so many tokens, else in every slot that needs it."""

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
    new: list[int] = field(default_factory=list)
    n_own: int = 0
    """Prompt tokens that stand in its own slot."""

    def add(self, token: int) -> None:
        self.new.append(token)

    @property
    def done(self) -> bool:
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

    def __init__(self, model: Any, budget: Budget, *, slots: int = 128, cached_tokens: int = 65536) -> None:
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
        wanted = [number for number, prompt in enumerate(prompts) if prompt.max_new_tokens > 0]
        for number in set(range(len(prompts))) - set(wanted):
            self._finish(number, ())
        self.wanted = wanted
        longest = owner.budget.tokens
        self.segments = build_segments([Request(prompts[number].tokens, (0,)) for number in wanted], longest)
        self.packs = deque(build_packs(self.segments, owner.budget.tokens, owner.budget.rows))
        self.users = _count_users(self.segments)
        """Sequences that still need a segment's keys and values, in a later pack, to enter, or at every step."""
        self.worth = _worth_sharing(self.segments, self.users, owner.slots)
        self.held: dict[int, tuple[list[KeyValue], Tensor]] = {}
        self.waiting: deque[_Running] = deque()
        self.active: list[_Running] = []
        """By slot."""
        self.cache = Slots()
        self.blocks: dict[int, SharedBlock] = {}
        """Those that active sequences read, by their last segment."""

    def run(self) -> list[tuple[int, ...]]:
        while self.packs or self.waiting or self.active:
            self._fill()
            if self.active:
                with attention_of(self.owner.model, decode_attention.NAME):
                    left = False
                    while self.active and not left:
                        left = self._step()
        return self.results

    def _fill(self) -> None:
        """Give free slots to the next prompts, and compute those first where needed."""
        if not self.active:
            self.cache = Slots()  # one long sequence must not leave its room to many short ones
        while True:
            self._enter()
            if self.waiting or not self.packs or len(self.active) >= self.owner.slots:
                return
            if self.active and self._held_tokens() + self._pack_tokens() > self.owner.cached_tokens:
                return
            self._prefill()

    def _prefill(self) -> None:
        pack = self.packs.popleft()
        with attention_of(self.owner.model, cascade.NAME):
            result = compute_pack(self.owner.model, self.segments, pack, self.held, pack, caps=self.caps)
        self.owner.n_tokens += sum(len(self.segments[index].tokens) for index in pack)
        self.held |= result.kept
        self._note_memory()
        if not result.wanted:
            return
        ends = {row.request: index for index in pack for row in self.segments[index].rows}
        started = [self._start(request, ends[request]) for _, request, _ in result.wanted]
        rows = torch.tensor([row for row, _, _ in result.wanted], device=result.logits.device)
        self._extend(started, result.logits, rows)
        for one in started:
            if one.done:
                self._release(one.path)
                self._finish(one.number, tuple(one.new))
            else:
                self.waiting.append(one)

    def _start(self, request: int, end: int) -> _Running:
        number = self.wanted[request]
        prompt = self.prompts[number]
        path = [*ancestors(self.segments, end), end]
        shared = [index for index in path if index in self.worth]
        own = sum(len(self.segments[index].tokens) for index in path if index not in self.worth)
        return _Running(number, prompt, path, shared, n_own=own)

    def _extend(self, sequences: Sequence[_Running], logits: Tensor, rows: Tensor | None = None) -> None:
        """Choose the next token of every sequence from its row of the logits, or from `rows` of them."""
        self._refuse_nan(sequences, logits, rows)
        groups: dict[Sampling | None, list[int]] = {}
        for place, one in enumerate(sequences):
            groups.setdefault(one.prompt.sampling, []).append(place)
        for sampling, places in groups.items():
            chosen = [sequences[place] for place in places]
            whole = rows is None and len(chosen) == len(logits)
            where = torch.tensor(places, device=logits.device) if rows is None else rows[places]
            for one, token in zip(chosen, _next(logits if whole else logits[where], sampling, chosen), strict=True):
                one.add(token)

    def _refuse_nan(self, sequences: Sequence[_Running], logits: Tensor, rows: Tensor | None) -> None:
        best = logits.amax(-1)
        if bool(torch.isnan(best).any()):
            at = int(torch.isnan(best if rows is None else best[rows]).nonzero()[0])
            raise NotANumberError(f"the model returned NaN logits for prompt {sequences[at].number}")

    def _enter(self) -> None:
        """Let those in whose prompts are computed, as far as slots and memory go."""
        entering: list[_Running] = []
        while self.waiting and len(self.active) + len(entering) < self.owner.slots:
            one = self.waiting[0]
            together = [*self.active, *entering, one]
            room = max(other.room for other in together)
            if len(together) > 1 and self._held_tokens(len(together), room) > self.owner.cached_tokens:
                break
            entering.append(self.waiting.popleft())
        if not entering:
            return
        rows = len(self.active) + len(entering)
        self.cache.reserve(rows, self._room(max(one.n_own for one in entering) + 1, entering), self._like(entering[0]))
        self._note_memory()
        for one in entering:
            own = [index for index in one.path if index not in self.worth]
            self.cache.enter([self.held[index] for index in own])
            self.active.append(one)
            self._release(own)
        self._note_blocks()

    def _like(self, one: _Running) -> list[KeyValue]:
        return self.held[one.path[-1]][0]

    def _room(self, needed: int, entering: Iterable[_Running] = ()) -> int:
        """The buffers' next size, doubled where they are too small but no larger than can be used."""
        room = self.cache.shape[1]
        if needed <= room:
            return room
        most = max(one.room for one in [*self.active, *entering])
        return max(needed, min(2 * needed, most))

    def _held_tokens(self, rows: int = 0, room: int = 0) -> int:
        """Tokens whose keys and values are held once slots, so many at least, have all the room they may need."""
        room = max([room, *(one.room for one in self.active)])
        now_rows, now_room = self.cache.shape
        held = sum(len(self.segments[index].tokens) for index in self.held)
        return held + max(rows, now_rows) * max(room, now_room)

    def _note_memory(self) -> None:
        rows, room = self.cache.shape
        held = sum(len(self.segments[index].tokens) for index in self.held)
        self.owner.most_cached = max(self.owner.most_cached, held + rows * room)

    def _pack_tokens(self) -> int:
        return sum(len(self.segments[index].tokens) for index in self.packs[0])

    def _step(self) -> bool:
        """Feed the newest token of every active sequence; tell whether a slot became free."""
        needed = max(self.cache.lengths) + 1
        if needed > self.cache.shape[1]:
            self.cache.reserve(len(self.active), self._room(needed), self.cache.layers)
            self._note_memory()
        model = self.owner.model
        positions = [len(one.prompt.tokens) + len(one.new) - 1 for one in self.active]
        step = Step(self.cache, list(self.blocks.values()), positions, self.caps)
        with decode_attention.stepping(step):
            logits = model(
                input_ids=torch.tensor([[one.new[-1] for one in self.active]], device=model.device),
                position_ids=torch.tensor([positions], device=model.device),
                use_cache=False,
            ).logits[0]
        self.owner.n_steps += 1
        self.cache.lengths = [length + 1 for length in self.cache.lengths]
        self._extend(self.active, logits)
        done = [slot for slot, one in enumerate(self.active) if one.done]
        for slot in reversed(done):
            self._leave(slot)
        if done:
            self._note_blocks()
        return bool(done)

    def _leave(self, slot: int) -> None:
        one = self.active[slot]
        self.active[slot] = self.active[-1]
        self.active.pop()
        self.cache.leave(slot)
        self._release(one.shared)
        self._finish(one.number, tuple(one.new))

    def _release(self, path: Iterable[int]) -> None:
        """One sequence less needs these segments."""
        for index in path:
            self.users[index] -= 1
            if not self.users[index]:
                del self.held[index]

    def _finish(self, number: int, tokens: tuple[int, ...]) -> None:
        self.results[number] = tokens
        if self.on_done is not None:
            self.on_done(number, tokens)

    def _note_blocks(self) -> None:
        """Who reads which shared block."""
        before, self.blocks = self.blocks, {}
        for slot, one in enumerate(self.active):
            for chain in self._chains(one.shared):
                last = chain[-1]
                if last not in self.blocks:
                    layers = before[last].layers if last in before else self._joined(chain)
                    self.blocks[last] = SharedBlock(layers, self.segments[chain[0]].start, [])
                self.blocks[last].slots.append(slot)

    def _chains(self, shared: Sequence[int]) -> list[list[int]]:
        """Consecutive segments that the same sequences share."""
        chains: list[list[int]] = []
        for index in shared:
            if chains and self.segments[index].parent == chains[-1][-1] and self._same(chains[-1][-1], index):
                chains[-1].append(index)
            else:
                chains.append([index])
        return chains

    def _same(self, parent: int, child: int) -> bool:
        return self.worth[parent] == self.worth[child]

    def _joined(self, chain: Sequence[int]) -> list[KeyValue]:
        """Keys and values of a chain as one; its segments become views, so that nothing is held twice."""
        if len(chain) == 1:
            return self.held[chain[0]][0]
        parts = [self.held[index] for index in chain]
        layers = [
            (torch.cat([key for key, _ in pairs], 2), torch.cat([value for _, value in pairs], 2))
            for pairs in zip(*(layers for layers, _ in parts), strict=True)
        ]
        begin = 0
        for index, (_, positions) in zip(chain, parts, strict=True):
            end = begin + len(positions)
            views = [(key[:, :, begin:end], value[:, :, begin:end]) for key, value in layers]
            self.held[index] = (views, positions)
            begin = end
        return layers


def _next(logits: Tensor, sampling: Sampling | None, sequences: Sequence[_Running]) -> list[int]:
    """The next token of every row."""
    if sampling is None:
        best: list[int] = logits.argmax(-1).tolist()
        return best
    return draw(logits, sampling, [one.prompt.seed for one in sequences], [len(one.new) for one in sequences])


def _count_users(segments: Sequence[Segment]) -> Counter[int]:
    """How many prompts each segment is a part of."""
    users: Counter[int] = Counter()
    for index in range(len(segments) - 1, -1, -1):
        users[index] += len(segments[index].rows)
        if (parent := segments[index].parent) >= 0:
            users[parent] += users[index]
    return users


def _worth_sharing(segments: Sequence[Segment], users: Counter[int], slots: int) -> dict[int, int]:
    """The segments that are read as a block of their own, with the number of their users."""
    return {
        index: users[index]
        for index, segment in enumerate(segments)
        if len(segment.tokens) * (min(users[index], slots) - 1) >= WORTH_SHARING
    }
