"""Tables of conversation: results, what the judge heeds, turns and categories, two judges, and the answers' text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mplus_eval.records.comparison import Comparison
from mplus_eval.records.conversation import (
    AnswerText,
    Conversation,
    Judging,
    LengthControl,
    ModelConversation,
    ModelRating,
    Rate,
    WinRecord,
)
from mplus_eval.reports import formats
from mplus_eval.reports.conversation_phrasing import (
    chat_format_named,
    first_judge,
    judge_named,
    rating_interval,
    rating_points,
)
from mplus_eval.reports.tables import MARKS, NO_VERDICT, Cell, Column, ModelLabel, Row, Table, number
from mplus_eval.reports.text import one_line

NOTHING = Cell("–", css="n")


@dataclass(frozen=True)
class ConversationTables:
    """The tables of one comparison; models in the order of `labels`, and no others."""

    comparison: Comparison
    conversation: Conversation
    labels: Mapping[str, ModelLabel]

    @property
    def models(self) -> dict[str, ModelConversation]:
        """What was found, by model, in the order of the report."""
        known = self.conversation.models
        return {model: known[model] for model in self.labels if model in known}

    @property
    def seconds(self) -> dict[str, Judging]:
        """The same by the second judge, where there is one."""
        return {model: found.second_judge for model, found in self.models.items() if found.second_judge}

    def results(self, judged: Mapping[str, Judging], judge: str) -> Table:
        """One row a model: verdict, win rate, win rate at equal length, counts and the p-value."""
        headings = ("Win rate, %", "At equal length, %", "Won", "Tied", "Lost", "Judged", "Unjudged", "p")
        columns = (Column("Model", False), Column("Verdict", False), *map(Column, headings))
        caption = (
            f"Against {self.comparison.baseline}, ties count half; {self._confidence} intervals, clustered by "
            f"dialogue. Judge: {judge}."
        )
        if any(found.length_controlled_win_rate.extrapolated for found in judged.values()):
            caption += " ‡ extrapolated: one side’s answers are always the longer ones."
        return Table(caption, columns, tuple(self._result(model, found) for model, found in judged.items()))

    @property
    def _confidence(self) -> str:
        return formats.whole_percent(1 - self.comparison.level)

    def _result(self, model: str, found: Judging) -> Row:
        mark = MARKS[found.verdict] if found.verdict else NO_VERDICT
        wins = found.win_rate
        counts = (wins.wins, wins.ties, wins.losses, wins.n_judged, wins.n_unjudged)
        p_value = found.p_value
        cells = (
            Cell(mark=mark, note="explained by length" if found.explained_by_length else "", css=f"v-{mark.key}"),
            win_cell(wins),
            length_cell(found.length_controlled_win_rate),
            *(number(formats.count(n), n) for n in counts),
            number(formats.probability(p_value), p_value) if p_value is not None else NOTHING,
        )
        return Row(Cell(model), cells)

    def judge(self, judged: Mapping[str, Judging], judge: str) -> Table:
        """What order and length of the answers do to the judge's verdicts."""
        headings = ("Changed by the order, %", "First answer won, %", "Longer answer won, %", "Effect of length")
        rows = tuple(
            Row(
                Cell(model),
                (
                    rate_cell(found.bias.order_inconsistency),
                    rate_cell(found.bias.first_preferred),
                    rate_cell(found.bias.longer_preferred),
                    _length_effect(found.length_controlled_win_rate),
                ),
            )
            for model, found in judged.items()
        )
        caption = (
            f"What {judge} heeds. A fair judge changes no verdict with the order, and the answer shown first wins "
            "50 % of its decided verdicts. Longer answers may be the better ones: read their share beside the win "
            "rate at equal length. The effect of length is above 0 where longer answers are preferred."
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), rows)

    def turns(self) -> Table | None:
        """The win rate by turn, where there is more than one."""
        found = self._parts(lambda one: one.by_turn)
        return self._by("Turn", found, "Win rate by turn", sorted(found, key=int)) if len(found) > 1 else None

    def categories(self) -> Table | None:
        """The win rate by category, where there is more than one."""
        found = self._parts(lambda one: one.by_category)
        return self._by("Category", found, "Win rate by category", list(found)) if len(found) > 1 else None

    def _parts(self, of: Callable[[Judging], Mapping[str, WinRecord]]) -> dict[str, dict[str, WinRecord]]:
        """Win rates by part and model."""
        parts: dict[str, dict[str, WinRecord]] = {}
        for model, found in self.models.items():
            for name, wins in of(found).items():
                parts.setdefault(name, {})[model] = wins
        return parts

    def _by(self, what: str, parts: Mapping[str, Mapping[str, WinRecord]], title: str, order: list[str]) -> Table:
        columns = (Column(what, False), *(Column(model, css=self.labels[model].css) for model in self.models))
        rows = []
        for name in order:
            found = parts[name]
            n_dialogues = max(wins.n_dialogues for wins in found.values())
            cells = tuple(win_cell(found.get(model)) for model in self.models)
            rows.append(Row(Cell(one_line(name) or "–", note=f"n {formats.count(n_dialogues)}"), cells))
        caption = f"{title}, percent, ties count half; n dialogues, no verdicts at these sizes."
        return Table(caption, columns, tuple(rows))

    def ratings(self) -> Table | None:
        """Bradley–Terry ratings, best first; an end without bound is said in words."""
        rated = {model: found.rating for model, found in self.models.items() if found.rating}
        if not rated:
            return None
        ordered = sorted(rated.items(), key=lambda item: -(item[1].value if item[1].value is not None else -1e9))
        rows = [_rating_row(model, rating) for model, rating in ordered]
        base = Row(Cell(self.comparison.baseline), (number("0", 0.0), Cell("fixed", css="n"), NOTHING))
        place = sum(rating.value is not None and rating.value > 0 for _, rating in ordered)
        headings = ("Rating", "Interval", "Pairs")
        caption = (
            f"Bradley–Terry, points of Elo’s scale above {self.comparison.baseline}: 100 points are a win rate of "
            "64 %. Bootstrap over dialogues."
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), (*rows[:place], base, *rows[place:]))

    def agreement(self) -> Table | None:
        """The second judge's win rate beside the first's, and how far the two agree."""
        if not self.seconds:
            return None
        headings = ("First judge, %", "Second judge, %", "Same verdict, %", "Kappa", "Pairs")
        columns = (Column("Model", False), *map(Column, headings), Column("Verdicts", False))
        rows = tuple(_agreement_row(model, found) for model, found in self.models.items() if found.second_judge)
        second = judge_named(next(iter(self.seconds.values())).judge)
        caption = (
            f"First judge: {first_judge(self.conversation)}; second: {second}. Cohen’s kappa over win, tie and loss "
            f"with its {self._confidence} interval: 1 is agreement, 0 no more than chance."
        )
        return Table(caption, columns, rows)

    def grades(self) -> Table | None:
        """Single answers graded from 1 to 10, the baseline's among them; None where nobody graded."""
        found = {self.comparison.baseline: self.conversation.baseline.grades}
        found |= {model: one.grades for model, one in self.models.items()}
        given = {model: one for model in self.labels if (one := found.get(model)) is not None}
        if not given:
            return None
        categories = sorted({name for one in given.values() for name in one.by_category})
        turns = sorted({name for one in given.values() for name in one.by_turn}, key=int)
        headings = ("Grade", *(f"Turn {turn}" for turn in turns), *categories, "Graded", "Ungraded")
        rows = tuple(
            Row(
                Cell(model),
                (
                    _grade_cell(one.mean),
                    *(_grade_cell(one.by_turn.get(turn)) for turn in turns),
                    *(_grade_cell(one.by_category.get(name)) for name in categories),
                    number(formats.count(one.mean.n), one.mean.n),
                    number(formats.count(one.n_ungraded), one.n_ungraded),
                ),
            )
            for model, one in given.items()
        )
        judge = judge_named(next(iter(given.values())).judge)
        caption = (
            f"Each answer alone, graded from 1 to 10 by {judge}, with {self._confidence} intervals clustered by "
            "dialogue; maths, coding and reasoning with a reference answer where there is one. Grades decide nothing."
        )
        return Table(caption, (Column("Model", False), *map(Column, headings)), rows)

    def text(self) -> Table:
        """What can be said of the answers without a judge, the baseline's among them."""
        headings = (
            "Answers", "Words", "Median", "Tokens", "End their turn, %", "Cut off, %", "Empty, %", "Repetition, %",
        )  # fmt: skip
        baseline = self.conversation.baseline
        said = {self.comparison.baseline: (baseline.chat_format, baseline.text)}
        said |= {model: (found.chat_format, found.text) for model, found in self.models.items()}
        rows = tuple(_text_row(model, *said[model]) for model in self.labels if model in said)
        caption = (
            f"Words and tokens are means an answer. Cut off: at {self.conversation.max_new_tokens} new tokens. "
            "Repetition: share of 4-word sequences that stood in the same answer before."
        )
        return Table(caption, (Column("Model", False), Column("Chat format", False), *map(Column, headings)), rows)


