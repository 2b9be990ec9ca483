"""Models on the hub: whether one can be read, and its files brought here; nothing is fetched while it is offline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from fnmatch import fnmatch
from pathlib import Path
from threading import Lock

from mplus_eval.data.hub import offline, reason, refused
from mplus_eval.errors import SpecError
from mplus_eval.models.checkpoints import (
    ADAPTER_WEIGHTS,
    PICKLED_ADAPTER,
    TEKKEN,
    VOCABULARY_FILES,
    adapter_faults,
    checkpoint_faults,
    tekken_faults,
    tokenizer_faults,
    unread_fault,
)
from mplus_eval.models.gguf import choose_gguf, gguf_names, package_faults
from mplus_eval.spec.model import ModelSpec
from mplus_eval.store.hashes import TOKENIZER_FILES

Preparing = Callable[[str, int, int], None]
"""Called with what is being prepared, and how much of it is done, of how much."""

_TIMEOUT_SECONDS = 10.0
_SECONDS_BETWEEN_NEWS = 0.2
_MEGABYTE = 10**6


def checkpoint_files(names: Sequence[str]) -> list[str]:
    """Choose from a repository's files those of which a checkpoint is made.

    Weights are taken once: safetensors where there are any, and only those that transformers reads (a repository may
    hold the same weights again for other programs).
    """
    top = [name for name in names if "/" not in name]
    weights = [name for name in top if fnmatch(name, "model*.safetensors") or name == ADAPTER_WEIGHTS]
    weights = weights or [name for name in top if fnmatch(name, "pytorch_model*.bin") or name == PICKLED_ADAPTER]
    rest = [name for name in top if name.endswith((".json", ".jinja", ".model", ".txt", ".py"))]
    return [*weights, *rest]


def tokenizer_files(names: Sequence[str]) -> list[str]:
    """Choose from a repository's files those of which a tokenizer is made."""
    return [name for name in names if name in (*TOKENIZER_FILES, "config.json", "chat_template.jinja")]


def hub_faults(model: ModelSpec, where: str) -> list[str]:
    """Ask the hub, or its local cache when it is offline, whether a model can be read from there.

    Args:
        model: whose source is a repository, `org/name`.
        where: how messages begin.
    """
    source, revision, own_tokenizer = model.source, model.revision, model.tokenizer is None
    cached = cached_directory(source, revision, ("config.json", "adapter_config.json", *filter(None, [model.file])))
    in_cache = None
    if cached is not None and model.file:
        in_cache = choose_gguf([path.name for path in cached.iterdir()], model.file, source, where)[1]
    elif cached is not None and (cached / "config.json").is_file():
        in_cache = checkpoint_faults(
            cached,
            where,
            own_tokenizer=own_tokenizer,
            foreign_code=model.trust_remote_code,
            pickled=model.allow_bin,
        )
    elif cached is not None:
        in_cache = adapter_faults(cached, where, pickled=model.allow_bin)
    names, faults = _listing(source, revision, where, usable_offline=in_cache == [])
    if names is None:
        return faults if in_cache is None else in_cache or faults
    files = checkpoint_files(names)
    weights = [name for name in files if name.endswith((".safetensors", ".bin"))]
    if model.file or (gguf_names(names) and not weights):
        return choose_gguf(names, model.file, f"{source} on the hub", where)[1] or package_faults(where)
    if not weights:
        return [f"{where}: {source} on the hub has no weights (safetensors)"]
    if weights[0].endswith(".bin") and not model.allow_bin:
        return [unread_fault(f"{source}'s {weights[0]}", where)]
    if own_tokenizer and not {ADAPTER_WEIGHTS, PICKLED_ADAPTER, *VOCABULARY_FILES} & set(files):
        if TEKKEN in names:
            return tekken_faults(where)
        return [f"{where}: {source} on the hub has no tokenizer; name one with tokenizer=SOURCE"]
    return []


def hub_tokenizer_faults(source: str, where: str) -> list[str]:
    """Ask whether a tokenizer can be read from the hub, or from its local cache when it is offline."""
    cached = cached_directory(source, None, VOCABULARY_FILES)
    names, faults = _listing(source, None, where, usable_offline=cached is not None)
    if names is not None and not set(names) & set(VOCABULARY_FILES):
        return [f"{where}: {source} on the hub has no tokenizer"]
    return faults if cached is None else tokenizer_faults(cached, where)


