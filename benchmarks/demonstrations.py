"""Demonstrations by a model that is tuned already: its answers to the prompts of preference pairs, as messages.

    python benchmarks/demonstrations.py MODEL FILE.jsonl --data-dir DIR       1,100 rows
    python benchmarks/demonstrations.py MODEL FILE.jsonl --data-dir DIR --n 8

For a recipe's `sft` where none are at hand: `sft.sft.data=[{source: FILE.jsonl}]`. Prompts are those
of Anthropic/hh-rlhf's training split, half of either part, in MODEL's own chat template; answers are greedy, and those
that the limit cut are left out, since an answer that never ends would teach never to end. The same command writes the
same file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path

PARTS = ("harmless-base", "helpful-base")
LONGEST_PROMPT, LONGEST_ANSWER, AT_ONCE = 192, 96, 64
"""Tokens, and prompts that are answered together."""


def main() -> int:
    """Read what is asked for, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="directory of a checkpoint with a chat template")
    parser.add_argument("file", type=Path, help="to be written")
    parser.add_argument("--data-dir", type=Path, help="folder that holds datasets as org/name, before the hub")
    parser.add_argument("--n", type=int, default=1100, help="rows at most")
    arguments = parser.parse_args()
    n_asked = 0
    with arguments.file.open("w", encoding="utf-8") as file:
        n_written = 0
        for messages, ended in answered(arguments.model, list(prompts(arguments.data_dir))):
            n_asked += 1
            if ended:
                file.write(json.dumps({"messages": messages}, ensure_ascii=False) + "\n")
                n_written += 1
            if n_written == arguments.n:
                break
    print(f"{n_written:,} demonstrations of {n_asked:,} prompts: {arguments.file}")
    return 0


def prompts(data_dir: Path | None) -> Iterator[list[dict[str, str]]]:
    """Conversations that end with the user's turn, in turns of either part."""
    from mplus_eval.training.data import load_pairs
    from mplus_eval.training.recipe import PairDataSource

    sources = [PairDataSource(source="Anthropic/hh-rlhf", subset=part, seed=1) for part in PARTS]
    of_parts = [[pair.prompt for pair in load_pairs(source, 1, data_dir).rows] for source in sources]
    for prompt in chain.from_iterable(zip_longest(*of_parts)):
        if prompt is not None:
            yield [message.as_dict() for message in prompt]


def answered(
    directory: Path, conversations: Sequence[list[dict[str, str]]]
) -> Iterator[tuple[list[dict[str, str]], bool]]:
    """Each conversation with the model's answer, and whether it ended; those that are too long are left out."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from mplus_eval.inference.budget import find_budget
    from mplus_eval.inference.generation import Prompt, TreeGenerator

    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.bfloat16).eval()
    end, budget = tokenizer.eos_token_id, find_budget(model)
    encoded = (
        (talk, tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=True)["input_ids"])
        for talk in conversations
    )
    fitting = [(talk, ids) for talk, ids in encoded if len(ids) <= LONGEST_PROMPT]
    for first in range(0, len(fitting), AT_ONCE):
        batch = fitting[first : first + AT_ONCE]
        wanted = [Prompt(tuple(ids), LONGEST_ANSWER, end_tokens=frozenset([end])) for _, ids in batch]
        generator = TreeGenerator(model, budget, slots=budget.slots, cached_tokens=budget.cached)
        for (talk, _), tokens in zip(batch, generator.generate(wanted), strict=True):
            text = tokenizer.decode(tokens, skip_special_tokens=True).strip()
            yield [*talk, {"role": "assistant", "content": text}], bool(text) and tokens[-1] == end


if __name__ == "__main__":
    sys.exit(main())
