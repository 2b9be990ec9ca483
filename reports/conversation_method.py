"""How conversation was measured and judged, in words, for the methods of the report."""

from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import has_orders, judge_named
from mplus_eval.reports.text import enumerated, one_line


def conversation_method(comparison: Comparison) -> str:
    """How conversation was measured and judged, for the methods; empty where it was not."""
    conversation = comparison.conversation
    if conversation is None:
        return ""
    return " ".join(
        (
            _asking(conversation),
            _judges(conversation),
            _figures(conversation, comparison.level),
            _account(conversation),
            _known_biases(),
        )
    )


def _asking(conversation: Conversation) -> str:
    turns = formats.counted(conversation.n_turns, "turn")
    how = "greedy answers" if not conversation.temperature else f"temperature {conversation.temperature:g}"
    return (
        f"Conversation: {formats.counted(conversation.n_dialogues, 'dialogue')} of {one_line(conversation.dialogues)}, "
        f"{turns} in all, {how}, {conversation.max_new_tokens} new tokens at most. A model is asked in its own chat "
        "template, or in the plain format where it has none; a later turn shows it its own earlier answers."
    )


def _judges(conversation: Conversation) -> str:
    named = [f"{judge_named(name)} (hash {one_line(found)[:12]})" for name, found in conversation.judges.items()]
    judged = list(conversation.models.values())
    said = f"Each answer is judged against the baseline’s by {enumerated(named)}."
    if len(named) > 1:
        said += " The first judge decides."
    if any(has_orders(one) for found in judged for one in (found, found.second_judge) if one):
        said += (
            " Such a judge sees every pair in both orders; verdicts that change with the order are a tie (Zheng et "
            "al., arXiv 2306.05685)."
        )
    return f"{said} A pair without a verdict is counted and left out."


def _figures(conversation: Conversation, level: float) -> str:
    points = formats.margin_in_points(conversation.margin)
    return (
        f"In the win rate ties count half; intervals are {formats.whole_percent(1 - level)}, clustered by dialogue, "
        "with categories as strata. The win rate is held against one half by a sign-flip permutation of whole "
        f"dialogues; preserved means that a rate {points} or more below one half is ruled out. The "
        "win rate with length held equal is the prediction at equal length of a logistic regression on the difference "
        "in words (Dubois et al., arXiv 2404.04475); length explains a win that is not shown there, and smaller. "
        "Bradley–Terry ratings are in points of Elo’s scale, the baseline at 0; agreement of two judges is Cohen’s "
        "kappa."
    )


def _account(conversation: Conversation) -> str:
    said = [one for found in conversation.models.values() for one in (found, found.second_judge) if one]
    tokens_in, tokens_out = sum(one.tokens_in for one in said), sum(one.tokens_out for one in said)
    if not tokens_in + tokens_out:
        return ""
    return f"Judging read {formats.count(tokens_in)} tokens and wrote {formats.count(tokens_out)}."


def _known_biases() -> str:
    return (
        "Known weaknesses of judges: they favour an answer for its place, for its length, and for being of their own "
        "family; the table on the judge shows the first two, the third cannot be seen in these figures."
    )
