"""A comparison that is asked for rightly, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping

from mplus_eval.errors import SpecError
from mplus_eval.spec.compare import CompareSpec
from mplus_eval.spec.draft import Models, draft_spec


def build_spec(
    models: Models = (), config: str | None = None, options: Mapping[str, object] | None = None
) -> CompareSpec:
    """The spec of a draft without faults; the faults as an error otherwise."""
    spec, faults = draft_spec(models, config, options)
    if faults:
        raise SpecError(faults)
    return spec
