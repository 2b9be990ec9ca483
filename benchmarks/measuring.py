"""What the benchmarks of scoring and generation share: arguments, the model, a clock, and the memory held."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch
from printout import add_write
from request_sets import random_model, tokenizer

BATCH_SIZES = (1, 8, 16)
"""Of HFLM."""
TIE = 1e-4
"""Where the two best logits are closer than this, rounding may choose either token."""


def parser(description: str, quick: str) -> argparse.ArgumentParser:
    """The arguments that both take; `quick` says what --quick does."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    found.add_argument("--model", type=Path, help="a checkpoint directory; a random model when not given")
    found.add_argument("--size", choices=("22M", "25M", "1B"), default="25M", help="of the random model")
    found.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    found.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    found.add_argument("--threads", type=int, default=1, help="of the processor")
    found.add_argument("--seed", type=int, default=0)
    found.add_argument("--quick", action="store_true", help=quick)
    found.add_argument("--json", type=Path, metavar="FILE")
    add_write(found)
    return found


def load(arguments: argparse.Namespace, *, spread: float = 1.0) -> tuple[Any, Any]:
    """The model that the arguments name, and its tokenizer; `spread` is that of a random model's logits."""
    dtype = getattr(torch, arguments.dtype)
    if arguments.model is None:
        return random_model(dtype, size=arguments.size, spread=spread).to(arguments.device), tokenizer()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=dtype).to(arguments.device).eval()
    return model, AutoTokenizer.from_pretrained(arguments.model)


def clock(device: torch.device) -> float:
    """Seconds: of the processor, or on a GPU by the wall."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


class Memory:
    """The most that is held from now on, above what is held now."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated() / 2**20
            return
        Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark to what is resident now
        self._before = self._status("VmRSS")

    def most(self) -> float:
        """In MiB."""
        now = torch.cuda.max_memory_allocated() / 2**20 if self._cuda else self._status("VmHWM")
        return now - self._before

    @staticmethod
    def _status(field: str) -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))
