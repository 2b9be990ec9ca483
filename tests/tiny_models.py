"""Builders of tiny models with random weights: real checkpoints that load in a moment."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SENTENCES = [
    "The quick brown fox jumps over the lazy dog, and the dog sleeps on.",
    "Question: what is one plus two? Answer: three. Question: what is two plus two? Answer: four.",
    "A river runs from the mountain to the sea; the miller's wheel turns in it all day.",
    "She said: no, thank you. He said: yes, please!\nThen both of them laughed.\n\n",
    "0 1 2 3 4 5 6 7 8 9 10 11 12 (A) (B) (C) (D)",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build_model(
    folder: Path,
    *,
    architecture: str = "mistral",
    seed: int = 0,
    vocabulary: int = 320,
    context: int = 2048,
    chat_template: str | None = None,
    texts: Sequence[str] = SENTENCES,
    brief: bool = False,
) -> Path:
    """Write a checkpoint of random weights, with a tokenizer trained on texts, into a folder; return the folder.

    A `brief` one ends what it generates after some tens of tokens, where others seldom end at all: the end token's
    logit is spread twice as widely as that of any other token. A `wide` one is a Llama with heads of 32.
    """
    import torch
    from transformers import AutoModelForCausalLM

    tokenizer = build_tokenizer(vocabulary, bos=architecture != "gpt2", texts=texts)
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(_config(architecture, len(tokenizer), context))
    # Widely spread weights, so that no two continuations are nearly tied and batching cannot turn an answer over.
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
        if brief:
            model.get_output_embeddings().weight[tokenizer.eos_token_id] *= 2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_tokenizer(vocabulary: int, *, bos: bool = True, texts: Sequence[str] = SENTENCES) -> Any:
    """Train a byte-level BPE tokenizer; with `bos`, it begins every text with <s>, as Mistral's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>")


def retokenize(model: Path, folder: Path, **changes: object) -> Path:
    """Write a checkpoint of the same weights whose tokenizer.json has other entries; return the folder.

    `retokenize(model, folder, post_processor=around("<s>", "</s>"))` appends an end token to every text;
    `merges=[]` loses the merges, so that there is one token a letter. A `normalizer` may write special tokens.
    """
    shutil.copytree(model, folder, copy_function=os.link, dirs_exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    if "merges" in changes:
        tokenizer["model"]["merges"] = changes.pop("merges")
    for token in tokenizer["added_tokens"] if "normalizer" in changes else ():
        token["normalized"] = True
    path.unlink()
    path.write_text(json.dumps({**tokenizer, **changes}))
    return folder


def around(*names: str) -> dict[str, object]:
    """A post-processor that puts special tokens around every text; `<s>` comes before it, `</s>` after it."""
    ids = {"<s>": 0, "</s>": 1}
    before, after = ([{"SpecialToken": {"id": name, "type_id": 0}} for name in names if name == one] for one in ids)
    single = [*before, {"Sequence": {"id": "A", "type_id": 0}}, *after]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in names},
    }


def build_adapter(folder: Path, base: Path, *, seed: int = 0, rank: int = 4) -> Path:
    """Write a LoRA adapter with random weights for a base model; return the folder."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base)
    config = LoraConfig(r=rank, lora_alpha=16, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    adapted = get_peft_model(model, config)
    adapted.save_pretrained(folder)
    settings = json.loads((folder / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(base)
    return folder


def _config(architecture: str, vocabulary: int, context: int) -> Any:
    from transformers import GPT2Config, LlamaConfig, MistralConfig

    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    if architecture == "gpt2":
        return GPT2Config(vocab_size=vocabulary, n_positions=context, n_embd=32, n_layer=2, n_head=4, **ids)
    kind = {"mistral": MistralConfig, "llama": LlamaConfig, "wide": LlamaConfig}[architecture]
    return kind(
        vocab_size=vocabulary,
        hidden_size=128 if architecture == "wide" else 32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=context,
        **ids,
    )
