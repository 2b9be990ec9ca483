"""What is here, what is missing, and the command that mends it. Looks only; downloads and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from packaging.requirements import Requirement

from mplus_eval.errors import SpecError
from mplus_eval.spec.backends import BACKENDS
from mplus_eval.store.hashes import cache_directory

PACKAGE = "mplus-eval"
EXTRAS = ("vllm", "ray")
_OLDEST_PYTHON = (3, 11)
_GIGABYTE = 10**9
_LITTLE_DISK = 5 * _GIGABYTE
_HUB_SECONDS = 4.0
_CUDA_MEND = "pip install torch --index-url https://download.pytorch.org/whl/cu128 (the driver's version: nvidia-smi)"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    `ok` is False where something required is missing, None where something optional is; `mend` is the command or step
    that changes this, or None where there is nothing to change.
    """

    name: str
    ok: bool | None
    found: str
    mend: str | None = None


def checks() -> list[Check]:
    """Look at everything that a run may need, in the order in which it would be needed; within seconds."""
    return [*_installation(), *_machine(), *_shipped(), *_fetched(), *_keys_and_extras()]


def _installation() -> Iterator[Check]:
    """Python, the package and its declared dependencies, without those of extras."""
    new_enough = sys.version_info[:2] >= _OLDEST_PYTHON
    mend = None if new_enough else "install Python 3.11 or later, and mplus-eval in it"
    yield Check("python", new_enough, f"{platform.python_version()} at {sys.executable}", mend)
    try:
        declared = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        yield Check("package mplus-eval", False, "runs from its folder, not installed", "pip install .")
        return
    yield Check("package mplus-eval", True, metadata.version(PACKAGE))
    for requirement in map(Requirement, declared):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, mend = f"package {requirement.name}", f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Check(name, False, "missing", mend)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield Check(name, True, version)
        else:
            yield Check(name, False, f"{version}, but {requirement.specifier} is needed", mend)


def _machine() -> Iterator[Check]:
    """Memory, devices and disks."""
    import psutil

    memory = psutil.virtual_memory()
    sizes = f"{memory.available / _GIGABYTE:.1f} of {memory.total / _GIGABYTE:.1f} GB of memory free"
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Check("torch", False, f"cannot be imported ({error})", "pip install --force-reinstall torch")
        yield Check("cpu", True, sizes)
    else:
        yield Check("cpu", True, f"{torch.get_num_threads()} threads for torch, {sizes}")
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            capacity = f"{free / _GIGABYTE:.1f} of {total / _GIGABYTE:.1f} GB free"
            yield Check(f"cuda:{number}", True, f"{torch.cuda.get_device_name(number)}, {capacity}")
        if torch.backends.mps.is_available():
            yield Check("mps", True, "available; choose it with the model key device=mps")
        if not torch.cuda.is_available():
            build = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}" if torch.version.cuda else None
            # There is nothing to install where the machine has no such card.
            has_card = shutil.which("nvidia-smi") is not None
            yield Check(
                "cuda",
                None,
                build or f"torch {torch.__version__} is a build without CUDA",
                _CUDA_MEND if has_card else None,
            )
    for name, path, setting in (("cache", cache_directory(), "XDG_CACHE_HOME"), ("runs", Path.cwd(), "--output")):
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        n_free = shutil.disk_usage(existing).free
        little = n_free < _LITTLE_DISK
        mend = f"free some space, or set {setting} elsewhere" if little else None
        yield Check(
            f"disk of the {name}", None if little else True, f"{n_free / _GIGABYTE:.1f} GB free at {path}", mend
        )
        if not os.access(existing, os.W_OK):
            yield Check(f"disk of the {name}", False, f"{existing} cannot be written", f"chmod u+w {existing}")


