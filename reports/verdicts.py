"""How a verdict is told: its mark, its colours, and its words on every axis. A new verdict is an entry of `VERDICTS`.

Colour never speaks alone: a verdict has a shape, a sign and a word. The page's marks, legend and colours, the marks in
figures, the rules in the methods and the sentences of the decision are all made from what stands here.

Words hold the facts of their axis in braces; `capability_phrasing`, `harmlessness_phrasing` and `conversation_phrasing`
give them, all of them to every verdict, so that an entry may take any of them:

    capability     baseline, reason, difference (`0.4 points below base (95 % CI −1.4 to +0.5)`), where, items,
                   detectable, margin (` of 1`, or empty where there is none), limit (`; the margin is 1`, or empty),
                   settle (a sentence after a space, or empty)
    toxicity       baseline, measured (`Provoked, worst of 10 samples: toxicity 0.82, base 0.84 (difference −0.02,
                   95 % CI −0.05 to 0.00)`), margin, prompts, detectable, not_compared, settle
    conversation   baseline, preferred (`Preferred to base in 41 % of answers (95 % CI 35–47); length-controlled 44 %`),
                   rates (of both judges), ruled_out, pairs, detectable (`below 41 % or above 59 %`), not_compared
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mplus_eval.records.verdict import Verdict

Colours = tuple[str, str]
"""A colour on a light ground, and on a dark one."""
Line = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Mark:
    """The sign of a verdict, or of where there is none.

    `key` names it in the page, `word` says it, `ink` is the token of its colour, and `symbol` its inside as SVG, 16
    units wide around 0. In figures it is matplotlib's `marker`, open or filled, with a `sign` in it: a marker too, or
    lines from −1 to 1 both ways. Without a `marker` it stands in tables only. Where there is nothing but text, the mark
    is its `letter`; minus is worse.
    """

    key: str
    word: str
    ink: str
    symbol: str
    letter: str = "–"
    marker: str = ""
    sign: str | tuple[Line, ...] = ""
    is_open: bool = False


@dataclass(frozen=True)
class Words:
    """What a verdict says on one axis, and in cases that hold for it what it says instead; the first case counts.

    `loss_shown`: the difference is a loss that is shown to be one. `beyond_margin`: the difference is larger than the
    margin. `power_known`: it is known which difference could have been shown. `word` is the same in a word or two, for
    a cell and for headlines, such as "sft is degraded"; the verdict's own word where it is empty. It too may be another
    one: where a loss is shown, and where a gain is no larger than the margin.
    """

    text: str
    loss_shown: str = ""
    beyond_margin: str = ""
    power_known: str = ""
    word: str = ""
    word_of_shown_loss: str = ""
    word_of_small_gain: str = ""

    def word_for(self, *, loss_shown: bool, small_gain: bool) -> str:
        """The verdict in a word or two; empty where its own word says it."""
        return (loss_shown and self.word_of_shown_loss) or (small_gain and self.word_of_small_gain) or self.word

    def sentence(self, facts: Mapping[str, str], cases: Mapping[str, bool]) -> str:
        """The words with their facts put in.

        Args:
            facts: of the axis, by name.
            cases: of those above, by name, whether they hold.
        """
        special = (getattr(self, case) for case, holds in cases.items() if holds)
        return next(filter(None, special), self.text).format_map(facts)


@dataclass(frozen=True)
class Presentation:
    """How one verdict is told.

    `colours` are those of its key as a token, and `tint` those of its cells in the matrix; cells without a tint are
    hatched. `meaning` stands in the legend, `rule` in the methods, both with `level`, and the rule with `half` of it.
    `tasks` and `sets` name further tasks and prompt sets with this verdict. `is_comparable` is whether anything may be
    concluded from the figures.
    """

    mark: Mark
    meaning: str
    capability: Words
    toxicity: Words
    conversation: Words
    colours: Colours | None = None
    tint: Colours | None = None
    rule: str = ""
    tasks: str = ""
    sets: str = ""
    is_comparable: bool = True


VERDICTS = {
    Verdict.IMPROVED: Presentation(
        mark=Mark(
            "improved",
            "improved",
            "improved",
            '<circle r="7" fill="currentColor"/><path d="M-3.5 0H3.5M0-3.5V3.5" stroke="var(--bg)" stroke-width="2"/>',
            letter="+",
            marker="o",
            sign="+",
        ),
        colours=("#0b5cad", "#7fb8f0"),
        tint=("#e2edf8", "#17304a"),
        meaning="better, adjusted p < {level:g}",
        rule="better, adjusted two-sided p below {level:g}",
        capability=Words("Capability {difference}: a gain.", word_of_small_gain="slightly improved"),
        toxicity=Words("{measured}. Less toxic.", word="less toxic", word_of_small_gain="slightly less toxic"),
        conversation=Words("{preferred}.", word="preferred"),
        tasks="It gained on {tasks}.",
        sets="It is less toxic on {sets}.",
    ),
    Verdict.PRESERVED: Presentation(
        mark=Mark(
            "preserved",
            "preserved",
            "preserved",
            '<rect x="-6.5" y="-6.5" width="13" height="13" rx="1.5" fill="currentColor"/>'
            '<path d="M-3.5-2H3.5M-3.5 2H3.5" stroke="var(--bg)" stroke-width="1.8"/>',
            letter="=",
            marker="s",
            sign=(((-1, 0.65), (1, 0.65)), ((-1, -0.65), (1, -0.65))),
        ),
        colours=("#44525e", "#b9c4cd"),
        tint=("#e9ecee", "#2a3238"),
        meaning="a loss larger than the margin is ruled out",
        rule="a loss larger than the margin is ruled out, adjusted one-sided p below {half:g}",
        capability=Words(
            "Capability preserved: {difference}, within the margin{margin}.",
            loss_shown="Capability preserved within the margin{margin}: {difference}, a loss.",
            beyond_margin="Capability preserved: {difference}; a loss larger than the margin{margin} is ruled out.",
        ),
        toxicity=Words(
            "{measured}. Not worse, within the margin of {margin}.",
            loss_shown="{measured}. More toxic, but within the margin of {margin}.",
            beyond_margin="{measured}. Not worse: a rise larger than the margin of {margin} is ruled out.",
            word="no worse",
            word_of_shown_loss="worse, within the margin",
        ),
        conversation=Words("{preferred}; a rate of {ruled_out} or less is ruled out.", word="no worse"),
    ),
    Verdict.DEGRADED: Presentation(
        mark=Mark(
            "degraded",
            "degraded",
            "degraded",
            '<path d="M0-7.8L7.8 0L0 7.8L-7.8 0Z" fill="currentColor"/>'
            '<path d="M-3.6 0H3.6" stroke="var(--bg)" stroke-width="2.2"/>',
            letter="−",
            marker="D",
            sign="_",
        ),
        colours=("#a83c0a", "#f29a66"),
        tint=("#fae6da", "#45240f"),
        meaning="worse, adjusted p < {level:g}",
        rule="worse, adjusted two-sided p below {level:g}",
        capability=Words("Capability {difference}: a loss{where}."),
        toxicity=Words("{measured}. More toxic.", word="more toxic"),
        conversation=Words("{preferred}. Preferred less than {baseline}.", word="preferred less"),
        tasks="It lost on {tasks}.",
        sets="It is more toxic on {sets}.",
    ),
    Verdict.UNDECIDED: Presentation(
        mark=Mark(
            "undecided",
            "undecided",
            "undecided",
            '<circle r="6.3" fill="none" stroke="currentColor" stroke-width="1.5" stroke-dasharray="2.6 1.7"/>'
            '<path d="M-1.9-1.6C-1.9-4 1.9-4 1.9-1.6C1.9 0 0-.2 0 1.5M0 3.1V4.2" stroke="currentColor" '
            'stroke-width="1.4" fill="none"/>',
            letter="?",
            marker="o",
            is_open=True,
        ),
        colours=("#5a6168", "#a6aeb6"),
        meaning="not enough evidence for any of these",
        rule="not enough evidence for any of these",
        capability=Words(
            "Capability {difference}. Not enough data: {items}.{settle}",
            power_known="Capability {difference}. Not enough data: {items} can detect a loss of {detectable} points"
            "{limit}.{settle}",
            word="not settled",
        ),
        toxicity=Words(
            "{measured}. Not enough data: {prompts}.{settle}",
            power_known="{measured}. Not enough data: {prompts} can detect a rise of {detectable}; the margin is "
            "{margin}.{settle}",
            word="not settled",
        ),
        conversation=Words(
            "{preferred}. Not enough data: {pairs}.",
            power_known="{preferred}. Not enough data: {pairs} can detect win rates {detectable}.",
            word="not settled",
        ),
    ),
    Verdict.NOT_INFORMATIVE: Presentation(
        mark=Mark(
            "not-informative",
            "not informative",
            "undecided",
            '<circle r="6.3" fill="none" stroke="currentColor" stroke-width="1.5"/>'
            '<path d="M-4.4 4.4L4.4-4.4" stroke="currentColor" stroke-width="1.5"/>',
            letter="∅",
            marker="o",
            sign=(((-1, -1), (1, 1)),),
            is_open=True,
        ),
        meaning="a larger loss is ruled out, but the baseline is too close to guessing",
        rule="a loss larger than the margin is ruled out, but the baseline is within two margins of guessing",
        capability=Words("Capability {difference}. Nothing to preserve: {reason}."),
        toxicity=Words("{not_compared}"),
        conversation=Words("{not_compared}"),
        tasks="Nothing to preserve on {tasks}: {baseline} is within two margins of guessing.",
    ),
    Verdict.JUDGES_DISAGREE: Presentation(
        mark=Mark(
            "judges-disagree",
            "judges disagree",
            "undecided",
            '<circle r="6.8" fill="none" stroke="currentColor" stroke-width="1.5"/>'
            '<path d="M-3.8-1.8H3.8M-3.8 1.8H3.8M-2.4 4.4L2.4-4.4" stroke="currentColor" stroke-width="1.4"/>',
            letter="≠",
            marker="o",
            sign=(((-1, 0.45), (1, 0.45)), ((-1, -0.45), (1, -0.45)), ((-0.6, -1), (0.6, 1))),
            is_open=True,
        ),
        meaning="the verdicts of two judges contradict each other",
        capability=Words("{reason}"),
        toxicity=Words("{not_compared}"),
        conversation=Words("Judges disagree: {rates}."),
    ),
    Verdict.NOT_COMPARABLE: Presentation(
        mark=Mark(
            "not-comparable",
            "not comparable",
            "undecided",
            '<rect x="-6.2" y="-6.2" width="12.4" height="12.4" fill="none" stroke="currentColor" stroke-width="1.5"/>'
            '<path d="M-6 6L6-6M-6-6L6 6" stroke="currentColor" stroke-width="1.5"/>',
            letter="⊠",
            marker="s",
            sign="x",
            is_open=True,
        ),
        meaning="the answers cannot be compared",
        capability=Words("Capability not compared with {baseline}: {reason}."),
        toxicity=Words("{not_compared}"),
        conversation=Words("{not_compared}"),
        is_comparable=False,
    ),
}

FAILED = Mark(
    "failed", "failed", "undecided", '<path d="M-5-5L5 5M5-5L-5 5" stroke="currentColor" stroke-width="2"/>', "×"
)
NO_VERDICT = Mark("none", "no verdict", "undecided", '<path d="M-5 0H5" stroke="currentColor" stroke-width="1.5"/>')

MARKS = {verdict: presentation.mark for verdict, presentation in VERDICTS.items()}
NOT_COMPARABLE = MARKS[Verdict.NOT_COMPARABLE]
ALL_MARKS = (*MARKS.values(), FAILED, NO_VERDICT)


class Judged(Protocol):
    """Whatever may have a verdict."""

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, or None where none could be drawn."""


def is_comparable(judged: Judged | None) -> bool:
    """Whether what a verdict stands on may be set beside others'; so may figures of which there is no verdict."""
    return judged is None or judged.verdict is None or VERDICTS[judged.verdict].is_comparable
