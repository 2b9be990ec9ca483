"""What is here, what is missing, and the command that mends it. Looks only; downloads and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path

from packaging.requirements import Requirement

from mplus_eval.errors import SpecError
from mplus_eval.store.hashes import cache_directory

PACKAGE = "mplus-eval"
EXTRAS = ("vllm", "ray")
_OLDEST_PYTHON = (3, 11)
_GIGABYTE = 10**9
_LITTLE_DISK = 5 * _GIGABYTE
_HUB_SECONDS = 4.0


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
    looks: tuple[Callable[[], Iterator[Check]], ...] = (
        _python,
        _packages,
        _devices,
        _disk,
        _suites,
        _demo,
        _scorer,
        _data,
        _hub,
        _keys,
        _extras,
    )
    return [check for look in looks for check in look()]


def _python() -> Iterator[Check]:
    new_enough = sys.version_info[:2] >= _OLDEST_PYTHON
    mend = None if new_enough else "install Python 3.11 or later, and mplus-eval in it"
    yield Check("python", new_enough, f"{platform.python_version()} at {sys.executable}", mend)


def _packages() -> Iterator[Check]:
    """The declared dependencies, without those of extras."""
    try:
        declared = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        yield Check("package mplus-eval", False, "runs from its folder, not installed", "pip install .")
        return
    yield Check("package mplus-eval", True, metadata.version(PACKAGE))
    for requirement in map(Requirement, declared):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield package_check(requirement)


def package_check(requirement: Requirement) -> Check:
    """Hold the installed version of a package against the range that is asked for."""
    name, mend = f"package {requirement.name}", f"pip install '{requirement.name}{requirement.specifier}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Check(name, False, "missing", mend)
    if requirement.specifier.contains(version, prereleases=True):
        return Check(name, True, version)
    return Check(name, False, f"{version}, but {requirement.specifier} is needed", mend)


def _devices() -> Iterator[Check]:
    import psutil

    memory = psutil.virtual_memory()
    sizes = f"{memory.available / _GIGABYTE:.1f} of {memory.total / _GIGABYTE:.1f} GB of memory free"
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Check("torch", False, f"cannot be imported ({error})", "pip install --force-reinstall torch")
        yield Check("cpu", True, sizes)
        return
    yield Check("cpu", True, f"{torch.get_num_threads()} threads for torch, {sizes}")
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        capacity = f"{free / _GIGABYTE:.1f} of {total / _GIGABYTE:.1f} GB free"
        yield Check(f"cuda:{number}", True, f"{torch.cuda.get_device_name(number)}, {capacity}")
    if torch.backends.mps.is_available():
        yield Check("mps", True, "available; choose it with the model key device=mps")
    if not torch.cuda.is_available():
        build = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}" if torch.version.cuda else None
        yield Check("cuda", None, build or f"torch {torch.__version__} is a build without CUDA", _cuda_mend())


def _cuda_mend() -> str | None:
    """What brings CUDA, where the machine has the card; nothing where it has none."""
    if shutil.which("nvidia-smi") is None:
        return None
    return "pip install torch --index-url https://download.pytorch.org/whl/cu128 (the driver's version: nvidia-smi)"


def _disk() -> Iterator[Check]:
    for name, path in (("disk of the cache", cache_directory()), ("disk of the runs", Path.cwd())):
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        little = free < _LITTLE_DISK
        mend = f"free some space, or set {'XDG_CACHE_HOME' if 'cache' in name else '--output'} elsewhere"
        yield Check(
            name, None if little else True, f"{free / _GIGABYTE:.1f} GB free at {path}", mend if little else None
        )
        if not os.access(existing, os.W_OK):
            yield Check(name, False, f"{existing} cannot be written", f"chmod u+w {existing}")


def _suites() -> Iterator[Check]:
    from mplus_eval.spec.suite import load_suite, shipped_suites

    for name in shipped_suites():
        try:
            suite = load_suite(name)
        except SpecError as error:
            yield Check(f"suite {name}", False, error.faults[0], f"pip install --force-reinstall --no-deps {PACKAGE}")
        else:
            yield Check(f"suite {name}", True, f"{len(suite.tasks)} tasks")


def _demo() -> Iterator[Check]:
    base = Path(str(resources.files("mplus_eval.demo") / "base"))
    whole = (base / "model.safetensors").is_file()
    mend = None if whole else f"pip install --force-reinstall --no-deps {PACKAGE}"
    yield Check("demo model base", whole, "comes with the package" if whole else f"missing in {base}", mend)
    if not whole:
        return
    from mplus_eval.demo import MODELS
    from mplus_eval.training.demo_models import demo_recipe

    folder = demo_recipe().output
    for name in MODELS[1:]:
        kept = (folder / name / "training.json").is_file()
        found = "in the cache" if kept else "not trained yet; the first run of the demo trains it"
        yield Check(f"demo model {name}", True if kept else None, found, None if kept else "mplus-eval compare")


def _scorer() -> Iterator[Check]:
    """The scorer of toxicity that the suite `mplus` uses, without asking the network."""
    from mplus_eval.harmlessness.scorers.detoxify import is_kept
    from mplus_eval.spec.scorers import DEFAULT_SCORER

    if is_kept(DEFAULT_SCORER):
        yield Check(f"scorer {DEFAULT_SCORER}", True, "in torch's cache")
        return
    mend = f"python -m mplus_eval.harmlessness.scorers {DEFAULT_SCORER}"
    yield Check(f"scorer {DEFAULT_SCORER}", None, "not downloaded; `--scorer words` needs nothing", mend)


def _data() -> Iterator[Check]:
    folder = os.environ.get("MPLUS_EVAL_DATA")
    if not folder:
        mend = "mplus-eval tasks fetch --to DIR; export MPLUS_EVAL_DATA=DIR"
        yield Check("datasets", None, "MPLUS_EVAL_DATA is not set; they come from the hub", mend)
        return
    path = Path(folder).expanduser()
    if not path.is_dir():
        yield Check("datasets", False, f"MPLUS_EVAL_DATA={folder}: no such directory", "unset MPLUS_EVAL_DATA")
        return
    n_datasets = sum(1 for entry in path.glob("*/*") if entry.is_dir())
    yield Check("datasets", True, f"MPLUS_EVAL_DATA={folder} holds {n_datasets} datasets")


def _hub() -> Iterator[Check]:
    from huggingface_hub.constants import ENDPOINT

    from mplus_eval.data.hub import offline

    if offline():
        yield Check("hub", None, "offline is asked for (HF_HUB_OFFLINE); nothing is downloaded", "unset HF_HUB_OFFLINE")
        return
    cause = _unreachable(ENDPOINT)
    if cause is None:
        yield Check("hub", True, f"{ENDPOINT} answers")
        return
    mend = "export HTTPS_PROXY=http://PROXY:PORT, where the network has a proxy; else give directories and --data-dir"
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


def _keys() -> Iterator[Check]:
    """Whether keys are set; never what they are."""
    from huggingface_hub import get_token

    uses = {"HF_TOKEN": "gated models of the hub", "OPENAI_API_KEY": "servers that ask for a key"}
    for name, use in uses.items():
        present = bool(os.environ.get(name)) or (name == "HF_TOKEN" and get_token() is not None)
        found = f"set ({use})" if present else f"not set; needed for {use} only"
        yield Check(name, True if present else None, found, None if present else f"export {name}=…")


def _extras() -> Iterator[Check]:
    for name in EXTRAS:
        try:
            yield Check(f"extra {name}", True, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(f"extra {name}", None, "not installed", f"pip install '{PACKAGE}[{name}]'")
