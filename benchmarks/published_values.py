"""What was published of models: the values of published_values.yaml, each with its source, and what agrees with one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, RootModel, ValidationError, field_validator, model_validator

from mplus_eval.errors import SpecError
from mplus_eval.records.base import Interval
from mplus_eval.spec.faults import faults_of, nearest
from mplus_eval.spec.fields import Fields, Name, Positive, WholeNumber
from mplus_eval.store.yaml import read_yaml

TABLE = Path(__file__).with_suffix(".yaml")
Text = Annotated[str, Field(min_length=1)]


class Published(Fields):
    """One published value, and by which task of lm-eval it is measured again."""

    name: Name = Field(description="of the row, by which --only knows it")
    benchmark: Text = Field(description="as the source calls it")
    value: Decimal = Field(ge=0, le=100, description="in points, with as many digits as were published")
    shots: WholeNumber
    tasks: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="lm-eval's; the mean of several is the value"
    )
    metric: Text
    filter: Text | None = Field(default=None, description="lm-eval's; its first when absent")
    split: Text = Field(description="of the data that is asked")
    data: Text = Field(description="the dataset's id: org/name")
    chat: bool = Field(default=False, description="whether prompts are put into the model's own chat template")
    items: Positive | None = Field(default=None, description="of a printout, drawn with a seed; all when absent")
    source: Text | None = Field(default=None, description="where it stands; the model's when absent")
    note: str = Field(default="", description="in what it was asked otherwise when it was published")
    differs: str = Field(default="", description="why the measured value lies elsewhere, once that was looked into")

    @field_validator("value", mode="before")
    @classmethod
    def as_written(cls, value: object) -> object:
        """Keep the digits of a number: 29.0 was published to a tenth."""
        return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @property
    def rounding(self) -> float:
        """Half a unit of the last published digit, in points."""
        exponent = self.value.as_tuple().exponent
        assert isinstance(exponent, int)
        return float(Decimal("0.5").scaleb(exponent))

    def agrees(self, interval: Interval) -> bool:
        """Whether an interval of fractions holds the value, or a number that is rounded to it."""
        low, high = (100 * end for end in interval)
        return low - self.rounding <= float(self.value) <= high + self.rounding


class Card(Fields):
    """What was published of one model."""

    source: Text = Field(description="where the values stand that name no other place")
    weights: Text = Field(description="those that `differs` speaks of")
    values: Annotated[tuple[Published, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def names_stand_once(self) -> Self:
        """Refuse two rows of one name."""
        names = [value.name for value in self.values]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two values have the name {', '.join(map(repr, twice))}")
        return self

    def chosen(self, names: tuple[str, ...]) -> tuple[Published, ...]:
        """The values of these names, in the table's order; all where none is named."""
        return tuple(value for value in self.values if not names or value.name in names)


class _Cards(RootModel[dict[Name, Card]]):
    """The table: cards by model."""


def read_cards(path: Path = TABLE) -> dict[str, Card]:
    """Read the table.

    Raises:
        SpecError: with every fault.
    """
    try:
        return _Cards.model_validate(read_yaml(path, "table")).root
    except ValidationError as error:
        raise SpecError(fault.dotted_line(f"table {path}") for fault in faults_of(error, _Cards)) from None


def card_of(cards: dict[str, Card], model: str) -> Card:
    """The card of a model.

    Raises:
        SpecError: nothing published of it stands in the table.
    """
    if model not in cards:
        raise SpecError([f"model {model!r}: nothing published of it is in {TABLE.name}; {nearest(model, list(cards))}"])
    return cards[model]
