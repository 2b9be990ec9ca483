"""A local mirror of the hub's datasets, in the layout that `--data-dir` reads: `DIR/org/name` as the hub has it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mplus_eval.data.hub import offline, reason, refused
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
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    if offline():
        raise UsageError("HF_HUB_OFFLINE is set, so nothing can be fetched; unset it for this command")
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    for number, dataset in enumerate(wanted):
        progress(dataset, number)
        try:
            _download(dataset, folder / dataset.identifier)
        except RepositoryNotFoundError as error:
            why = f": {hub} has no such dataset (when it is private, set HF_TOKEN)"
            if gated := refused(error, dataset.identifier, dataset=True):
                why = f" {gated}, or fetch other tasks alone with --tasks"
            raise UsageError(f"dataset {dataset.identifier}{why}") from error
        except (LocalEntryNotFoundError, httpx.TransportError, ConnectionError) as error:
            raise UsageError(f"dataset {dataset.identifier}: {hub} cannot be reached") from error
        except HfHubHTTPError as error:
            raise UsageError(f"dataset {dataset.identifier}: {hub} refuses ({reason(error)})") from error


def _download(dataset: WantedDataset, folder: Path) -> None:
    """Bring one dataset's card and then the files that it names."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN"))
    # Asked first, since a download to a folder that holds something takes an unreachable hub for "all is there".
    commit = api.dataset_info(dataset.identifier).sha
    bring = partial(api.snapshot_download, dataset.identifier, repo_type="dataset", revision=commit, local_dir=folder)
    bring(allow_patterns=list(ALWAYS))
    bring(allow_patterns=_patterns(folder / "README.md", dataset.configurations))


def _patterns(card: Path, configurations: Sequence[str]) -> list[str]:
    """The files of the wanted configurations, as the dataset's card names them; every data file where it does not."""
    from datasets.data_files import sanitize_patterns
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    patterns: list[str] = []
    try:
        entries = MetadataConfigs.from_dataset_card_data(DatasetCard.load(card).data)
        default = entries.get_default_config_name() or next(iter(entries), "")
        for entry in [entries[name or default] for name in configurations]:
            root = f"{entry['data_dir'].strip('/')}/" if entry.get("data_dir") else ""
            files = entry.get("data_files")
            paths = [path for split in sanitize_patterns(files).values() for path in split] if files else DATA_FILES
            # The hub matches a whole path, in which `*` stands for folders too.
            patterns += [root + path.removeprefix("./").replace("**/", "*") for path in paths]
    except (OSError, ValueError, KeyError):
        # There is no card, it has no configuration of that name, or it is not as cards are.
        return list(DATA_FILES)
    return patterns


def mirrored(identifier: str, data_dir: Path | None) -> Path | None:
    """The folder of a dataset in a local mirror, when it exists."""
    folder = data_dir / identifier if data_dir else None
    return folder.resolve() if folder and folder.is_dir() else None
