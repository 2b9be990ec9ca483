"""The real benchmarks as tests and benchmarks/parity.py need them: beside the tests' own DROP, and as texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

OWN_DATA = Path(__file__).parent / "data" / "hub"


def link_datasets(roots: Sequence[Path], folder: Path) -> Path:
    """Link the datasets of several mirrors (org/name) into one folder, and return it."""
    for root in roots:
        for dataset in root.glob("*/*"):
            link = folder / dataset.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(dataset.resolve())
    return folder


def with_drop(data: Path, folder: Path) -> Path:
    """A mirror with DROP in it: where it has none, the tests' own questions behind articles as long as its passages."""
    if (data / "EleutherAI" / "drop").exists():
        return data
    from datasets import load_dataset

    own, drop = OWN_DATA / "EleutherAI" / "drop", folder / "own" / "EleutherAI" / "drop"
    drop.mkdir(parents=True)
    (drop / "README.md").write_text((own / "README.md").read_text())
    for split, articles in (("train", "validation"), ("validation", "test")):
        rows = [json.loads(line) for line in (own / f"{split}.jsonl").read_text().splitlines()]
        race = load_dataset(str(data / "ehovy" / "race"), "middle", split=articles)
        passages = dict.fromkeys(race["article"])
        told = [
            {**rows[place % len(rows)], "passage": passage, "section_id": str(place), "query_id": str(place)}
            for place, passage in enumerate(passages)
        ]
        (drop / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    return link_datasets((data, folder / "own"), folder / "data")


def sample_texts(data_dir: Path) -> list[str]:
    """What a small model's tokenizer learns from, so that prompts are not thousands of single bytes."""
    from datasets import load_dataset

    bbh = load_dataset(str(data_dir / "SaylorTwift" / "bbh"), "snarks", split="test")
    gsm8k = load_dataset(str(data_dir / "openai" / "gsm8k"), "main", split="test")
    race = load_dataset(str(data_dir / "ehovy" / "race"), "middle", split="test")
    return [*bbh["input"], *gsm8k["question"], *gsm8k["answer"], *race["article"]]
