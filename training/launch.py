"""Several processes: which one this is, and how the command starts itself again under a launcher."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.training.recipe import Recipe


def is_main() -> bool:
    """Whether this process speaks and writes for its group."""
    return int(os.environ.get("RANK", "0")) == 0


def environment_outside_the_group() -> dict[str, str]:
    """This environment for a process that is not of the group: without what the launcher put into it."""
    own = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    kinds = ("LOCAL_", "GROUP_", "ROLE_", "TORCHELASTIC_", "ACCELERATE_", "FSDP_")
    return {key: value for key, value in os.environ.items() if key not in own and not key.startswith(kinds)}


def relaunch(recipe: Recipe, arguments: Sequence[str]) -> list[str] | None:
    """The command that trains in a group of processes; None where one process is asked for, or this is one of a group.

    Args:
        recipe: how many processes and machines.
        arguments: the command line after `mplus-eval train`.

    Raises:
        UsageError: several machines, and the environment does not say which one this is.
    """
    launch = recipe.launch
    if recipe.n_processes == 1 or "RANK" in os.environ:
        return None
    if recipe.device == "cpu" and launch.machines == 1:
        # Without GPUs accelerate starts groups through MPI; torch's own launcher needs nothing installed.
        group = ["torch.distributed.run", "--standalone", "--nproc_per_node", str(recipe.n_processes)]
        return [sys.executable, "-m", *group, "-m", "mplus_eval", "train", *arguments]
    command = [sys.executable, "-m", "accelerate.commands.launch"]
    if launch.accelerate:
        command += ["--config_file", str(accelerate_config(launch.accelerate))]
    command += ["--num_processes", str(recipe.n_processes), "--num_machines", str(launch.machines)]
    command += [] if launch.accelerate else ["--multi_gpu"]
    if launch.machines == 1:
        command += ["--main_process_port", "0"]
    else:
        # Where the group meets stands in the environment.
        names = ("MACHINE_RANK", "MAIN_PROCESS_IP", "MAIN_PROCESS_PORT")
        if missing := [name for name in names if name not in os.environ]:
            raise UsageError(
                f"{launch.machines} machines: set {', '.join(missing)} on each, and run the same command on all"
            )
        command += [part for name in names for part in (f"--{name.lower()}", os.environ[name])]
    return [*command, "-m", "mplus_eval", "train", *arguments]


def accelerate_config(name_or_path: str) -> Path:
    """An accelerate configuration: a file, or one that ships with the package.

    Raises:
        SpecError: neither.
    """
    folder = Path(str(resources.files("mplus_eval") / "training" / "recipes" / "accelerate"))
    shipped = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    path = Path(name_or_path).expanduser()
    if not path.is_file() and name_or_path not in shipped:
        names = ", ".join(shipped)
        raise SpecError([f"launch.accelerate {name_or_path!r}: no such file, and no shipped configuration ({names})"])
    return path if path.is_file() else shipped[name_or_path]
