"""Who computes the cells of a run, as it is asked for: an executor, and the devices of this machine.

--devices 0,1,2,3     four workers, each with a GPU
--devices 0+1,2+3     two workers with two GPUs each, for models that need them
--devices cpu,cpu     two workers on the processor, each with a thread, unless OMP_NUM_THREADS says otherwise
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator

EXECUTORS = {
    "local": "this machine, with a worker for each of --devices",
    "ray": "workers of a Ray cluster",
    "shared": "machines that share the run directory, each started with the same command",
}
DEVICES_ACCEPTED = (
    "numbers of GPUs separated by commas, as 0,1 or in groups as 0+1,2+3; or cpu once for each worker, as cpu,cpu"
)
MOST_WORKERS = 1024
"""More are a slip of the hand."""

if TYPE_CHECKING:
    ExecutorName = str
else:
    # For pydantic, which says the names that are accepted.
    ExecutorName = Literal[tuple(EXECUTORS)]


@dataclass(frozen=True)
class Place:
    """Where one worker computes: GPUs by their numbers, or the processor where there are none."""

    gpus: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """A place as it is written; None where it is none."""
        if re.fullmatch(r"cpu(:\d{1,4})?", text):
            return cls(())
        if re.fullmatch(r"\d{1,4}(\+\d{1,4})*", text):
            return cls(tuple(map(int, text.split("+"))))
        return None

    @property
    def name(self) -> str:
        """As messages have it."""
        return f"GPU {'+'.join(map(str, self.gpus))}" if self.gpus else "cpu"


def _texts(value: object) -> object:
    """The places of a text as on the command line, of a number, or of a list of both."""
    if isinstance(value, str):
        return [text.strip() for text in value.split(",") if text.strip()]
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, Sequence):
        return [str(each) if isinstance(each, int) and not isinstance(each, bool) else each for each in value]
    return value


def _checked(devices: tuple[str, ...]) -> tuple[str, ...]:
    places = [Place.parse(text) for text in devices]
    if not devices or None in places:
        raise ValueError(DEVICES_ACCEPTED)
    if len(devices) > MOST_WORKERS or any(len(set(place.gpus)) < len(place.gpus) for place in places if place):
        raise ValueError(DEVICES_ACCEPTED)
    return devices


Devices = Annotated[tuple[str, ...], BeforeValidator(_texts), AfterValidator(_checked)]


def places(devices: Sequence[str]) -> list[Place]:
    """The places of checked texts."""
    return [place for text in devices if (place := Place.parse(text)) is not None]


def device_faults(
    devices: Sequence[str], n_gpus: int, named: Mapping[str, str], needed: Mapping[str, int]
) -> list[str]:
    """What of the devices cannot be had, or contradicts the models.

    Args:
        devices: as asked for.
        n_gpus: that there are.
        named: the device that a model is to be loaded to by its own key, by the model's name.
        needed: how many devices a model is split over, by its name.
    """
    asked, wanted = ",".join(devices), places(devices)
    faults = []
    if any(place.gpus for place in wanted) and not all(place.gpus for place in wanted):
        faults.append(f"--devices {asked}: GPUs and cpu together would give a cell numbers by who came first")
    here = f"GPUs 0 to {n_gpus - 1} are here" if n_gpus > 1 else "GPU 0 is here"
    there = here if n_gpus else "no GPU is here; cpu is accepted"
    absent = sorted({gpu for place in wanted for gpu in place.gpus if gpu >= n_gpus})
    faults += [f"--devices {asked}: there is no GPU {gpu}; {there}" for gpu in absent]
    faults += [
        f"model {name!r}: device={device} is given, and --devices too; one of them is accepted"
        for name, device in named.items()
    ]
    largest = max(len(place.gpus) or 1 for place in wanted)
    faults += [
        f"model {name!r}: it is split over {n} devices, and no group of --devices {asked} has so many"
        for name, n in needed.items()
        if n > largest
    ]
    return faults
