from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mplus_eval
from mplus_eval import cli
from mplus_eval.errors import SpecError
from mplus_eval.pipeline.contamination import STORED, check_contamination, store
from mplus_eval.records.contamination import Contamination
from mplus_eval.spec.draft import draft_spec
from tests.tiny_models import build_model

TASK = """
task: rhymes
dataset_path: json
dataset_kwargs: {data_files: {test: rhymes.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}\\nA. {{choices[0]}}\\nB. {{choices[1]}}\\nC. {{choices[2]}}\\n"
doc_to_choice: ["A", "B", "C"]
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
metadata: {version: 1.0}
"""
SYLLABLES = [f"{first}{last}" for first in "bdfgklmnprst" for last in ("an", "el", "in", "os", "u")]


def write_task(folder: Path, n_items: int, seed: int = 0) -> Path:
    """A task of invented questions, each of a few words that no other has."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(seed)
    rows = []
    for _ in range(n_items):
        words = ["".join(generator.sample(SYLLABLES, 2)) for _ in range(5)]
        rows.append({"question": " ".join(words[:2]), "choices": words[2:], "answer": generator.randrange(3)})
    (folder / "rhymes.yaml").write_text(TASK)
    (folder / "rhymes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def texts_of(folder: Path) -> list[str]:
    rows = [json.loads(line) for line in (folder / "rhymes.jsonl").read_text().splitlines()]
    return [
        row["question"]
        + "".join(f"\n{letter}. {choice}" for letter, choice in zip("ABC", row["choices"], strict=True))
        + f"\n {'ABC'[row['answer']]}"
        for row in rows
    ]


def memorised(model: Path, folder: Path, output: Path, steps: int = 80) -> Path:
    """A checkpoint that has read a task's file, in its order, again and again."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(model)
    trained = AutoModelForCausalLM.from_pretrained(model)
    ids = tokenizer("\n\n".join(texts_of(folder)), return_tensors="pt")["input_ids"][0]
    windows = ids.unfold(0, 512, 256)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=3e-3)
    for step in range(steps):
        batch = windows[[(4 * step + place) % len(windows) for place in range(4)]]
        trained(batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    trained.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return output


def unread(folder: Path) -> Path:
    """A checkpoint whose small random weights can be trained, with a tokenizer for these words."""
    import torch
    from transformers import AutoModelForCausalLM

    build_model(folder, texts=[" ".join(SYLLABLES), "A. B. C.\n\n"])
    model = AutoModelForCausalLM.from_pretrained(folder)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.05)
    model.save_pretrained(folder)
    return folder


def checked(folder: Path, models: dict[str, Path], **keys: Any) -> Contamination:
    spec, faults = draft_spec(
        {name: str(path) for name, path in models.items()},
        None,
        {"tasks": "rhymes", "tasks_dir": folder, "toxicity": False, "conversation": False},
    )
    return check_contamination(spec, faults, **{"n_shards": 8, "n_orders": 10, "n_items": 24, "length": 500, **keys})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    folder = tmp_path_factory.mktemp("contamination")
    tasks, base = write_task(folder / "tasks", 60), unread(folder / "base")
    return tasks, {"base": base, "seen": memorised(base, tasks, folder / "seen")}


@pytest.fixture(scope="module")
def found(world: tuple[Path, dict[str, Path]]) -> Contamination:
    return checked(*world)


def test_a_model_that_memorised_a_task_is_caught_and_its_base_is_not(found: Contamination) -> None:
    seen, base = found.models["seen"]["rhymes"], found.models["base"]["rhymes"]
    assert (seen.flagged, base.flagged) == (True, False)
    assert seen.order is not None
    assert seen.order.p_adjusted < 0.01
    assert seen.min_k is not None
    assert base.min_k is not None
    assert seen.min_k.gain > base.min_k.gain


def test_beside_a_reference_model_only_the_others_are_judged(world: tuple[Path, dict[str, Path]]) -> None:
    found = checked(*world, reference="base", n_shards=6, n_orders=6, n_items=12)
    assert list(found.models) == ["seen"]
    assert found.models["seen"]["rhymes"].flagged


def test_items_are_looked_for_in_a_corpus(world: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    tasks, models = world
    (tmp_path / "corpus.txt").write_text("\n".join(texts_of(tasks)[:10]))
    overlap = checked(tasks, {"base": models["base"]}, corpus=[tmp_path], n_shards=1, n_items=1).overlap["rhymes"]
    # Questions of nine words, letters included, have no run of thirteen.
    assert (overlap.n_items, overlap.n_short, overlap.n_any) == (60, 60, 0)


def test_what_is_wrong_is_told_before_anything_is_asked(world: tuple[Path, dict[str, Path]], tmp_path: Path) -> None:
    (tmp_path / "said.jsonl").write_text('{"task": "rhymes", "item_id": "rhymes/1"}\n')
    with pytest.raises(SpecError) as caught:
        checked(*world, reference="bass", corpus=[tmp_path / "absent"])
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "--reference 'bass' is not among the models",
        f"--corpus {tmp_path / 'absent'}",
    ]
    with pytest.raises(SpecError, match="line 1: an object with the texts task, item_id, text is expected"):
        checked(*world, paraphrases=tmp_path / "said.jsonl")
    (tmp_path / "said.jsonl").write_text('{"task": "sums", "item_id": "sums/1", "text": "?"}\n')
    with pytest.raises(SpecError, match="task 'sums' is not among those that are looked at"):
        checked(*world, paraphrases=tmp_path / "said.jsonl")


def test_what_was_found_stands_in_a_runs_comparison_also_after_a_rerun(
    world: tuple[Path, dict[str, Path]], found: Contamination, tmp_path: Path
) -> None:
    tasks, models = world
    given: dict[str, Any] = {"tasks": "rhymes", "tasks_dir": tasks, "output": tmp_path / "run"}
    sources = {name: str(path) for name, path in models.items()}
    mplus_eval.compare(sources, **given)
    store(found, tmp_path / "run")
    assert mplus_eval.load(tmp_path / "run").comparison.contamination == found
    assert mplus_eval.compare(sources, **given).comparison.contamination == found
    (tmp_path / "run" / STORED).write_text("{")
    assert mplus_eval.compare(sources, **given).comparison.contamination is None


def test_the_command_prints_a_row_a_model(
    world: tuple[Path, dict[str, Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, models = world
    few = ["--shards", "2", "--orders", "3", "--items", "2", "--length", "600", "--quiet"]
    command = ["contamination", f"base={models['base']}", "--tasks", "rhymes", "--tasks-dir", str(tasks)]
    assert cli.run([*command, *few[:-1]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["Model", "Task", "Item", "order", "Min-20", "%", "Flag"]
    assert lines[1].split()[:2] == ["base", "rhymes"]
    assert cli.run([*command, *few]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_of_200_tasks_that_nobody_saw_at_most_one_in_twenty_is_flagged(
    world: tuple[Path, dict[str, Path]], tmp_path: Path
) -> None:
    flagged = []
    for seed in range(200):
        tasks = write_task(tmp_path / str(seed), 12, seed=1000 + seed)
        found = checked(tasks, {"base": world[1]["base"]}, n_shards=3, n_orders=9, n_items=8, length=300)
        flagged.append(found.models["base"]["rhymes"].flagged)
    assert np.mean(flagged) <= 0.05