def fetch(
    source: str,
    revision: str | None,
    choose: Callable[[Sequence[str]], list[str]],
    preparing: Preparing | None = None,
) -> Path:
    """Bring the chosen files of a repository into the hub's cache; return their directory there.

    Raises:
        SpecError: when they cannot be had.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        if offline():
            # The cache also lists the files that were not chosen when it was filled, and would miss them.
            return Path(
                snapshot_download(source, revision=revision, local_files_only=True, allow_patterns="config.json")
            )
        info = HfApi().model_info(source, revision=revision, files_metadata=True, timeout=_TIMEOUT_SECONDS)
        sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
        files = choose(list(sizes))
        total = sum(sizes[name] for name in files) // _MEGABYTE

        def tell(n_bytes: int) -> None:
            if preparing is not None:
                preparing(f"downloading {source}, megabytes", min(n_bytes // _MEGABYTE, total), total)

        return _download(source, revision, files, tell)
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        why = refused(error, source, dataset=False) or f"cannot be downloaded from the hub ({reason(error)})"
        raise SpecError([f"{source} {why}"]) from error


def _download(source: str, revision: str | None, files: Sequence[str], tell: Callable[[int], None]) -> Path:
    """Download files of a repository, several at once.

    It runs in a thread of its own, which is told to stop when this one is interrupted: by itself it would first finish
    the files that are on their way, which may be gigabytes.

    Args:
        source: the repository.
        revision: branch, tag or commit; None for the main branch.
        files: names of files in it.
        tell: called with the bytes that are here, every now and then.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import tqdm

    n_bytes, stopped, lock = 0, False, Lock()

    class Counter(tqdm):  # type: ignore[misc, unused-ignore]
        """A bar that draws nothing and counts bytes; others count files, and what came over the network, packed."""

        def __init__(self, *arguments: object, **options: object) -> None:
            self._counts = options.get("unit") == "B" and not str(options.get("name")).endswith(".transfer")
            super().__init__(*arguments, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal n_bytes
            if stopped:
                raise RuntimeError("the download was stopped")
            if self._counts:
                with lock:
                    n_bytes += int(n or 0)

    with ThreadPoolExecutor(1) as pool:
        download = pool.submit(
            snapshot_download, source, revision=revision, allow_patterns=list(files), tqdm_class=Counter
        )
        try:
            tell(0)
            while not wait([download], _SECONDS_BETWEEN_NEWS).done:
                tell(n_bytes)
        except BaseException:  # Ctrl-C too: the threads that download are told, and it goes on its way
            stopped = True
            raise
    return Path(download.result())


def cached_directory(source: str, revision: str | None, names: Sequence[str]) -> Path | None:
    """Where the hub's cache holds a repository, told by any one of those files; None when it does not."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in names:
        try:
            file = try_to_load_from_cache(source, name, revision=revision)
        except HFValidationError:
            return None
        if isinstance(file, str):
            return Path(file).parent
    return None


def _listing(
    source: str, revision: str | None, where: str, *, usable_offline: bool
) -> tuple[list[str] | None, list[str]]:
    """The names of a repository's files, or None with what stands in the way, if anything does."""
    import httpx
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    nowhere = f"{where}: {source} is no directory here"
    if offline():
        hint = "HF_HUB_OFFLINE is set: unset it, or give a directory"
        return None, [] if usable_offline else [f"{nowhere} and not whole in the hub's cache, and {hint}"]
    try:
        info = HfApi().model_info(source, revision=revision, timeout=_TIMEOUT_SECONDS)
        if info.gated:
            HfApi().auth_check(source)
    except RevisionNotFoundError:
        return None, [f"{where}: {source} has no revision {revision!r}"]
    except RepositoryNotFoundError as error:
        if why := refused(error, source, dataset=False):
            return None, [f"{where}: {source} {why}, or give a directory that holds it"]
        return None, [f"{nowhere} and no model on the hub (when it is private, set HF_TOKEN)"]
    except HFValidationError:
        return None, [f"{nowhere}, and cannot be a model on the hub, where names are org/name"]
    except (HfHubHTTPError, httpx.HTTPError, OSError) as error:
        if why := refused(error, source, dataset=False):
            return None, [] if usable_offline else [f"{where}: {source} {why}, or give a directory that holds it"]
        hint = f"the hub cannot be reached ({reason(error)}): give a directory, or mend the network"
        return None, [] if usable_offline else [f"{nowhere}, and {hint}"]
    return [sibling.rfilename for sibling in info.siblings or []], []
