"""How a model was asked, besides what it was asked, and what of it differs between two models."""

from __future__ import annotations

from pydantic import Field

from mplus_eval.records.base import Record


class Asking(Record):
    """How one loaded model is really asked. Texts of tokens are as the tokenizer writes them."""

    api: str = Field(default="", description="of a server: the API, and how it tells log-probabilities of a prompt")
    begins_with: str = Field(default="", description="special tokens before a plain prompt, as <s>")
    leaves_off: str = Field(default="", description="special tokens that the tokenizer would append, and that are not")
    max_length: int | None = Field(default=None, description="longest sequence, in tokens")
    quantization: str | None = Field(default=None, description="of the weights, as 4bit or GGUF Q4_K_M")
    end_tokens: tuple[str, ...] = Field(default=(), description="that end a generated text")
    talk_ends: tuple[str, ...] = Field(default=(), description="tokens and texts that end an answer in chat")
    template_system: str = Field(default="", description="what the template says as the system where nothing is said")
    folds_system: bool = Field(default=False, description="a system's words go into the user's first turn")
    decoding: dict[str, str] = Field(default_factory=dict, description="settings besides the protocol's that applied")
    ignored: dict[str, str] = Field(default_factory=dict, description="settings of generation_config that did not")
    thinking: str = Field(default="", description="the texts around its reasoning, as <think>…</think>")
    thinking_tokens: int | None = Field(default=None, description="most tokens of reasoning")


class AskedDifference(Record):
    """One thing that differs between two models as they were asked on one task (`--allow NAME`)."""

    name: str = Field(description="as --allow takes it")
    says: str = Field(description="what differs, with its measure")
    share: float | None = Field(default=None, description="of the items, where it is measured in items")
    withholds: bool = Field(default=False, description="whether the verdict is withheld for it")
    allowed: bool = Field(default=False, description="whether it would be, had it not been allowed by name")
