"""Request sets of the shapes of well-known tasks, made of invented words, and a random model and tokenizer for them.

Lengths are about those of the real tasks in tokens of a usual tokenizer; what the words say does not matter to speed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from lm_eval.api.instance import Instance

N_WORDS = 12_000
VOCABULARY = 32_000
"""Of the model, as large as Llama's; the tokenizer uses less of it, so that words are as many tokens as in English."""
USED_VOCABULARY = 3_000
Draw = random.Random


class Words:
    """Running text of invented words, some of them far more frequent than others (Zipf)."""

    def __init__(self, seed: int = 0) -> None:
        rng = random.Random(seed)
        syllables = [a + b + c for a in "bcdfghklmnprstvw" for b in "aeiou" for c in ("", "l", "n", "r", "s")]
        self._words = sorted({"".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3)))) for _ in range(N_WORDS)})
        rng.shuffle(self._words)
        self._weights = [1 / (rank + 10) for rank in range(len(self._words))]

    def span(self, rng: Draw, n: int) -> str:
        """So many words."""
        return " ".join(rng.choices(self._words, self._weights, k=n))

    def texts(self, rng: Draw, n: int) -> Iterator[str]:
        """Texts to train a tokenizer on; every word comes up."""
        yield from (" " + word for word in self._words)
        yield from (self.span(rng, 200) + ".\n" for _ in range(n))


WORDS = Words()


def score(context: str, continuation: str) -> Instance:
    """A request to score a continuation."""
    return Instance("loglikelihood", {}, (context, continuation), 0)


def mmlu(rng: Draw, n_subjects: int = 3, n_questions: int = 10) -> list[Instance]:
    """Five fixed shots a subject, four letters a question."""
    found = []
    for _ in range(n_subjects):
        shots = f"The following are multiple choice questions (with answers) about {WORDS.span(rng, 2)}.\n\n"
        shots += "".join(f"{_question(rng)} {rng.choice('ABCD')}\n\n" for _ in range(5))
        for _ in range(n_questions):
            context = shots + _question(rng)
            found += [score(context, f" {letter}") for letter in "ABCD"]
    return found


def hellaswag_0(rng: Draw, n: int = 60) -> list[Instance]:
    """No shots, four endings."""
    return _hellaswag(rng, n, lambda: "")


def hellaswag_10_sampled(rng: Draw, n: int = 8) -> list[Instance]:
    """Ten shots drawn anew for every item."""
    pool = [_shot(rng) for _ in range(200)]
    return _hellaswag(rng, n, lambda: "".join(rng.sample(pool, 10)))


def hellaswag_10_fixed(rng: Draw, n: int = 10) -> list[Instance]:
    """The same ten shots for every item."""
    shots = "".join(_shot(rng) for _ in range(10))
    return _hellaswag(rng, n, lambda: shots)


def arc_25_sampled(rng: Draw, n: int = 8) -> list[Instance]:
    """Twenty-five shots drawn anew for every item."""
    pool = [f"{_short_question(rng)} {WORDS.span(rng, rng.randint(1, 6))}\n\n" for _ in range(200)]
    found = []
    for _ in range(n):
        context = "".join(rng.sample(pool, 25)) + _short_question(rng)
        found += [score(context, " " + WORDS.span(rng, rng.randint(1, 6))) for _ in range(4)]
    return found


def piqa(rng: Draw, n: int = 80) -> list[Instance]:
    """No shots, two long answers."""
    found = []
    for _ in range(n):
        context = f"Question: {WORDS.span(rng, rng.randint(4, 10))}\nAnswer:"
        found += [score(context, " " + WORDS.span(rng, rng.randint(8, 25))) for _ in range(2)]
    return found


def lambada(rng: Draw, n: int = 100) -> list[Instance]:
    """A passage and its last word: nothing to share."""
    return [score(WORDS.span(rng, rng.randint(45, 65)), " " + WORDS.span(rng, 1)) for _ in range(n)]


def gsm8k(rng: Draw, n: int = 16) -> list[tuple[str, int]]:
    """Eight fixed shots worked out in steps: prompts, and how many tokens the answer takes."""
    shots = "".join(f"Q: {WORDS.span(rng, 45)}\nA: {WORDS.span(rng, 60)}\n\n" for _ in range(8))
    prompts = [f"{shots}Q: {WORDS.span(rng, rng.randint(25, 60))}\nA:" for _ in range(n)]
    return [(prompt, rng.randint(40, 200)) for prompt in prompts]