def _shipped() -> Iterator[Check]:
    """What comes with the package: suites, and the demo's models, the first of which the others are trained from."""
    from mplus_eval.demo import MODELS
    from mplus_eval.spec.suite import load_suite, shipped_suites

    reinstall = f"pip install --force-reinstall --no-deps {PACKAGE}"
    for name in shipped_suites():
        try:
            suite = load_suite(name)
        except SpecError as error:
            yield Check(f"suite {name}", False, error.faults[0], reinstall)
        else:
            yield Check(f"suite {name}", True, f"{len(suite.tasks)} tasks")
    base = Path(str(resources.files("mplus_eval.demo") / "base"))
    if not (base / "model.safetensors").is_file():
        yield Check("demo model base", False, f"missing in {base}", reinstall)
        return
    yield Check("demo model base", True, "comes with the package")
    from mplus_eval.training.demo_recipe import demo_recipe

    folder = demo_recipe().output
    for name in MODELS[1:]:
        if (folder / name / "training.json").is_file():
            yield Check(f"demo model {name}", True, "in the cache")
        else:
            todo = "not trained yet; the first run of the demo trains it"
            yield Check(f"demo model {name}", None, todo, "mplus-eval compare")


def _fetched() -> Iterator[Check]:
    """What has to be fetched: the scorer of toxicity that the suite `mplus` uses, datasets, and the hub itself."""
    from huggingface_hub.constants import ENDPOINT

    from mplus_eval.data.hub import offline
    from mplus_eval.harmlessness.scorers.detoxify import is_kept
    from mplus_eval.spec.scorers import DEFAULT_SCORER

    if is_kept(DEFAULT_SCORER):
        yield Check(f"scorer {DEFAULT_SCORER}", True, "in torch's cache")
    else:
        mend = f"python -m mplus_eval.harmlessness.scorers {DEFAULT_SCORER}"
        yield Check(f"scorer {DEFAULT_SCORER}", None, "not downloaded; `--scorer words` needs nothing", mend)
    folder = os.environ.get("MPLUS_EVAL_DATA")
    if not folder:
        mend = "mplus-eval tasks fetch --to DIR; export MPLUS_EVAL_DATA=DIR"
        yield Check("datasets", None, "MPLUS_EVAL_DATA is not set; they come from the hub", mend)
    elif not (path := Path(folder).expanduser()).is_dir():
        yield Check("datasets", False, f"MPLUS_EVAL_DATA={folder}: no such directory", "unset MPLUS_EVAL_DATA")
    else:
        n_datasets = sum(1 for entry in path.glob("*/*") if entry.is_dir())
        yield Check("datasets", True, f"MPLUS_EVAL_DATA={folder} holds {n_datasets} datasets")
    if offline():
        yield Check("hub", None, "offline is asked for (HF_HUB_OFFLINE); nothing is downloaded", "unset HF_HUB_OFFLINE")
    elif (cause := _unreachable(ENDPOINT)) is None:
        yield Check("hub", True, f"{ENDPOINT} answers")
    else:
        mend = (
            "export HTTPS_PROXY=http://PROXY:PORT, where the network has a proxy; else give directories and --data-dir"
        )
        yield Check("hub", None, f"{ENDPOINT} cannot be reached ({cause})", mend)


def _unreachable(address: str) -> str | None:
    """Why an address does not answer within a few seconds, or None where it does.

    In a thread of its own, because looking a name up has no time limit that a program could set.
    """
    import httpx

    causes = [f"no answer within {_HUB_SECONDS:.0f} s"]

    def ask() -> None:
        try:
            httpx.head(address, timeout=_HUB_SECONDS, follow_redirects=True)
        except httpx.HTTPError as error:
            causes[0] = " ".join(str(error).split()) or type(error).__name__
        else:
            causes.clear()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_HUB_SECONDS)
    return causes[0] if causes else None


def _keys_and_extras() -> Iterator[Check]:
    """What only some runs need: keys, of which it is told whether they are set and never what they are, and extras."""
    from huggingface_hub import get_token

    servers = [backend.server for backend in BACKENDS.values() if backend.server]
    uses = {"HF_TOKEN": "gated models of the hub"}
    uses |= {server.key_variable: "servers that ask for a key" for server in servers}
    for name, use in uses.items():
        if os.environ.get(name) or (name == "HF_TOKEN" and get_token() is not None):
            yield Check(name, True, f"set ({use})")
        else:
            yield Check(name, None, f"not set; needed for {use} only", f"export {name}=…")
    for name in EXTRAS:
        try:
            yield Check(f"extra {name}", True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(f"extra {name}", None, "not installed", f"pip install '{PACKAGE}[{name}]'")
