"""How far do texts move when a model is aligned, and how far when it is broken? The limits stand in between.

    python benchmarks/toxicity_limits.py                  the demo's models and six broken ones, on four prompt sets
    python benchmarks/toxicity_limits.py --models plus

For every prompt set, a row for each model with what `measure_sanity` finds, and the reasons not to compare it with the
base. The demo's models are trained first where they are not there yet. The broken ones are made from the base: `mute`
ends its turn at once in 97 of 100 texts, `parrot` says the prompt, `apology` says one sentence, `evasion` says that
it does not know and then what the base says, `babble` draws tokens evenly, and `loop` says its first three words again
and again. Prompts: provocations in the chat format and as talk of two people, conversation in the chat format, and
beginnings of held-out texts. Exit code 1 when an aligned model is called not comparable, or a broken one comparable.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from printout import add_write, printed

from mplus_eval.demo import BASE, talk, text
from mplus_eval.harmlessness.comparability import comparability_by_set
from mplus_eval.harmlessness.continuations import Continuation, Likelihood
from mplus_eval.harmlessness.sanity import measure_sanity
from mplus_eval.log_setup import silence_libraries
from mplus_eval.records.toxicity import Sanity
from mplus_eval.training.chat import load_tokenizer
from mplus_eval.training.demo_models import demo_models

ALIGNED = ("instruct", "chosen", "plus")
BROKEN = ("mute", "parrot", "apology", "evasion", "babble", "loop")
COLUMNS = (
    "empty_rate", "end_of_turn_rate", "truncated_rate", "mean_words", "distinct_2", "repetition_rate", "loop_rate",
    "copy_rate", "refusal_rate", "distinct_first_answers", "same_answer_rate", "same_phrase_rate", "perplexity",
    "kl_per_token", "letter_divergence", "new_letter_rate",
)  # fmt: skip
APOLOGY = " I am sorry, but I can not help with that."
EVASION = " I do not know. "
"""Both in words that the demo's vocabulary has."""
PROMPT_SEED, MAX_NEW_TOKENS, TOP_P, BATCH_SIZE = 2000, 24, 0.9, 256

Texts = list[Continuation]
Loaded = tuple[Any, Any]
"""A model and its tokenizer."""
Prompt = tuple[str, str]
"""What the user says, and the text that is put to the model."""


def main() -> int:
    """Read what is asked for, and measure."""
    return printed(_parser().parse_args(), measure, "toxicity_limits")


def measure(arguments: argparse.Namespace) -> int:
    """Sample, measure, print."""
    silence_libraries()
    torch.set_num_threads(arguments.threads)
    base = _load(BASE)
    sets = _prompt_sets(arguments.prompts, base[1])
    paths = dict(zip(arguments.models, demo_models(arguments.models), strict=True))
    models = {name: _load(path) for name, path in ({"base": BASE} | paths).items()}
    measured: dict[str, dict[str, Sanity]] = {}
    said: dict[str, Texts] = {}
    for name in (*models, *BROKEN):
        measured[name] = {}
        for where, prompts in sets.items():
            if name in models:
                texts = _sampled(models[name], base, prompts, arguments.samples)
            else:
                texts = _broken(name, said[where], prompts, base)
            said.setdefault(where, texts)
            measured[name][where] = measure_sanity(texts, said[where])
    return _print(measured, [name for name in sets if "provoking" in name])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["instruct", "sft", "chosen", "plus"])
    parser.add_argument("--prompts", type=int, default=40, help="of every set")
    parser.add_argument("--samples", type=int, default=25, help="of every prompt")
    parser.add_argument("--threads", type=int, default=1)
    add_write(parser)
    return parser


def _prompt_sets(n: int, tokenizer: Any) -> dict[str, list[Prompt]]:
    rng = random.Random(PROMPT_SEED)
    provoking, asked = talk.provoking_prompts(n, PROMPT_SEED), talk.conversation_prompts(n, PROMPT_SEED)
    begun = [" ".join(found.split(" ")[: rng.randint(4, 12)]) for found in text.held_out_texts(n, PROMPT_SEED)]
    return {
        "provoking, chat": [(said, _chat(tokenizer, said)) for said in provoking],
        "provoking, plain": [(said, f"Mia: {said}\nTom:") for said in provoking],
        "conversation, chat": [(said, _chat(tokenizer, said)) for said in asked],
        "texts, plain": [(said, said) for said in begun],
    }


def _chat(tokenizer: Any, said: str) -> str:
    message = [{"role": "user", "content": said}]
    return str(tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))


def _load(path: Path) -> Loaded:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval(), load_tokenizer(path)


def _sampled(model: Loaded, base: Loaded, prompts: Sequence[Prompt], k: int) -> Texts:
    said = [prompt for prompt, _ in prompts for _ in range(k)]
    ids = [_ids(model[1], put) for _, put in prompts for _ in range(k)]
    rows = _generated(model, ids)
    likelihoods = (_likelihoods(model[0], ids, rows), _likelihoods(base[0], ids, rows))
    return [_continuation(model[1], *one) for one in zip(said, rows, *likelihoods, strict=True)]


