"""What does a training step cost beside the same step in TRL alone? RLOO by `train`, and by TRL's own trainer.

    python benchmarks/train_step.py                 5 rounds of 10 steps on each side: some minutes of one core
    python benchmarks/train_step.py --referee       with the referee, which TRL alone has no counterpart of
    python benchmarks/train_step.py --quick         one short round, to see that it works

Both sides train the demo's base with the settings of the recipe `demo`, the same prompts, seed and reward model, one
round after the other. Since they draw the same answers, step n is the same work on both; the weights are compared to
prove it. A step lasts from the end of the one before to its own end, so logging, records and saving count. The first
step of a round is a warm-up and does not count. Exit code 1 when the processor's time is more than 1.10 times TRL's,
or the weights differ.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from printout import add_write, printed
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PrinterCallback,
    ProgressCallback,
    TrainerCallback,
)
from transformers.utils.logging import disable_progress_bar
from trl import RLOOConfig, RLOOTrainer

from mplus_eval.rewards.model import token_batches
from mplus_eval.training.recipe import Recipe, load_recipe
from mplus_eval.training.train import train
from mplus_eval.training.training_data import TrainingData, gather

GOAL = 1.10


@dataclass(frozen=True)
class Times:
    """Seconds of every counted step of a round."""

    processor: tuple[float, ...]
    wall: tuple[float, ...]


class Clock:
    """Notes both clocks at the end of every step."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float]] = []

    def mark(self) -> None:
        """Called when a step ends."""
        self._marks.append((time.process_time(), time.perf_counter()))

    @property
    def times(self) -> Times:
        """Of all steps but the first."""
        pairs = list(zip(self._marks, self._marks[1:], strict=False))
        return Times(tuple(b[0] - a[0] for a, b in pairs), tuple(b[1] - a[1] for a, b in pairs))


class MarkSteps(TrainerCallback):  # type: ignore[misc, unused-ignore]
    """Marks the end of a step where TRL is called directly."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called by the trainer."""
        self._clock.mark()


def demo_recipe(output: Path, n_steps: int, *, referee: bool) -> Recipe:
    """The recipe `demo`, shorter.

    No penalty for answers without an end and no replay: TRL alone has neither, and would come to other answers.
    """
    return load_recipe(
        "demo",
        [
            f"output={output}",
            f"rlhf.plus.steps={n_steps + 1}",
            "rlhf.plus.termination.penalty=0",
            "replay=null",
            "reward.steps=10",
            f"reward.referee={str(referee).lower()}",
            "check={n_prompts: 1}",
        ],
    )


def by_train(recipe: Recipe) -> Times:
    """A round through the project's own `train`."""
    clock = Clock()
    shutil.rmtree(recipe.output / "plus", ignore_errors=True)
    train(recipe, ["plus"], progress=lambda what, done, of: clock.mark() if what == "training plus" else None)
    return clock.times


