"""The base of every record that is stored as JSON, and the records that several parts of a comparison are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer

Interval = tuple[float, float]
Probability = Annotated[float, Field(ge=0, le=1)]


class Record(BaseModel):
    """A frozen record that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    # Without an annotation, since pydantic would take it for the JSON Schema of every record.
    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo):  # type: ignore[no-untyped-def]
        """Leave out of JSON what was not evaluated; a field that must be there stays, as null."""
        fields = handler(self)
        if info.mode != "json":
            return fields
        known = type(self).model_fields
        return {key: value for key, value in fields.items() if value is not None or known[key].is_required()}


class Verdict(StrEnum):
    """What the data show of one difference; the first that holds, in this order."""

    IMPROVED = "improved"
    PRESERVED = "preserved"
    DEGRADED = "degraded"
    UNDECIDED = "undecided"
    NOT_COMPARABLE = "not comparable"


class Contrast(Record):
    """One model against another on one task, paired by item over the items that both scored.

    `lost`, `gained` and `wrong_to_other_wrong` count items; for graded scores lost and gained count items whose
    score fell and rose. `p_value` is two-sided, against no difference; `p_non_inferiority` is one-sided, against a
    loss of `margin` or more; the adjusted ones are Holm's over the tasks of this model.
    """

    difference: float
    ci: Interval
    n_pairs: int
    test: str
    p_value: Probability
    p_adjusted: Probability
    p_non_inferiority: Probability
    p_non_inferiority_adjusted: Probability
    margin: float
    lost: int
    gained: int
    wrong_to_other_wrong: int
    smallest_detectable_difference: float | None
    smallest_provable_margin: float | None
    verdict: Verdict
    flags: tuple[str, ...] = ()
    above_noise: bool | None = Field(
        default=None,
        description="whether the share of items lost or gained is above the upper end of the noise floor's interval",
    )
