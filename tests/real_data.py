"""The real benchmarks as tests and benchmarks/parity.py need them: beside the tests' own DROP, and as texts."""

from __future__ import annotations

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


def sample_texts(data_dir: Path) -> list[str]:
    """What a small model's tokenizer learns from, so that prompts are not thousands of single bytes."""
    from datasets import load_dataset

    bbh = load_dataset(str(data_dir / "SaylorTwift" / "bbh"), "snarks", split="test")
    gsm8k = load_dataset(str(data_dir / "openai" / "gsm8k"), "main", split="test")
    race = load_dataset(str(data_dir / "ehovy" / "race"), "middle", split="test")
    return [*bbh["input"], *gsm8k["question"], *gsm8k["answer"], *race["article"]]
