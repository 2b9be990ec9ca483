"""DROP's exact match and F1, as lm-eval computes them; named here because a task file reaches only its own folder."""

from __future__ import annotations

from lm_eval.tasks.drop.utils import process_results

__all__ = ["process_results"]
