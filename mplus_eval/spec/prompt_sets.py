"""The prompt sets that come with the package, which a suite names in a word: `{set: harmbench}`.

Each is a file of `tasks/prompt_sets`: what it is, under which licence, and the keys of a suite's set that read it. None
holds a row of its data. A suite's own keys stand before those of the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mplus_eval.spec.faults import nearest
from mplus_eval.spec.fields import Fields
from mplus_eval.store.yaml import read_yaml


class ShippedSet(Fields):
    """One set, as its file describes it."""

    about: str
    kind: Literal["sampled", "refusal"] = Field(description="gone on from several times, or requests to refuse or not")
    paper: str
    licence: str
    gated: bool = Field(default=False, description="the hub gives it to those alone who accepted its terms")
    instead: str | None = Field(default=None, description="another of these sets, for whoever has no access")
    rows: int = Field(description="of the whole dataset, before rows without a text or label are left out")
    checked: str = Field(description="what its columns were checked against")
    keys: Mapping[str, Any] = Field(description="those of a set in a suite")

    @property
    def page(self) -> str:
        """Where its terms stand."""
        return f"https://huggingface.co/datasets/{self.keys['source']}"


@cache
def shipped_sets() -> dict[str, ShippedSet]:
    """The sets that come with the package, by name."""
    folder = Path(str(resources.files("mplus_eval") / "tasks" / "prompt_sets"))
    return {
        path.stem: ShippedSet.model_validate(read_yaml(path, "prompt set")) for path in sorted(folder.glob("*.yaml"))
    }


def with_shipped_keys(given: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any]:
    """The keys of a suite's set that names a shipped one, with those of the shipped one behind them.

    Args:
        given: what the suite says.
        known: the keys that a set of this kind has; others of the shipped one mean nothing to it.

    Raises:
        ValueError: no such set, or it has no such part.
    """
    name = given["set"]
    if (shipped := shipped_sets().get(str(name))) is None:
        raise ValueError(f"set {name!r} does not come with the package; {nearest(str(name), list(shipped_sets()))}")
    keys = {"name": name, **{key: value for key, value in shipped.keys.items() if key in known}}
    wanted = {key: given[key] for key in ("subset", "split") if key in given}
    if wanted and (parts := keys.get("parts")):
        keys["parts"] = [part for part in parts if all(part.get(key) in (None, value) for key, value in wanted.items())]
        if not keys["parts"]:
            accepted = "; ".join(
                f"{key}: {', '.join(dict.fromkeys(part[key] for part in parts if key in part))}"
                for key in wanted
                if any(key in part for part in parts)
            )
            raise ValueError(f"set {name!r} has no part {', '.join(map(str, wanted.values()))}; accepted: {accepted}")
    return {**keys, **given}
