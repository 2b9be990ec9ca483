"""One checkpoint, and copies of it that differ in anything but what the model is: its true differences are all 0."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.tiny_models import SENTENCES, build_tokenizer

CHATML = (
    "{{ bos_token }}{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKING = CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
CONTEXT = 1024


def build_checkpoint(folder: Path) -> Path:
    """A model of random weights with a ChatML template over an end token of its own, which ends most of its turns.

    Its vocabulary is padded to a multiple of 64, as many are: no text has the tokens of the last rows.
    """
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    tokenizer = build_tokenizer(360, texts=SENTENCES)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = CHATML
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(0)
    rows = -(-len(tokenizer) // 64) * 64
    config = LlamaConfig(vocab_size=rows, max_position_embeddings=CONTEXT, **ids, **shape)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
        head = model.get_output_embeddings().weight
        head[len(tokenizer) :] = 0
        for end in ("</s>", "<|im_end|>"):
            head[tokenizer.convert_tokens_to_ids(end)] *= 2
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@dataclass(frozen=True)
class Disguise:
    """A copy of a checkpoint.

    Attributes:
        change: what is done to the copy.
        keys: of the model, as a user gives them.
        withheld: by task, the names of the differences of which one at least must withhold the verdict; a task that is
            absent must not differ at all.
    """

    change: Callable[[Path], None]
    keys: Mapping[str, Any] = field(default_factory=dict)
    withheld: Mapping[str, Sequence[str]] = field(default_factory=dict)


def copy(source: Path, folder: Path, disguise: Disguise) -> Path:
    """The checkpoint in a disguise."""
    shutil.copytree(source, folder)
    disguise.change(folder)
    return folder


def edit(name: str, **changes: Any) -> Callable[[Path], None]:
    """Change keys of a JSON file, which is made where it is absent."""

    def change(folder: Path) -> None:
        path = folder / name
        content = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        path.write_text(json.dumps(content | changes), encoding="utf-8")

    return change


def each(*changes: Callable[[Path], None]) -> Callable[[Path], None]:
    """One change after the other."""

    def change(folder: Path) -> None:
        for one in changes:
            one(folder)

    return change


def post_processor(single: Sequence[str]) -> Callable[[Path], None]:
    """Put these special tokens around every text; `$A` stands for it."""

    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        ids = {token["content"]: token["id"] for token in content["added_tokens"]}
        special = [token for token in single if token != "$A"]
        content["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [
                {"Sequence": {"id": "A", "type_id": 0}}
                if token == "$A"
                else {"SpecialToken": {"id": token, "type_id": 0}}
                for token in single
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in special},
        }
        path.write_text(json.dumps(content), encoding="utf-8")

    return change


def template(text: str) -> Callable[[Path], None]:
    """Give the tokenizer another chat template."""

    def change(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text, encoding="utf-8")

    return change


def saved_as(dtype: str) -> Callable[[Path], None]:
    """Save the weights in another precision."""

    def change(folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).save_pretrained(folder)

    return change


def adapted(*, embeddings: bool) -> Callable[[Path], None]:
    """Put an adapter over it that changes nothing, saved with the embeddings of the padded vocabulary or without."""

    def change(folder: Path) -> None:
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder)
        adapter = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"]))
        adapter.save_pretrained(folder / "adapter", save_embedding_layers=embeddings)

    return change


CHAT_MODELS_CONFIG = {
    "do_sample": True, "temperature": 0.3, "top_k": 3, "top_p": 0.5, "repetition_penalty": 1.5, "max_new_tokens": 200,
}  # fmt: skip
CHOICE, SUMS, PLAIN, CHAT, DIALOGUES = "mini_arc_easy", "mini_gsm8k", "quarrels", "provoking", "dialogues"
GENERATED = (SUMS, PLAIN, CHAT, DIALOGUES)
EVERYWHERE = (CHOICE, *GENERATED)
DISGUISES = {
    "twin": Disguise(lambda folder: None),
    "appends-eos": Disguise(post_processor(["<s>", "$A", "</s>"])),
    "without-bos": Disguise(post_processor(["$A"]), withheld=dict.fromkeys((CHOICE, SUMS, PLAIN), ("token-ids",))),
    "bos-asked-for": Disguise(post_processor(["$A"]), {"add_bos": True}),
    "chat-config": Disguise(edit("generation_config.json", **CHAT_MODELS_CONFIG)),
    "own-config": Disguise(
        edit("generation_config.json", **CHAT_MODELS_CONFIG),
        {"generation": "own"},
        dict.fromkeys(GENERATED, ("decoding", "new-tokens")),
    ),
    "other-end": Disguise(
        each(
            edit("tokenizer_config.json", eos_token="<|im_end|>"),
            edit("generation_config.json", eos_token_id=None),
        )
    ),
    "adapter": Disguise(adapted(embeddings=False)),
    "adapter-with-embeddings": Disguise(adapted(embeddings=True)),
    "bfloat16": Disguise(saved_as("bfloat16"), withheld=dict.fromkeys(EVERYWHERE, ("dtype",))),
    "short": Disguise(
        edit("config.json", max_position_embeddings=128), withheld=dict.fromkeys((CHOICE, SUMS), ("cut", "lost"))
    ),
    "thinks": Disguise(template(THINKING), withheld=dict.fromkeys((CHAT, DIALOGUES), ("unclosed",))),
}