def continuations(rng: Draw, n: int = 4) -> list[str]:
    """Beginnings of texts of 20 to 60 tokens."""
    return [WORDS.span(rng, rng.randint(14, 38)) for _ in range(n)]


def few_shot_continuations(rng: Draw, n: int = 2, *, shared: bool) -> list[str]:
    """Beginnings behind four examples, about 500 tokens in all; all prompts share the examples, or each has its own."""
    shots = _examples(rng)
    return [f"{shots if shared else _examples(rng)}{WORDS.span(rng, rng.randint(14, 38))}" for _ in range(n)]


SCORED: dict[str, tuple[Callable[[Draw], list[Instance]], float]] = {
    "MMLU 5-shot": (mmlu, 7.0),
    "HellaSwag 0-shot": (hellaswag_0, 2.3),
    "HellaSwag 10-shot sampled": (hellaswag_10_sampled, 5.5),
    "HellaSwag 10-shot fixed": (hellaswag_10_fixed, 20.0),
    "ARC 25-shot sampled": (arc_25_sampled, 5.0),
    "PIQA 0-shot": (piqa, 1.4),
    "LAMBADA": (lambada, 1.6),
}
"""Request sets, and how many times sooner than lm-eval's HFLM they are to be scored."""


SPREAD = 5.0
"""Of logits, against those of usual random weights: a next token of about 3 nats, as a trained model's."""


def random_model(dtype: Any = None, *, size: str = "25M", spread: float = 1.0, device: str = "cpu") -> Any:
    """A Llama-shaped model with random weights, of some size in parameters, its logits multiplied by `spread`.

    Its weights are drawn on the device that it is for, on each in its own way.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shapes = {
        "5M": {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4},
        "25M": {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 6},
        "22M": {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 5, "num_attention_heads": 8},
        "1B": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32},
    }
    shape = shapes[size]
    config = LlamaConfig(
        vocab_size=VOCABULARY // 2 if size == "22M" else VOCABULARY,
        num_key_value_heads=shape["num_attention_heads"] // (3 if size == "25M" else 4),
        max_position_embeddings=4096,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=0.04,
        tie_word_embeddings=True,
        **shape,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = LlamaForCausalLM(config).to(dtype or torch.float32).eval()
    with torch.no_grad():
        model.model.norm.weight.mul_(spread)
    return model


def tokenizer() -> Any:
    """A byte-level BPE tokenizer of the invented words, about 1.5 tokens a word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=USED_VOCABULARY,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(WORDS.texts(random.Random(1), 400), trainer)
    bpe.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def distinct_tokens(prompts: Sequence[tuple[int, ...]]) -> int:
    """Tokens of the prompts with every distinct prefix counted once.

    Sorted, a prompt adds what it does not have in common with the one before it.
    """
    n_tokens = 0
    for before, prompt in pairwise([(), *sorted(prompts)]):
        common = next((place for place, (a, b) in enumerate(zip(before, prompt, strict=False)) if a != b), None)
        n_tokens += len(prompt) - (min(len(before), len(prompt)) if common is None else common)
    return n_tokens


def _hellaswag(rng: Draw, n: int, shots: Callable[[], str]) -> list[Instance]:
    found = []
    for _ in range(n):
        context = shots() + WORDS.span(rng, rng.randint(15, 32))
        found += [score(context, " " + WORDS.span(rng, rng.randint(9, 18))) for _ in range(4)]
    return found


def _examples(rng: Draw) -> str:
    return "".join(f"{WORDS.span(rng, 80)}\n\n" for _ in range(4))


def _shot(rng: Draw) -> str:
    return WORDS.span(rng, rng.randint(45, 62)) + "\n\n"


def _question(rng: Draw) -> str:
    choices = "".join(f"{letter}. {WORDS.span(rng, rng.randint(2, 9))}\n" for letter in "ABCD")
    return f"{WORDS.span(rng, rng.randint(20, 45))}\n{choices}Answer:"


def _short_question(rng: Draw) -> str:
    return f"Question: {WORDS.span(rng, rng.randint(10, 22))}\nAnswer:"
