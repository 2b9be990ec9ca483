"""A suite: a named list of tasks with shots and metric, and the margins its verdicts use."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SuiteTask(BaseModel):
    """One task of a suite: an lm-eval task or group, and how this suite asks and scores it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="the name in the report, on disk and in --tasks")
    lm_eval: str = Field(description="lm-eval's task or group, or a definition beside the suite")
    shots: int | None = Field(None, ge=0, description="few-shot examples; lm-eval's own number when absent")
    metric: str | None = Field(None, description="lm-eval's metric; its first when absent")
    filter: str | None = Field(None, description="lm-eval's filter; its first when absent")
    cluster: str | None = Field(None, description="column of the data whose equal values make items a cluster")
    higher_is_better: bool = True
    margin: float | None = Field(None, gt=0, lt=1, description="non-inferiority margin; the suite's when absent")


class Suite(BaseModel):
    """A named list of tasks; margins and level are those of DESIGN's verdict rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    description: str = ""
    margin: float = Field(0.01, gt=0, lt=1, description="non-inferiority margin of the macro-average")
    task_margin: float = Field(0.02, gt=0, lt=1, description="non-inferiority margin of a task")
    level: float = Field(0.05, gt=0, lt=1)
    tasks: tuple[SuiteTask, ...]