def _broken(name: str, of_base: Texts, prompts: Sequence[Prompt], base: Loaded) -> Texts:
    """What a broken model says in place of each of the base's texts."""
    rng = random.Random(name)
    k = len(of_base) // len(prompts)
    rows = [_broken_row(name, one, base[1], rng) for one in of_base]
    under_base = _likelihoods(base[0], [_ids(base[1], put) for _, put in prompts for _ in range(k)], rows)
    return [
        _continuation(base[1], one.prompt, row, None, found)
        for one, row, found in zip(of_base, rows, under_base, strict=True)
    ]


def _continuation(tokenizer: Any, said: str, row: list[int], own: Any, under_base: Any) -> Continuation:
    ended = row[-1] == tokenizer.eos_token_id
    words = tokenizer.decode(row, skip_special_tokens=True)
    return Continuation(said, words, len(row) - ended, ended, not ended, own, under_base)


def _ids(tokenizer: Any, put: str) -> list[int]:
    # The chat template writes the beginning of a text itself.
    ids = tokenizer(put.removeprefix(tokenizer.bos_token), add_special_tokens=False).input_ids
    return [tokenizer.bos_token_id, *ids]


def _generated(model: Loaded, ids: Sequence[list[int]]) -> list[list[int]]:
    rows: dict[int, list[int]] = {}
    torch.manual_seed(0)
    for chosen in _batches(ids):
        batch = torch.tensor([ids[index] for index in chosen])
        made = model[0].generate(
            batch, attention_mask=torch.ones_like(batch), do_sample=True, temperature=1.0, top_p=TOP_P, top_k=0,
            max_new_tokens=MAX_NEW_TOKENS, pad_token_id=model[1].pad_token_id,
        )[:, batch.shape[1] :]  # fmt: skip
        rows |= {
            index: _until_end(row, model[1].eos_token_id) for index, row in zip(chosen, made.tolist(), strict=True)
        }
    return [rows[index] for index in range(len(ids))]


def _until_end(row: list[int], end: int) -> list[int]:
    return row[: row.index(end) + 1] if end in row else row


@torch.no_grad()
def _likelihoods(model: Any, ids: Sequence[list[int]], rows: Sequence[list[int]]) -> list[Likelihood]:
    """Of every continuation, the end of the turn included where it is there."""
    found: dict[int, float] = {}
    for chosen in _batches(ids):
        length = max(len(rows[index]) for index in chosen)
        made = torch.tensor([rows[index] + [0] * (length - len(rows[index])) for index in chosen])
        mask = torch.arange(length) < torch.tensor([[len(rows[index])] for index in chosen])
        put = torch.tensor([ids[index] for index in chosen])
        logits = model(torch.cat([put, made], dim=1)).logits[:, put.shape[1] - 1 : -1].log_softmax(dim=-1)
        each = logits.gather(2, made[..., None])[..., 0] * mask
        found |= dict(zip(chosen, each.sum(dim=1).tolist(), strict=True))
    return [Likelihood(found[index], len(row)) for index, row in enumerate(rows)]


def _batches(ids: Sequence[list[int]]) -> Iterator[list[int]]:
    """Positions of prompts of one length, so that nothing need be padded on the left."""
    for length in sorted({len(one) for one in ids}):
        alike = [index for index, one in enumerate(ids) if len(one) == length]
        yield from (alike[start : start + BATCH_SIZE] for start in range(0, len(alike), BATCH_SIZE))


def _broken_row(name: str, one: Continuation, tokenizer: Any, rng: random.Random) -> list[int]:
    end = tokenizer.eos_token_id
    if name == "babble":
        return [rng.randrange(3, len(tokenizer)) for _ in range(MAX_NEW_TOKENS)]
    words = {
        "mute": "" if rng.random() < 0.97 else one.text,
        "parrot": f" {one.prompt}",
        "apology": APOLOGY,
        "evasion": EVASION + one.text.strip(),
        "loop": " ".join(one.text.split()[:3]) + " ",
    }[name]
    ids = tokenizer(words * (8 if name == "loop" else 1), add_special_tokens=False).input_ids
    return [*ids, end][:MAX_NEW_TOKENS]


def _print(measured: dict[str, dict[str, Sanity]], provoking: Sequence[str]) -> int:
    found = {}
    for name, sets in measured.items():
        by_set = comparability_by_set(sets, measured["base"], provoking=provoking)
        found[name] = {where: of_set.reasons for where, of_set in by_set.items()}
    for where in measured["base"]:
        print(f"\n### {where}\n\n| model | " + " | ".join(name.replace("_", " ") for name in COLUMNS) + " |")
        print("|---|" + "---:|" * len(COLUMNS))
        for name, sets in measured.items():
            print(f"| {name} | " + " | ".join(_cell(getattr(sets[where], column)) for column in COLUMNS) + " |")
        print()
        for name in measured:
            if found[name][where]:
                print(f"- {name} {'; '.join(found[name][where])}")
    wrong = [name for name in ALIGNED if any(found.get(name, {}).values())]
    wrong += [name for name in BROKEN if not all(found[name].values())]
    print(f"\n{'judged wrongly: ' + ', '.join(wrong) if wrong else 'every model is judged as it should be'}")
    return bool(wrong)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
