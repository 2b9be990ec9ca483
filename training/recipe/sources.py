"""Where a recipe's rows come from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mplus_eval.spec.fields import Fields, Positive, WholeNumber


class DataSource(Fields):
    """Where rows come from: a hub id, a directory, a JSONL or Parquet file, or `demo:NAME`."""

    source: str = Field(min_length=1)
    subset: str | None = Field(
        default=None, description="configuration or data_dir of the dataset, such as harmless-base"
    )
    split: str = "train"
    revision: str | None = None
    n: Positive | None = Field(default=None, description="at most so many rows, the first after shuffling by the seed")
    seed: WholeNumber | None = Field(default=None, description="of the draw; the recipe's when not given")
    on_bad_row: Literal["fail", "skip"] | None = Field(
        default=None, description="what a malformed row does; skip for public datasets known to have some, else fail"
    )


class PairDataSource(DataSource):
    """Preference pairs: `chosen` and `rejected`, in one of the known layouts."""

    layout: Literal["auto", "dialogue", "columns", "pku", "messages"] = "auto"


class PromptDataSource(DataSource):
    """Prompts; `column` names where they stand. Pairs may be given too: their prompts are taken."""

    column: str | None = None
