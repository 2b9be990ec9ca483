"""Numbers of a recipe, written as YAML has them: `1e-5` is text to YAML, since it has no dot."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

from mplus_eval.spec.fields import not_a_truth_value


def number(value: object) -> object:
    """Take `1e-5` for a number, and refuse a truth value."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return not_a_truth_value(value)


def scientific(value: object) -> object:
    """Take `1e-3` for a number, and leave all other texts alone."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", value) else value


Number = Annotated[float, BeforeValidator(number)]
PositiveNumber = Annotated[float, BeforeValidator(number), Field(gt=0)]
NotNegative = Annotated[float, BeforeValidator(number), Field(ge=0)]
Share = Annotated[float, BeforeValidator(number), Field(ge=0, lt=1)]
