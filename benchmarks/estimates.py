"""How near does `mplus-eval plan` come to what a run then takes?

    python benchmarks/estimates.py --data DIR       ten cases of a minute or so each, on a processor
    python benchmarks/estimates.py --data DIR --cases 3

Random models, one of 30 thousand parameters that ends most answers early and one of 25 M that ends none, are asked
tasks of the suites `mini` and `mplus`: choices, generated answers, sampled continuations. Each case is planned with its
own calibration, then run; what is compared are the seconds of the run's cells, without loading and the report. They are
the processor's, on one thread, so that whatever else goes on there tells nothing. DIR is a mirror of the hub.

Exit code 1 when fewer than 9 of 10 estimates are within a factor of 1.5.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from printout import add_write, printed
from request_sets import random_model

import mplus_eval
from mplus_eval.capability import draws
from mplus_eval.log_setup import silence_libraries
from mplus_eval.pipeline import calibrate
from mplus_eval.pipeline.executors import worker
from mplus_eval.pipeline.run import plan_run
from mplus_eval.pipeline.speed import Span
from mplus_eval.spec.draft import draft_spec

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the tests' models and data are not installed

from tests.real_data import sample_texts
from tests.tiny_models import build_model, build_tokenizer

FACTOR, SHARE = 1.5, 0.9


@dataclass(frozen=True)
class Case:
    """What is asked of which model."""

    name: str
    model: str
    options: Mapping[str, object] = field(default_factory=dict)


CASES = (
    Case("hellaswag, winogrande", "small", {"tasks": "hellaswag,winogrande", "limit": 400}),
    Case("choices, mini", "large", {"suite": "mini", "tasks": "mini_mmlu,mini_winogrande", "limit": 150}),
    Case("answers, mini", "large", {"suite": "mini", "tasks": "mini_drop,mini_gsm8k", "limit": 60}),
    Case("continuations, mini", "large", {"suite": "mini", "capability": False, "toxicity": True, "limit": 25}),
    Case("answers, mini", "small", {"suite": "mini", "tasks": "mini_bbh,mini_drop,mini_gsm8k"}),
    Case("continuations, mini", "small", {"suite": "mini", "capability": False, "toxicity": True}),
    Case("hellaswag", "large", {"tasks": "hellaswag", "limit": 60}),
    Case("mmlu", "large", {"tasks": "mmlu", "limit": 3}),
    Case("gsm8k", "large", {"tasks": "gsm8k", "limit": 60}),
    Case("arc, race", "small", {"tasks": "arc_easy,race_high", "limit": 300}),
)


def main() -> int:
    """Measure, and keep the printout with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds datasets as org/name")
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many of them")
    add_write(parser)
    return printed(parser.parse_args(), measure, "estimates")


def measure(arguments: argparse.Namespace) -> int:
    """Plan and run every case."""
    silence_libraries()
    torch.set_num_threads(1)
    # Both sides by the processor's clock: what is measured beforehand, and the seconds of cells.
    calibrate.estimate_plan = partial(calibrate.estimate_plan, clock=time.process_time)  # type: ignore[assignment]
    draws.perf_counter = time.process_time  # type: ignore[attr-defined]
    worker.time = SimpleNamespace(monotonic=time.process_time)  # type: ignore[attr-defined]
    print(f"{'case':22}{'model':>7}{'items':>8}{'estimate, s':>22}{'took, s':>9}{'ratio':>7}")
    near, cases = 0, CASES[: arguments.cases]
    with tempfile.TemporaryDirectory() as folder:
        models = build_models(Path(folder), arguments.data)
        for number, case in enumerate(cases):
            options = {**case.options, "data_dir": arguments.data, "output": Path(folder) / f"run{number}"}
            n_items, span, took = estimated_and_run({"base": str(models[case.model])}, options)
            ratio = span.middle / took
            near += 1 / FACTOR <= ratio <= FACTOR
            between = f"{span.middle:.0f} ({span.low:.0f} to {span.high:.0f})"
            print(f"{case.name:22}{case.model:>7}{n_items:8,}{between:>22}{took:9.0f}{ratio:7.2f}", flush=True)
    print(f"\nwithin a factor of {FACTOR}: {near} of {len(cases)}")
    return 0 if near >= SHARE * len(cases) else 1


def estimated_and_run(models: Mapping[str, str], options: Mapping[str, object]) -> tuple[int, Span, float]:
    """Items, seconds as they were estimated, and as they were."""
    spec, faults = draft_spec(models, None, options)
    estimate = plan_run(spec, faults=faults)
    if estimate.scoring is None or estimate.generation is None:
        raise SystemExit(f"nothing was measured: {dict(estimate.not_timed)}")
    run = mplus_eval.compare(models, **options)
    cells = json.loads((run.path / "manifest.json").read_text(encoding="utf-8"))["cells"]
    return round(estimate.work.items), estimate.scoring + estimate.generation, sum(cell["seconds"] for cell in cells)


def build_models(folder: Path, data: Path) -> dict[str, Path]:
    """The two random models, each with a tokenizer that is trained on the data's texts."""
    texts = sample_texts(data)
    small = build_model(folder / "small", vocabulary=2048, context=4096, texts=texts, brief=True)
    model = random_model()
    model.save_pretrained(folder / "large")
    build_tokenizer(model.config.vocab_size, texts=texts).save_pretrained(folder / "large")
    return {"small": small, "large": folder / "large"}


if __name__ == "__main__":
    sys.exit(main())
