"""What every spec and recipe is made of: values that never change, and numbers that are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""A name that becomes a path."""


class Fields(BaseModel):
    """What was asked for is a value: it never changes, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Accepts:
    """Beside a field's type: what it accepts, where pydantic's own words for it would puzzle."""

    words: str


def not_a_truth_value(value: object) -> object:
    """Refuse `limit: true`, which Python would take for 1."""
    if isinstance(value, bool):
        raise ValueError("a number is expected")
    return value


Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Positive = Annotated[int, BeforeValidator(not_a_truth_value), Field(gt=0)]
WholeNumber = Annotated[int, BeforeValidator(not_a_truth_value), Field(ge=0)]
Share = Annotated[float, BeforeValidator(not_a_truth_value), Field(gt=0, le=1024, allow_inf_nan=False)]