def _grade_cell(found: Rate | None) -> Cell:
    """A mean grade with its interval."""
    if found is None or found.value is None or found.ci is None:
        return NOTHING
    low, high = found.ci
    return Cell(f"{found.value:.2f}", note=f"[{low:.2f}, {high:.2f}]", key=f"{found.value:.6f}", css="n")


def win_cell(wins: WinRecord | None) -> Cell:
    """A win rate with its interval, in percent."""
    return _percent_cell(wins.value, wins.ci) if wins else NOTHING


def rate_cell(rate: Rate) -> Cell:
    """A share with its interval, in percent."""
    return _percent_cell(rate.value, rate.ci)


def length_cell(found: LengthControl) -> Cell:
    """The win rate at equal length, or why there is none."""
    if found.value is None:
        return Cell("withheld", css="n")
    cell = _percent_cell(found.value, found.ci)
    return Cell(f"{cell.text} ‡" if found.extrapolated else cell.text, note=cell.note, key=cell.key, css="n")


def _percent_cell(value: float | None, interval: tuple[float, float] | None) -> Cell:
    if value is None:
        return NOTHING
    note = formats.interval_of_percent(interval) if interval else ""
    return Cell(formats.percent(value), note=note, key=f"{value:.6f}", css="n")


def _length_effect(found: LengthControl) -> Cell:
    if found.length_effect is None:
        return Cell("without bound" if found.separated else "–", css="n")
    return number(formats.toxicity_difference(found.length_effect), found.length_effect)


