"""The watch for reward hacking: the reward has risen while something that nobody rewarded has collapsed.

    step    reward   entropy   distinct-2
    1–10      0.1      2.1        0.62       the first window
    51–60     2.4      0.3        0.08       the last: an apology, again and again

Means over windows of steps are compared, the last with the first, once the two no longer overlap. A standard error is
that of a window's mean; the noise of single steps behind it is taken from the differences of successive steps (von
Neumann et al., 1941), which a trend hardly touches. The reward has risen when its mean is above the first window's by
more than one standard error. Collapsed is

- the entropy, or the share of distinct 2-grams, whose mean is below a share of the first window's;
- the reward of the held-out reward model (`referee`), which training never optimises, whose mean fell from that of its
  best window by more than `referee` deviations of single steps beyond what chance explains: four standard errors of the
  difference of two windows. The best of many windows is above the last by chance alone: in 300 simulated steps without
  trend, windows of 10 fell by two such errors and half a deviation in 3 of 4 runs, by four in 1 of 200.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import sqrt
from statistics import fmean
from typing import TypedDict, cast

from mplus_eval.training.recipe import RewardHacking

_CHANCE = 4.0
"""Standard errors of a difference of two windows that a reward may fall by chance."""


@dataclass
class _Series:
    """What is remembered of one quantity."""

    first: list[float] = field(default_factory=list)
    """The first window."""
    last: list[float] = field(default_factory=list)
    """The last window."""
    n: int = 0
    """Steps seen."""
    squares: float = 0.0
    """Sum of squared differences of successive steps."""
    best: float | None = None
    """The highest mean of any window."""

    def add(self, value: float, window: int) -> None:
        self.n += 1
        if self.last:
            self.squares += (value - self.last[-1]) ** 2
        if self.n <= window:
            self.first = [*self.first, value]
        self.last = [*self.last, value][-window:]
        if self.n >= window:
            mean = fmean(self.last)
            self.best = mean if self.best is None else max(self.best, mean)

    def comparable(self, window: int) -> bool:
        """Whether the last window no longer overlaps the first."""
        return self.n >= 2 * window

    @property
    def deviation(self) -> float:
        """Of single steps, whatever their trend."""
        return sqrt(self.squares / (2 * (self.n - 1)))


class SeriesMemory(TypedDict):
    """A series as JSON."""

    first: list[float]
    last: list[float]
    n: int
    squares: float
    best: float | None


class Memory(TypedDict):
    """All that a monitor remembers, as JSON: its series by name, and the kinds of collapse that it warned of."""

    series: dict[str, SeriesMemory]
    warned: list[str]


class HackingMonitor:
    """Watches a training step by step, and warns once of each kind of collapse."""

    def __init__(self, settings: RewardHacking, memory: Memory | None = None) -> None:
        """Begin with nothing seen, or go on from what another one remembered, as if nothing had happened in between."""
        self.settings = settings
        self._series = {name: _Series() for name in ("reward", "entropy", "distinct", "referee")}
        self._warned: list[str] = []
        if memory is not None:
            self._series = {name: _Series(**series) for name, series in memory["series"].items()}
            self._warned = list(memory["warned"])

    def memory(self) -> Memory:
        """All that is remembered, for JSON."""
        series = {name: cast("SeriesMemory", asdict(series)) for name, series in self._series.items()}
        return {"series": series, "warned": list(self._warned)}

    def observe(
        self, step: int, reward: float, entropy: float, distinct: float, referee: float | None = None
    ) -> str | None:
        """Take in one step.

        Args:
            step: its number, for the warning.
            reward: mean over the step's answers.
            entropy: mean of a token, in nats.
            distinct: share of distinct 2-grams.
            referee: mean reward by the held-out reward model; None where there is none, or at steps that it does not
                see.

        Returns:
            A warning; None when all is well or every kind was warned of. Two kinds at once come one step after another.
        """
        seen = {"reward": reward, "entropy": entropy, "distinct": distinct, "referee": referee}
        for name, value in seen.items():
            if value is not None:
                self._series[name].add(value, self.settings.window)
        rewards, window = self._series["reward"], self.settings.window
        if not rewards.comparable(window):
            return None
        if fmean(rewards.last) <= fmean(rewards.first) + rewards.deviation / sqrt(window):
            return None
        for kind, finding in self._collapsed().items():
            if kind not in self._warned:
                self._warned.append(kind)
                return f"step {step}: perhaps reward hacking: {self._change('reward')}, while {finding}"
        return None

    def _collapsed(self) -> dict[str, str]:
        """What has collapsed: kind to the half sentence that says so."""
        settings, findings = self.settings, {}
        names = {"entropy": ("the entropy", settings.entropy), "distinct": ("distinct-2", settings.distinct)}
        for kind, (name, share) in names.items():
            series = self._series[kind]
            if series.comparable(settings.window) and fmean(series.last) < share * fmean(series.first):
                findings[kind] = f"{self._change(kind, name)}, below {share:.0%} of what it was"
        referee = self._series["referee"]
        if referee.comparable(settings.window) and referee.best is not None:
            allowed = (settings.referee + _CHANCE * sqrt(2.0 / settings.window)) * referee.deviation
            if fmean(referee.last) < referee.best - allowed:
                findings["referee"] = (
                    f"the referee's reward fell from {referee.best:.3g} in its best {settings.window} steps "
                    f"to {fmean(referee.last):.3g}"
                )
        return findings

    def _change(self, kind: str, name: str = "the reward") -> str:
        series = self._series[kind]
        return f"{name} went from {fmean(series.first):.3g} in the first {self.settings.window} steps to " + (
            f"{fmean(series.last):.3g} in the last"
        )
