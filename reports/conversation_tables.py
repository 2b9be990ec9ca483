"""Tables of conversation: results, judge bias checks, turns and categories, judge agreement, and the answers' text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import Conversation, FrequentAnswer, Judging, Rate, WinRecord
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import (
    chat_format_named,
    first_judge,
    judge_named,
    judged_models,
    rating_difference,
    rating_interval,
    rating_points,
)
from mplus_eval.reports.tables import (
    NO_NUMBER,
    Column,
    ModelLabel,
    Table,
    TableCell,
    TableRow,
    by_measure,
    number,
    number_if_known,
    number_with_interval,
)
from mplus_eval.reports.text import one_line, truncate_end
from mplus_eval.reports.units import FRACTION, Unit
from mplus_eval.reports.verdicts import MARKS, NO_VERDICT

GRADE = Unit(False, decimals=2)
FREQUENT_LENGTH = 60


def win_cell(wins: WinRecord | None) -> TableCell:
    """A win rate with its interval, in percent."""
    return number_with_interval(wins.value, wins.ci, FRACTION) if wins else NO_NUMBER


def _verdict_cell(judging: Judging) -> TableCell:
    """What one judge says alone of one model."""
    mark = MARKS[judging.verdict] if judging.verdict else NO_VERDICT
    return TableCell(mark=mark, note="trained this model" if judging.trained_model else "", css=f"v-{mark.key}")


def _frequent_cell(answer: FrequentAnswer | None) -> TableCell:
    """How large a share of a model's answers its most frequent one is, and which it is."""
    if answer is None:
        return NO_NUMBER
    text = truncate_end(one_line(answer.text), FREQUENT_LENGTH) or "(nothing)"
    return TableCell(formats.percent(answer.share), note=f"“{text}”", key=f"{answer.share:.6f}")


def grade_cell(grade: Rate | None) -> TableCell:
    """A mean grade with its interval."""
    return number_with_interval(grade.value, grade.ci, GRADE) if grade and grade.ci else NO_NUMBER