def _rating_row(model: str, rating: ModelRating) -> Row:
    value = NOTHING if rating.value is None else number(rating_points(rating.value), rating.value)
    interval = Cell(rating_interval(rating) if rating.value is not None else "no pairs lead to it", css="n")
    return Row(Cell(model), (value, interval, number(formats.count(rating.n_pairs), rating.n_pairs)))


def _agreement_row(model: str, found: ModelConversation) -> Row:
    second, agreement = found.second_judge, found.agreement
    assert second is not None
    verdicts = [one.verdict.value if one.verdict else "no verdict" for one in (found, second)]
    said = verdicts[0] if verdicts[0] == verdicts[1] else " against ".join(verdicts)
    kappa = Cell("withheld", css="n")
    if agreement and agreement.kappa is not None:
        ends = ", ".join(formats.toxicity(end) for end in agreement.ci) if agreement.ci else ""
        kappa = Cell(formats.toxicity(agreement.kappa), note=f"[{ends}]" if ends else "", css="n")
    same = agreement.agreement if agreement else None
    n_pairs = agreement.n_pairs if agreement else 0
    cells = (
        win_cell(found.win_rate),
        win_cell(second.win_rate),
        number(formats.percent(same), same) if same is not None else NOTHING,
        kappa,
        number(formats.count(n_pairs), n_pairs),
        Cell(said),
    )
    return Row(Cell(model), cells)


def _text_row(model: str, chat_format: str, text: AnswerText) -> Row:
    failed = f", {formats.count(text.n_failed)} failed" if text.n_failed else ""
    numbers = (text.mean_words, text.median_words, text.mean_tokens)
    shares = (text.end_of_turn_rate, text.truncation_rate, text.empty_rate, text.repetition)
    cells = (
        Cell(chat_format_named(chat_format)),
        Cell(formats.count(text.n_answers) + failed, key=f"{text.n_answers:.6f}", css="n"),
        *(number(f"{value:.1f}", value) if value is not None else NOTHING for value in numbers),
        *(number(formats.percent(value), value) if value is not None else NOTHING for value in shares),
    )
    return Row(Cell(model), cells)


def unjudged(judged: Iterable[tuple[str, Judging]]) -> dict[str, dict[str, int]]:
    """The causes of pairs without a verdict, by model."""
    return {model: found.unjudged for model, found in judged if found.unjudged}
