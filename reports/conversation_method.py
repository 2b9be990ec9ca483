"""How conversation was measured and judged, in words, for the methods of the report."""

from __future__ import annotations

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import has_orders, judge_named
from mplus_eval.reports.text import enumerated, one_line


def conversation_method(comparison: Comparison) -> str:
    """How conversation was measured and judged, for the methods; empty where it was not."""
    conversation = comparison.conversation
    if conversation is None:
        return ""
    how = "greedy answers" if not conversation.temperature else f"temperature {conversation.temperature:g}"
    asking = (
        f"Conversation: {formats.counted(conversation.n_dialogues, 'dialogue')} of {one_line(conversation.dialogues)}, "
        f"{formats.counted(conversation.n_turns, 'turn')} in all, {how}, {conversation.max_new_tokens} new tokens at "
        "most. A model is asked in its own chat template, or in the plain format where it has none; a later turn shows "
        "it its own earlier answers."
    )
    firsts = conversation.models.values()
    judgings = [judging for first in firsts for judging in (first, first.second_judge) if judging]
    named = [f"{judge_named(name)} (hash {one_line(full)[:12]})" for name, full in conversation.judges.items()]
    judges = f"Each answer is judged against the baseline’s by {enumerated(named)}."
    if len(named) > 1:
        judges += " The first judge decides."
    if any(judging.trained_model for judging in judgings):
        judges += " A judge that trained a model, or may have, does not decide for it."
    if any(map(has_orders, judgings)):
        judges += (
            " Such a judge sees every pair in both orders; verdicts that change with the order are a tie (Zheng et "
            "al., arXiv 2306.05685)."
        )
    judges += " A pair without a verdict is counted and left out."
    figures = (
        f"In the win rate ties count half; intervals are {formats.whole_percent(1 - comparison.level)}, clustered by "
        "dialogue, with categories as strata. The win rate is compared with one half by a sign-flip permutation of "
        f"whole dialogues; preserved means that a rate {formats.margin_in_points(conversation.margin)} or more below "
        "one half is ruled out. The length-controlled win rate is the prediction at equal length of a logistic "
        "regression on the difference in words (Dubois et al., arXiv 2404.04475); length explains a win that is not "
        "shown there, and smaller. Bradley–Terry ratings are in points of Elo’s scale, the baseline at 0, with the win "
        "rates’ intervals carried over to that scale; agreement of two judges is Cohen’s kappa."
    )
    tokens_in = sum(judging.tokens_in for judging in judgings)
    tokens_out = sum(judging.tokens_out for judging in judgings)
    usage = f"Judging read {formats.count(tokens_in)} tokens and wrote {formats.count(tokens_out)}."
    weaknesses = (
        "Known weaknesses of judges: they favour an answer for its place, for its length, and for being of their own "
        "family; the table on the judge shows the first two, the third cannot be seen in these figures."
    )
    return " ".join((asking, judges, figures, usage if tokens_in + tokens_out else "", weaknesses))