@dataclass(frozen=True)
class ConversationTables:
    """The tables of one comparison."""

    comparison: Comparison
    conversation: Conversation
    labels: Mapping[str, ModelLabel]

    @property
    def confidence(self) -> str:
        """Of every interval."""
        return formats.whole_percent(1 - self.comparison.level)

    def results(self, judged: Mapping[str, Judging], judge: str) -> Table:
        """Each model's verdict, win rate, win rate at equal length, counts and p-value."""
        cells = {}
        for model, judging in judged.items():
            mark = MARKS[judging.verdict] if judging.verdict else NO_VERDICT
            why = "explained by length" if judging.explained_by_length else ""
            wins, equal = judging.win_rate, judging.length_controlled_win_rate
            at_equal_length = TableCell("withheld", css="n")
            if equal.value is not None:
                rate = number_with_interval(equal.value, equal.ci, FRACTION)
                text = f"{rate.text} ‡" if equal.extrapolated else rate.text
                at_equal_length = TableCell(text, note=rate.note, key=rate.key, css="n")
            counts = (wins.wins, wins.ties, wins.losses, wins.n_judged, wins.n_unjudged)
            cells[model] = (
                TableCell(mark=mark, note=why, css=f"v-{mark.key}"),
                win_cell(wins),
                at_equal_length,
                *(number(formats.count(n), n) for n in counts),
                number_if_known(judging.p_value, formats.probability),
            )
        measures = (
            "Verdict", "Win rate, %", "Length-controlled win rate, %", "Won", "Tied", "Lost", "Judged", "Unjudged", "p",
        )  # fmt: skip
        caption = (
            f"Compared with {self.comparison.baseline}; ties count half; {self.confidence} CI clustered by dialogue. "
            f"Judge: {judge}."
        )
        if any(judging.length_controlled_win_rate.extrapolated for judging in judged.values()):
            caption += " ‡ extrapolated: one side’s answers are always the longer ones."
        return by_measure(caption, measures, cells, self.labels)

    def judge(self, judged: Mapping[str, Judging], judge: str) -> Table:
        """What order and length of the answers do to the judge's verdicts."""
        cells = {}
        for model, judging in judged.items():
            bias, length = judging.bias, judging.length_controlled_win_rate
            effect = TableCell("without bound", css="n") if length.separated else NO_NUMBER
            if length.length_effect is not None:
                effect = number(formats.signed_decimal(length.length_effect), length.length_effect)
            rates = (bias.order_inconsistency, bias.first_preferred, bias.longer_preferred)
            cells[model] = (*(number_with_interval(rate.value, rate.ci, FRACTION) for rate in rates), effect)
        measures = ("Flips with order, %", "First position wins, %", "Longer answer wins, %", "Effect of length")
        caption = (
            f"Judge bias checks of {judge}. An unbiased judge flips no verdict with the order, and prefers the first "
            "position in 50 % of decided pairs. Longer answers may be the better ones: read their share beside the "
            "length-controlled win rate. The effect of length is above 0 where longer answers are preferred."
        )
        return by_measure(caption, measures, cells, self.labels)

    def win_rates_by(self, part: Literal["turn", "category"]) -> Table | None:
        """The win rate by turn, or by category, where there is more than one."""
        models = judged_models(self.comparison)
        parts: dict[str, dict[str, WinRecord]] = {}
        for model, judging in models.items():
            for name, wins in (judging.by_turn if part == "turn" else judging.by_category).items():
                parts.setdefault(name, {})[model] = wins
        if len(parts) < 2:
            return None
        rows = []
        for name in sorted(parts, key=int) if part == "turn" else parts:
            n_dialogues = max(wins.n_dialogues for wins in parts[name].values())
            heading = TableCell(one_line(name) or "–", note=f"n {formats.count(n_dialogues)}")
            rows.append(TableRow(heading, tuple(win_cell(parts[name].get(model)) for model in models)))
        columns = (Column(part.capitalize(), False), *(self.labels[model].column() for model in models))
        caption = f"Win rate by {part}, percent, ties count half; n dialogues, no verdicts at these sizes."
        return Table(caption, columns, tuple(rows))

    def agreement(self) -> Table | None:
        """The second judge's win rate beside the first's, whichever decides, and how far the two agree."""
        cells, second_judge = {}, ""
        order = list(self.conversation.judges)
        for model, found in judged_models(self.comparison).items():
            deciding, other, agreement = found.by(found.judge), found.second_judge, found.agreement
            if deciding is None or other is None:
                continue
            first, second = (deciding, other) if order[:1] != [other.judge] else (other, deciding)
            second_judge = second_judge or judge_named(second.judge)
            kappa = TableCell("withheld", css="n")
            if agreement and agreement.kappa is not None:
                ends = f"[{', '.join(map(formats.decimal, agreement.ci))}]" if agreement.ci else ""
                kappa = TableCell(formats.decimal(agreement.kappa), note=ends, css="n")
            n_pairs = agreement.n_pairs if agreement else 0
            cells[model] = (
                win_cell(first.win_rate),
                win_cell(second.win_rate),
                *(_verdict_cell(judging) for judging in (first, second)),
                number_if_known(agreement.agreement if agreement else None, formats.percent),
                kappa,
                number(formats.count(n_pairs), n_pairs),
            )
        if not cells:
            return None
        measures = (
            "Win rate, first judge, %", "Win rate, second judge, %", "Verdict, first judge", "Verdict, second judge",
            "Same verdict on a pair, %", "Cohen’s kappa", "Pairs",
        )  # fmt: skip
        caption = (
            f"First judge: {first_judge(self.conversation)}; second: {second_judge}. Cohen’s kappa over win, tie and "
            f"loss with its {self.confidence} CI: 1 is agreement, 0 no more than chance."
        )
        return by_measure(caption, measures, cells, self.labels)

    def grades(self) -> Table | None:
        """Single answers graded from 1 to 10, the baseline's among them; None where nobody graded."""
        known = {self.comparison.baseline: self.conversation.baseline.grades}
        known |= {model: judging.grades for model, judging in judged_models(self.comparison).items()}
        graded = {model: grades for model in self.labels if (grades := known.get(model)) is not None}
        if not graded:
            return None
        categories = sorted({name for grades in graded.values() for name in grades.by_category})
        turns = sorted({name for grades in graded.values() for name in grades.by_turn}, key=int)
        measures = ("Grade", *(f"Turn {turn}" for turn in turns), *map(one_line, categories), "Graded", "Ungraded")
        cells = {
            model: (
                grade_cell(grades.mean),
                *(grade_cell(grades.by_turn.get(turn)) for turn in turns),
                *(grade_cell(grades.by_category.get(name)) for name in categories),
                number(formats.count(grades.mean.n), grades.mean.n),
                number(formats.count(grades.n_ungraded), grades.n_ungraded),
            )
            for model, grades in graded.items()
        }
        judge = judge_named(next(iter(graded.values())).judge)
        caption = (
            f"Each answer alone, graded from 1 to 10 by {judge}, with {self.confidence} CI clustered by dialogue; "
            "maths, coding and reasoning with a reference answer where there is one. Grades decide nothing."
        )
        return by_measure(caption, measures, cells, self.labels)

    def text(self) -> Table:
        """What can be said of the answers without a judge, the baseline's among them."""
        baseline = self.conversation.baseline
        texts = {self.comparison.baseline: (baseline.chat_format, baseline.text)}
        texts |= {
            model: (judging.chat_format, judging.text) for model, judging in judged_models(self.comparison).items()
        }
        cells = {}
        for model in (model for model in self.labels if model in texts):
            chat_format, text = texts[model]
            failed = f", {formats.count(text.n_failed)} failed" if text.n_failed else ""
            shares = (text.end_of_turn_rate, text.truncation_rate, text.empty_rate, text.repetition)
            cells[model] = (
                TableCell(chat_format_named(chat_format)),
                number(formats.count(text.n_answers) + failed, text.n_answers),
                *(number_if_known(n, "{:.1f}".format) for n in (text.mean_words, text.median_words, text.mean_tokens)),
                *(number_if_known(share, formats.percent) for share in shares),
                _frequent_cell(text.most_frequent),
            )
        measures = (
            "Chat format", "Answers", "Words, mean", "Words, median", "Tokens, mean", "Ended with EOS, %",
            "Truncated, %", "Empty, %", "Repetition, %", "Most frequent answer, %",
        )  # fmt: skip
        caption = (
            f"Words and tokens per answer. Truncated: at {self.conversation.max_new_tokens} new tokens. Repetition: "
            "share of 4-grams of words that stood in the same answer before."
        )
        return by_measure(caption, measures, cells, self.labels)


