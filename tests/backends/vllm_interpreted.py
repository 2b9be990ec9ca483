"""Scores by vLLM's newer model runner on a processor, and prints the tier that was chosen and the scores as JSON.

    python -m tests.backends.vllm_interpreted CHECKPOINT

The runner is written in Triton, of which no build for processors lies in the package index; Triton's interpreter runs
its kernels as Python.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any


class Processor:
    """As much of a driver as Triton and vLLM look at."""

    utils = SimpleNamespace(get_device_properties=lambda *_: {"max_shared_mem": 2**20, "multiprocessor_count": 1})

    @staticmethod
    def is_active() -> bool:
        return False

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cpu", 0, 1)

    def get_active_torch_device(self) -> Any:
        import torch

        return torch.device("cpu")

    def get_device_interface(self) -> Any:
        import torch

        return torch.cpu

    def get_current_device(self) -> int:
        return 0

    def set_current_device(self, device: int) -> None:
        pass

    def get_current_stream(self, device: int | None = None) -> int:
        return 0


def interpret() -> None:
    """Have Triton's kernels interpreted, before vLLM is imported."""
    # What is compiled would be looked for among Triton's compilers.
    os.environ |= {"TRITON_INTERPRET": "1", "TORCHDYNAMO_DISABLE": "1"}
    import triton.backends
    from triton.runtime.driver import driver

    triton.backends.backends["cpu"] = SimpleNamespace(driver=Processor, compiler=None)
    driver.set_active(Processor())


def main(source: Path) -> None:
    """Score, and print."""
    interpret()
    from mplus_eval.backends import load_backend
    from mplus_eval.models.locations import ModelLocation
    from mplus_eval.spec.model import ModelSpec
    from tests.backends.requests import choices, texts

    model = ModelSpec(name="m", source=str(source), dtype="float32", max_length=256, enforce_eager=True)
    backend: Any = load_backend("vllm", model, ModelLocation(source))
    found = [
        (response.log_probability, response.is_greedy)
        for requests in (choices(), texts())
        for response in backend.respond(requests)
    ]
    print(json.dumps({"tier": backend.facts.scoring.name, "why": backend.facts.scoring.why, "scores": found}))
    backend.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