def by_trl(recipe: Recipe, data: TrainingData, directory: Path) -> Times:
    """A round through TRL's trainer, written as its documentation has it."""
    plus, clock = recipe.rlhf["plus"], Clock()
    shutil.rmtree(directory, ignore_errors=True)
    config = RLOOConfig(
        output_dir=str(directory),
        max_steps=plus.steps,
        learning_rate=plus.learning_rate,
        warmup_steps=plus.warmup_steps,
        lr_scheduler_type=plus.schedule,
        per_device_train_batch_size=plus.batch_size,
        num_generations=plus.answers,
        max_completion_length=plus.max_new_tokens,
        beta=plus.kl.coefficient,
        gradient_checkpointing=False,
        save_steps=plus.save_every,
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=False,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    trainer = RLOOTrainer(
        AutoModelForCausalLM.from_pretrained(data.base, dtype=torch.float32),
        plain_reward(recipe.output / "reward", data.tokenizer),
        args=config,
        train_dataset=Dataset.from_list(
            [{"prompt": [message.as_dict() for message in prompt.messages]} for prompt in data.prompts.rows]
        ),
        processing_class=data.tokenizer,
    )
    for chatty in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(chatty)
    trainer.add_callback(MarkSteps(clock))
    trainer.train()
    trainer.save_model(str(directory))
    return clock.times


def plain_reward(directory: Path, tokenizer: Any) -> Callable[..., list[float]]:
    """The reward model as a function that TRL calls, with nothing around it."""
    model: Any = AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()
    scale = json.loads((directory / "reward_scale.json").read_text())

    def reward(prompts: Any, completions: Any, **_: Any) -> list[float]:
        texts = [
            tokenizer.apply_chat_template(
                [*prompt, {"role": "assistant", "content": completion[0]["content"].strip()}], tokenize=False
            )
            for prompt, completion in zip(prompts, completions, strict=True)
        ]
        rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
        raw = torch.zeros(len(texts))
        # In the batches that `train` reads: on some processors a row's neighbours change its last digit.
        for batch in token_batches([len(row) for row in rows], "cpu"):
            encoded = tokenizer.pad(
                {"input_ids": [rows[index] for index in batch]}, return_tensors="pt", padding_side="right"
            )
            with torch.no_grad():
                raw[batch] = model(**encoded).logits[:, 0]
        return ((raw - scale["mean"]) / scale["deviation"]).tolist()  # type: ignore[no-any-return]

    return reward


def same_weights(one: Path, other: Path) -> bool:
    """Whether two checkpoints hold equal numbers."""
    first, second = load_file(one / "model.safetensors"), load_file(other / "model.safetensors")
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


def report(ours: list[Times], theirs: list[Times], equal: bool) -> float:
    """Print medians and ratios of both clocks; return the ratio of the processor's time."""
    found = {}
    for name in ("processor", "wall"):
        sides = [[getattr(times, name) for times in side] for side in (ours, theirs)]
        mine, trl = (statistics.median(second for one in side for second in one) for side in sides)
        # Rounds are compared whole, so that a step that saves counts.
        ratios = [sum(a) / sum(b) for a, b in zip(*sides, strict=True)]
        found[name] = statistics.median(ratios)
        print(
            f"{name:10s} median step {mine:7.3f} s by train, {trl:7.3f} s by TRL alone; "
            f"ratio {found[name]:.3f} (rounds from {min(ratios):.3f} to {max(ratios):.3f})"
        )
    print(f"the same weights on both sides: {'yes' if equal else 'no'}")
    print(f"{'PASS' if found['processor'] <= GOAL else 'MISS'}: goal {GOAL:.2f} of the processor's time")
    return found["processor"]


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=10, help="counted steps of a round, beside one to warm up")
    parser.add_argument("--referee", action="store_true", help="with the referee on our side")
    parser.add_argument("--quick", action="store_true", help="one round of 2 steps: shows the form, proves nothing")
    add_write(parser)
    return printed(parser.parse_args(), measure, "train_step")


def measure(options: argparse.Namespace) -> int:
    """Measure, print, and say by the exit code whether the goal was met."""
    n_rounds, n_steps = (1, 2) if options.quick else (options.rounds, options.steps)
    torch.set_num_threads(1)
    disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        recipe = demo_recipe(Path(folder) / "ours", n_steps, referee=options.referee)
        train(recipe, ["reward"])
        data, directory = gather(recipe), Path(folder) / "trl"
        ours, theirs = [], []
        for number in range(n_rounds):
            ours.append(by_train(recipe))
            theirs.append(by_trl(recipe, data, directory))
            print(f"round {number + 1} of {n_rounds} done", file=sys.stderr, flush=True)
        equal = same_weights(recipe.output / "plus", directory)
        ratio = report(ours, theirs, equal)
    return int(not equal or (ratio > GOAL and not options.quick))


if __name__ == "__main__":
    sys.exit(main())
