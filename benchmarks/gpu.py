"""Is everything right on this GPU, and how much sooner? One command, 8 minutes at most, no network, no data.

    python benchmarks/gpu.py                     on the first GPU: a random model of 1 B parameters, in bfloat16
    python benchmarks/gpu.py --output gpu.json   all numbers as JSON too
    python benchmarks/gpu.py --only scoring      one section: parity, scoring, generation, vllm, training or tests
    python benchmarks/gpu.py --tiny              on a processor, with a small model: shows that the command works

Sections:

- parity: every tier against lm-eval's HFLM, in float32 and bfloat16, and greedy answers
- scoring, generation: ratios to HFLM at its best batch size, share of the device's peak, memory held
- vllm: ratios to lm-eval's own vLLM path, where vllm is installed
- training: the recipe gpu-smoke, all stages, few steps
- tests: those marked gpu

Each section runs in a process of its own, so that one that fails or takes longer than its time is named, and the others
go on. Exit code: 0 when all holds, 1 when a goal is missed, something is wrong or a section failed, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import signal
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from gpu_line import Bench, Line
from printout import ROOT, add_write, printed

from mplus_eval.log_setup import silence_libraries


@dataclass
class Section:
    """A part of the whole, with the seconds that it may take; all together have 7 minutes and 45 seconds."""

    name: str
    module: str
    function: str
    seconds: float
    lines: list[Line] = field(default_factory=list)
    took: float = 0.0
    failure: str = ""


SECTIONS = (
    Section("parity", "gpu_parity", "parity", 70),
    Section("scoring", "gpu_speed", "scoring_speed", 65),
    Section("generation", "gpu_speed", "generation_speed", 65),
    Section("vllm", "gpu_speed", "vllm_speed", 100),
    Section("training", "gpu_programs", "training", 105),
    Section("tests", "gpu_programs", "marked_tests", 60),
)
TINY_SECONDS = 300.0
"""Of a section on a processor, which may be busy with other things."""
PACKAGES = ("mplus-eval", "torch", "transformers", "lm_eval", "vllm", "trl")


def main() -> int:
    """Read what is asked for, and measure."""
    found = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    found.add_argument("--tiny", action="store_true", help="on a processor, with a small model")
    found.add_argument("--only", choices=[section.name for section in SECTIONS], help="one section")
    found.add_argument("--output", type=Path, metavar="FILE", help="all numbers as JSON")
    add_write(found)
    arguments = found.parse_args()
    if not arguments.tiny and not torch.cuda.is_available():
        print(
            f"no GPU can be had here: torch {torch.__version__} sees none; --tiny runs on a processor", file=sys.stderr
        )
        return 2
    return printed(arguments, measure, "gpu-tiny" if arguments.tiny else "gpu")


def measure(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    device = "cpu" if arguments.tiny else "cuda"
    sections = [section for section in SECTIONS if arguments.only in (None, section.name)]
    print(", ".join(f"{key} {value}" for key, value in machine(device).items()))
    silence_libraries()
    context, started, spare = _context(device, {section.module for section in sections}), time.perf_counter(), 0.0
    for section in sections:
        print(f"\n{section.name}", flush=True)
        # What those before it left of their time is its own, too.
        seconds = TINY_SECONDS if arguments.tiny else section.seconds + spare
        for line in run(section, Bench(device, arguments.tiny, time.time() + seconds), context):
            print(line.row(), flush=True)
        spare = max(0.0, seconds - section.took)
        if section.failure:
            print(f"  FAILED after {section.took:.0f} s: {section.failure}", flush=True)
    statuses = [line.status for section in sections for line in section.lines]
    failed = [section.name for section in sections if section.failure]
    print(
        f"\n{time.perf_counter() - started:.0f} s; {statuses.count('FAULT')} faults, {statuses.count('MISSED')} goals "
        f"missed, {len(failed)} sections failed{': ' * bool(failed)}{', '.join(failed)}"
    )
    if arguments.output:
        document = {"machine": machine(device), "tiny": arguments.tiny, "sections": [_json(each) for each in sections]}
        arguments.output.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(bool(failed) or "FAULT" in statuses or "MISSED" in statuses)


def run(section: Section, bench: Bench, context: Any) -> Iterator[Line]:
    """The lines of a section as they come; why it ended early, if it did, stands in the section then."""
    started = time.time()
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure_in_process, args=(section.module, section.function, bench, sender))
    process.start()
    sender.close()
    section.failure = "its process ended without a word"
    while receiver.poll(max(0.0, bench.ends - time.time())):
        try:
            said = receiver.recv()
        except EOFError:
            break
        if not isinstance(said, Line):
            section.failure = said
            break
        section.lines.append(said)
        yield said
    else:
        section.failure = f"more than its {bench.ends - started:.0f} s; what was measured until then stands"
    section.took = time.time() - started
    process.join(5)
    if process.is_alive():
        # With what it has started, such as an engine.
        os.killpg(process.pid, signal.SIGKILL)


def _context(device: str, modules: Collection[str]) -> Any:
    """How processes are started: from one that has loaded the libraries and never touched the GPU, or else anew."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # which looks for a GPU without touching it
    # It looks for modules where its environment says.
    folders = [str(Path(__file__).parent), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(sorted(modules))
    probe = context.Process(target=torch.zeros, args=(1,), kwargs={"device": device})
    probe.start()
    probe.join()
    return context if probe.exitcode == 0 else multiprocessing.get_context("spawn")


def machine(device: str) -> dict[str, str]:
    """What it is measured on."""
    facts = {"machine": platform.machine(), "Python": platform.python_version()}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        facts |= {
            "GPU": f"{properties.name} of {properties.total_memory / 2**30:.0f} GiB",
            "CUDA": str(torch.version.cuda),
        }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "absent"
    return facts


def _measure_in_process(module: str, function: str, bench: Bench, sender: Any) -> None:
    """Send the lines of a section, and at last an empty text, or why it failed."""
    silence_libraries()
    os.setsid()
    failure = ""
    try:
        for line in getattr(import_module(module), function)(bench):
            sender.send(line)
    except Exception as error:  # noqa: BLE001 - whatever fails is this section's; the others go on
        failure = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    sender.send(failure)


def _json(section: Section) -> dict[str, Any]:
    lines = [{**asdict(line), "status": line.status} for line in section.lines]
    return {"name": section.name, "seconds": section.took, "failure": section.failure, "lines": lines}


if __name__ == "__main__":
    sys.exit(main())
