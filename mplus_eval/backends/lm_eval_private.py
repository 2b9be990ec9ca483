"""Every name of lm-eval that is not public and that this package needs, so that a new version is met in one place.

Underscored modules (`TaskIndex`, `TaskFactory`, `load_yaml` live in them), attributes and functions stand here under
names of our own; methods of a base class that a class of ours replaces are listed in `REPLACED`. A test holds them
all against the lm-eval that is installed. Imports lm-eval, though not torch, so it is imported only where needed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import lm_eval.utils
from jinja2 import BaseLoader, StrictUndefined
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks._index import Entry, Kind, TaskIndex
from lm_eval.tasks._yaml_loader import load_yaml

from mplus_eval.sandbox import Sandbox, regex_replace

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.api.model import LM
    from lm_eval.api.task import Task

__all__ = [
    "REPLACED",
    "EncodedPair",
    "Entry",
    "Kind",
    "OpenTaskFactory",
    "TaskIndex",
    "filter_names",
    "load_yaml",
    "score_tokens",
    "score_with",
    "set_requests",
    "token_scorer",
]

# The environment of all templates in task definitions, which lm-eval gives none of a sandbox's limits.
lm_eval.utils.env = Sandbox(
    changes_lists=True, loader=BaseLoader(), undefined=StrictUndefined, keep_trailing_newline=True
)
lm_eval.utils.env.filters["regex_replace"] = regex_replace

REPLACED = {
    "_create_model": ("quantization_config",),
    "_loglikelihood_tokens": ("requests", "disable_tqdm", "override_bs"),
}
"""Methods of lm-eval's `HFLM` that `CheckedHFLM` and `FastHFLM` replace, with parameters that these rely on."""

EncodedPair = tuple[tuple[str, str] | None, list[int], list[int]]
"""The two texts of a request, None for a piece of a whole text, and the token ids of both."""


def score_tokens(lm: LM, pairs: Sequence[EncodedPair]) -> list[tuple[float, bool]]:
    """The log-probability of each continuation, and whether it is greedy, by a model that takes ids."""
    return token_scorer(lm)(pairs)


def token_scorer(lm: LM) -> Callable[[Sequence[EncodedPair]], list[tuple[float, bool]]]:
    """As `score_tokens`, by the model's own way whatever `score_with` puts in its place later."""
    own = lm._loglikelihood_tokens
    return lambda pairs: [(float(value), bool(greedy)) for value, greedy in own(list(pairs), disable_tqdm=True)]


def score_with(lm: LM, score: Callable[[Sequence[EncodedPair]], Sequence[object]]) -> None:
    """Have an lm-eval model that encodes texts hand the ids to a function, whose results it then gives back."""
    lm._loglikelihood_tokens = lambda requests, **_: list(score(requests))


def set_requests(task: Task, requests: Sequence[Instance]) -> None:
    """Give a task the answered requests that its filters will be applied to."""
    task._instances = list(requests)


def filter_names(task: Task) -> list[str]:
    """The names of a task's filters, the usual one first."""
    return [str(each.name) for each in task._filters]


class OpenTaskFactory(TaskFactory):  # type: ignore[misc, unused-ignore]
    """lm-eval's factory, with the steps that a subclass does otherwise under public names."""

    full_config = TaskFactory._load_full_config
    """The configuration of an entry with its includes, functions and overrides."""

    @abstractmethod
    def build_task(self, entry: Entry, overrides: Mapping[str, object] | None) -> object:
        """Make a task of its configuration."""

    def build_group(
        self,
        name: str,
        config: Mapping[str, object],
        overrides: Mapping[str, object] | None,
        registry: dict[str, Entry],
    ) -> object:
        """Make a group with its members; `config` is as in its YAML file."""
        return super()._build_group(name, config, overrides, registry)

    def _build_task(self, entry: Entry, overrides: Mapping[str, object] | None) -> object:
        return self.build_task(entry, overrides)

    def _build_group(
        self,
        group_name: str,
        raw_cfg: Mapping[str, object],
        overrides: Mapping[str, object] | None,
        registry: dict[str, Entry],
    ) -> object:
        return self.build_group(group_name, raw_cfg, overrides, registry)
