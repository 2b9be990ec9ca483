"""What a GGUF file says, laid out once as a checkpoint's directory is: configuration, tokenizer and chat template.

The weights stay in the file. All that asks about a model, its template or its vocabulary then finds them where it finds
those of any other. The directory lies in the user's cache, under the hash of the file.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from mplus_eval.models.gguf import GgufError, package_faults, read_gguf
from mplus_eval.models.gguf_tokenizer import UnbuiltError, build_tokenizer
from mplus_eval.store.hashes import cache_directory, changed_file, folder_hashes, hash_components, hash_file
from mplus_eval.store.sealed import DamagedFileError, forget, read_sealed, write_sealed

_LAYOUT = "2"
"""Changed when the same file comes out otherwise."""
_HASHES = "hashes.json"
"""Of the other files, since what is kept for years must be told from what was laid out."""
_UNBUILT = "no_tokenizer.txt"
"""Says in a directory without a tokenizer why there is none."""


def gguf_faults(path: Path, where: str, *, own_tokenizer: bool) -> list[str]:
    """Return what is wrong with a GGUF file.

    Args:
        path: an existing file.
        where: how messages begin.
        own_tokenizer: whether the tokenizer is taken from this file.
    """
    if faults := package_faults(where):
        return faults
    try:
        read_gguf(path)
        directory = laid_out(path)
    except GgufError as error:
        return [f"{where}: {error}"]
    if own_tokenizer and (reason := directory / _UNBUILT).is_file():
        why = reason.read_text(encoding="utf-8")
        return [f"{where}: {path}: {why}; name the model's own tokenizer with tokenizer=DIR"]
    return []


def laid_out(path: Path) -> Path:
    """The directory of what a file says, made where it is not there yet.

    Raises:
        GgufError: when transformers does not know the architecture.
    """
    status = path.stat()
    return _laid_out(path, status.st_size, status.st_mtime_ns)


@lru_cache
def _laid_out(path: Path, _size: int, _changed: int) -> Path:
    import transformers

    made_of = {"file": hash_file(path), "transformers": transformers.__version__, "layout": _LAYOUT}
    directory = cache_directory() / "gguf" / hash_components(made_of)[:32]
    if os.path.lexists(directory):
        if (damage := _damage(directory)) is None:
            return directory
        forget(directory, f"{directory}, what {path} says, is damaged ({damage})")
    directory.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=directory.parent, prefix="."))
    try:
        _lay_out(path, partial)
        write_sealed(partial / _HASHES, {"files": folder_hashes(partial)})
        # Where another process was faster, its directory holds the same.
        with suppress(OSError):
            partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return directory


def _damage(directory: Path) -> str | None:
    """What of a directory is not as it was laid out, or None."""
    try:
        return changed_file(directory, read_sealed(directory / _HASHES, always_sealed=True)["files"])
    except DamagedFileError as error:
        return f"{_HASHES}: {error.why}"


def _lay_out(path: Path, directory: Path) -> None:
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(path.parent, gguf_file=path.name).save_pretrained(directory)
    except Exception as error:
        raise GgufError(f"{path} cannot be read by transformers ({' '.join(str(error).split())[:150]})") from error
    try:
        build_tokenizer(read_gguf(path)).save_pretrained(directory)
    except UnbuiltError as error:
        (directory / _UNBUILT).write_text(str(error), encoding="utf-8")
