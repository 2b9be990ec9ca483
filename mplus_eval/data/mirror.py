"""A local mirror of the hub's datasets, in the layout that `--data-dir` reads: `DIR/org/name` as the hub has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mplus_eval.data.hub import offline
from mplus_eval.errors import UsageError

DATA_FILES = ("*.parquet", "*.json", "*.jsonl", "*.csv", "*.tsv", "*.txt", "*.arrow", "*.zip", "*.gz", "*.zst")
"""What is fetched of a dataset whose card does not say which files make up a configuration; never a script."""

ALWAYS = ("README.md", "dataset_infos.json", "LICENSE*")


@dataclass(frozen=True)
class WantedDataset:
    """A dataset of the hub, and the configurations that tasks use; an empty name is the default one."""

    identifier: str
    configurations: tuple[str, ...]


def fetch(wanted: Sequence[WantedDataset], folder: Path, progress: Callable[[WantedDataset, int], None]) -> None:
    """Download datasets; files that are there and unchanged are left alone, so an interrupted fetch goes on.

    Args:
        wanted: what to fetch.
        folder: the mirror; each dataset gets `folder/org/name`.
        progress: called with each dataset and its number before it is fetched.

    Raises:
        UsageError: when the hub cannot be reached or does not give a dataset.
    """
    if offline():
        raise UsageError("HF_HUB_OFFLINE is set, so nothing can be fetched; unset it for this command")
    for number, dataset in enumerate(wanted):
        progress(dataset, number)
        _fetch_one(dataset, folder / dataset.identifier)


def _fetch_one(dataset: WantedDataset, folder: Path) -> None:
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        _download(dataset, folder)
    except RepositoryNotFoundError as error:
        reason = f"{hub} has no such dataset, or not for you: accept its terms there and set HF_TOKEN"
        raise UsageError(f"dataset {dataset.identifier}: {reason}") from error
    except (LocalEntryNotFoundError, httpx.TransportError, ConnectionError) as error:
        raise UsageError(f"dataset {dataset.identifier}: {hub} cannot be reached") from error
    except HfHubHTTPError as error:
        cause = " ".join(str(error).split())[:200]
        raise UsageError(f"dataset {dataset.identifier}: {hub} refuses ({cause})") from error


def _download(dataset: WantedDataset, folder: Path) -> None:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN"))
    # Asked first, since a download to a folder that holds something takes an unreachable hub for "all is there".
    commit = api.dataset_info(dataset.identifier).sha

    def download(patterns: Sequence[str]) -> None:
        api.snapshot_download(
            dataset.identifier,
            repo_type="dataset",
            revision=commit,
            local_dir=folder,
            allow_patterns=list(patterns),
        )

    download(ALWAYS)
    download(_patterns(folder / "README.md", dataset.configurations))


def _patterns(card: Path, configurations: Sequence[str]) -> list[str]:
    """The files of the wanted configurations, as the dataset's card names them; every data file where it does not."""
    known = _configurations(card)
    names = [_default(known) if name == "" else name for name in configurations]
    if not known or any(name not in known for name in names):
        return list(DATA_FILES)
    return [pattern for name in names for pattern in _files(known[name])]


def _configurations(card: Path) -> dict[str, Mapping[str, Any]]:
    from huggingface_hub import DatasetCard

    if not card.is_file():
        return {}
    entries = DatasetCard.load(card).data.to_dict().get("configs") or []
    return {entry["config_name"]: entry for entry in entries}


def _default(known: Mapping[str, Mapping[str, Any]]) -> str:
    marked = [name for name, entry in known.items() if entry.get("default")]
    return [*marked, *(["default"] if "default" in known else []), *known, ""][0]


def _files(entry: Mapping[str, Any]) -> list[str]:
    """File patterns of one configuration: a string, a list, or a list of splits with paths; under `data_dir`."""
    root = f"{entry['data_dir'].strip('/')}/" if entry.get("data_dir") else ""
    files = entry.get("data_files")
    if files is None:
        return [f"{root}{pattern}" for pattern in DATA_FILES]
    splits = files if isinstance(files, list) else [files]
    paths = [split["path"] if isinstance(split, Mapping) else split for split in splits]
    flat = [path for each in paths for path in (each if isinstance(each, list) else [each])]
    return [root + path.removeprefix("./").replace("**/", "*") for path in flat]


def mirrored(identifier: str, data_dir: Path | None) -> Path | None:
    """The folder of a dataset in a local mirror, when it exists."""
    folder = data_dir / identifier if data_dir else None
    return folder.resolve() if folder and folder.is_dir() else None