def ratings_table(comparison: Comparison) -> Table | None:
    """Bradley–Terry ratings, best first, each with its lead over the next; an end without bound is said in words."""
    rated = {model: judging.rating for model, judging in judged_models(comparison).items() if judging.rating}
    if not rated:
        return None
    ordered = sorted(rated.items(), key=lambda item: -(item[1].value if item[1].value is not None else -1e9))
    place = sum(rating.value is not None and rating.value > 0 for _, rating in ordered)
    names = [model for model, _ in ordered]
    names.insert(place, comparison.baseline)
    rows = []
    for model, following in zip(names, (*names[1:], None), strict=True):
        of_model = rated.get(model)
        if of_model is None:
            cells = [number("0", 0.0), TableCell("fixed", css="n"), NO_NUMBER]
        else:
            interval = rating_interval(of_model.ci) if of_model.value is not None else "no pairs lead to it"
            cells = [
                number_if_known(of_model.value, rating_points),
                TableCell(interval, css="n"),
                number(formats.count(of_model.n_pairs), of_model.n_pairs),
            ]
        lead = rating_difference(comparison, model, following) if following else None
        cells.append(
            TableCell(f"{rating_points(lead.value)}, {rating_interval(lead.ci)}", css="n") if lead else NO_NUMBER
        )
        rows.append(TableRow(TableCell(model), tuple(cells), model=model))
    caption = (
        f"Bradley–Terry, points of Elo’s scale above {comparison.baseline}: 100 points are a win rate of 64 %. "
        f"{formats.whole_percent(1 - comparison.level)} CI over dialogues, not adjusted for the number of "
        "models; all differences: comparison.json."
    )
    columns = (Column("Model", False), *map(Column, ("Rating", "CI", "Pairs", "Above the next")))
    return Table(caption, columns, tuple(rows))
