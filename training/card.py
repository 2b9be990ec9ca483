"""The model card of a checkpoint: what its record says, for people and for the hub.

    ---
    library_name: transformers
    pipeline_tag: text-generation
    tags: [mplus-eval, rlhf]
    ---

    # plus
    …

Directories are named by their last name alone, so that a card tells nothing of the machine. The licence is left to
whoever publishes the checkpoint: it depends on that of the base and of the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from mplus_eval.data.hub import is_hub_id
from mplus_eval.records.training import RECORD_FILE, DataUsed, Dose, TrainingRecord
from mplus_eval.store.files import write_whole
from mplus_eval.store.hashes import folder_hashes

CARD_FILE = "README.md"
NOT_OF_A_CHECKPOINT = ("stage.json", "steps.jsonl")
"""Files of a stage that lie beside its final checkpoint."""
_METHODS = {
    "reward model": "a reward model, trained on pairs of answers",
    "sft": "supervised fine-tuning",
    "rlhf": "RLHF straight from the base, with no supervised stage before it",
}


def write_record(record: TrainingRecord, directory: Path) -> None:
    """Write a checkpoint's card and its record; the record last, since a checkpoint that has one is whole.

    The record gets the hashes of all that lies beside it, unless it has them. Not of the card, which whoever publishes
    the checkpoint completes, nor of what a stage goes on writing.
    """
    write_whole(directory / CARD_FILE, checkpoint_card(record))
    if record.files is None:
        is_step = directory.name.startswith("checkpoint-")
        files = folder_hashes(directory, (CARD_FILE, RECORD_FILE, *NOT_OF_A_CHECKPOINT), deep=is_step)
        record = record.model_copy(update={"files": files})
    record.write(directory)


def checkpoint_card(record: TrainingRecord) -> str:
    """The card of a checkpoint, with its front matter."""
    is_reward_model = record.method == "reward model"
    method = record.method.replace(" ", "-")
    data: dict[str, object] = {
        "library_name": "transformers",
        "pipeline_tag": "text-classification" if is_reward_model else "text-generation",
        "tags": list(dict.fromkeys(["mplus-eval", "trl", method, record.algorithm.lower()])),
    }
    if _on_hub(record.base):
        data["base_model"] = record.base
    if datasets := sorted({used.source for used in record.data if _on_hub(used.source)}):
        data["datasets"] = datasets
    front = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n" + "\n".join(_body(record)) + "\n"


def _body(record: TrainingRecord) -> Iterator[str]:
    yield f"# {_one_line(record.name)}"
    yield ""
    yield f"Made by mplus-eval {record.mplus_eval}: {_METHODS[record.method]}."
    yield ""
    yield f"- **Base**: {_named(record.base)}, weights `{record.base_fingerprint[:12]}`"
    yield f"- **Algorithm**: {record.algorithm}"
    yield f"- **Step**: {record.step} of {record.total_steps}"
    yield f"- **Seed**: {record.seed}"
    if record.dose is not None:
        yield f"- **Distance to the base**: {_distance(record.dose)}"
    for name, value in record.quality.items():
        yield f"- **Held-out pairs, {_one_line(name)}**: {value:.3g}"
    versions = ", ".join(f"{library} {number}" for library, number in record.versions.items())
    yield f"- **Versions**: {versions or 'not recorded'}"
    yield f"- **Date**: {record.created}"
    yield ""
    yield "## Data"
    yield ""
    yield "| source | kind | rows | left out |"
    yield "|---|---|---|---|"
    yield from map(_data_row, record.data)
    if record.warnings:
        yield ""
        yield "## Warnings"
        yield ""
        yield from (f"- {_one_line(warning)}" for warning in record.warnings)
    yield ""
    yield "## Licence"
    yield ""
    yield "Not stated: it depends on those of the base and of the data. Set `license` above before you publish."
    yield ""
    yield "`training.json` beside this file has the whole recipe; `mplus-eval compare` reads it."


def _data_row(used: DataUsed) -> str:
    source = _named(used.source) + (f" ({_one_line(used.subset)})" if used.subset else "")
    source += f", split {_one_line(used.split)}" if used.split else ""
    reasons = (("malformed", used.n_malformed), ("too long", used.n_too_long), ("evaluated", used.n_evaluation_prompts))
    left_out = ", ".join(f"{n:,} {reason}" for reason, n in reasons if n)
    return f"| {source} | {used.kind} | {used.n:,} | {left_out or '0'} |"


def _distance(dose: Dose) -> str:
    text = f", {dose.kl_text:.3g} a token of text" if dose.kl_text is not None else ""
    return (
        f"KL {dose.kl_answers:.3g} nats an answer over {dose.n_prompts:,} held-out prompts, "
        f"{dose.kl_answers_per_token:.3g} a token{text}"
    )


def _on_hub(source: str) -> bool:
    """Whether a source is the hub's; a folder of two names is written alike."""
    return is_hub_id(source) and not Path(source).exists()


def _named(source: str) -> str:
    """A source as it may be published: a hub's id whole, a path's last name."""
    known = is_hub_id(source) or ("/" not in source and "\\" not in source)
    return f"`{_one_line(source if known else Path(source.replace(chr(92), '/')).name)}`"


def _one_line(text: str) -> str:
    """A text on one line, that ends no code and no cell of a table."""
    return " ".join(text.split()).replace("`", "'").replace("|", "/").replace("<", "&lt;")
