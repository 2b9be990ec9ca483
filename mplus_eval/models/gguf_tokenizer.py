r"""The tokenizer in a GGUF file, built from what the file itself says.

Transformers' own reading goes by the architecture, and so takes Gemma's for a unigram vocabulary (one token a letter),
SmolLM2's beginning for its end, and every byte-level vocabulary for GPT-2's. Here it goes by `tokenizer.ggml.model`:

    llama   SentencePiece: pieces with scores; the best score is merged first, and leftmost
    gpt2    byte-level BPE: tokens and merges, after a text was cut by the expressions that `tokenizer.ggml.pre` names

The expressions are those of the models' own tokenizer.json, as llama.cpp has them too (src/llama-vocab.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from mplus_eval.models.gguf import GgufFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_AFTER_WORDS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_LLAMA3 = (rf"{_WORDS}|\p{{N}}{{1,3}}|{_AFTER_WORDS}",)
_QWEN2 = (rf"{_WORDS}|\p{{N}}|{_AFTER_WORDS}",)
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
)
_DIGITS = (r"\p{N}", _GPT2)
CUTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gpt-2", "phi-2", "mpt", "olmo", "jais", "granite-docling"), (_GPT2,)),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"), _DIGITS),
    **dict.fromkeys(("llama3", "llama-v3", "llama-bpe", "falcon3", "smaug-bpe", "dbrx"), _LLAMA3),
    **dict.fromkeys(("qwen2", "stablelm2", "deepseek-r1-qwen", "megrez"), _QWEN2),
    "tekken": _TEKKEN,
}
"""By `tokenizer.ggml.pre`, the expressions that cut a text into words, one after the other."""
_WHOLE_WORDS = (*(name for name, cuts in CUTS.items() if cuts is _LLAMA3), "tekken")
"""Those whose words are looked up whole before anything is merged, and that begin a text unless the file says no."""


class Kind(IntEnum):
    """What a token is (`tokenizer.ggml.token_type`)."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class UnbuiltError(ValueError):
    """A file's tokenizer cannot be built; says why."""


def build_tokenizer(file: GgufFile) -> PreTrainedTokenizerFast:
    """The tokenizer of a file, with its special tokens and chat template.

    Raises:
        UnbuiltError: when it is of a kind that is not built here.
    """
    from transformers import PreTrainedTokenizerFast

    said = {name.removeprefix("tokenizer."): value for name, value in file.settings.items()}
    tokens, model, cut = said.get("ggml.tokens"), said.get("ggml.model"), said.get("ggml.pre", "default")
    if not tokens:
        raise UnbuiltError("it holds no tokenizer")
    kinds = said.get("ggml.token_type") or [Kind.NORMAL] * len(tokens)
    if model == "llama":
        made = _sentence_piece(said, tokens, kinds)
    elif model == "gpt2" and cut in CUTS:
        made = _byte_level(said, tokens, CUTS[cut], whole_words=cut in _WHOLE_WORDS)
    else:
        raise UnbuiltError(f"its tokenizer is of kind {model!r}, cut as {cut!r}, which is not built from a file")
    by_kind = list(zip(tokens, kinds, strict=True))
    made.add_special_tokens([_added(token, special=True) for token, kind in by_kind if kind == Kind.CONTROL])
    made.add_tokens([_added(_user_defined(token)) for token, kind in by_kind if kind == Kind.USER_DEFINED])
    special = {
        name: tokens[number]
        for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
        if (number := said.get(f"ggml.{key}_token_id")) is not None and number < len(tokens)
    }
    begins = said.get("ggml.add_bos_token", model == "llama" or cut in _WHOLE_WORDS)
    _frame(made, special.get("bos") if begins else None, special.get("eos") if said.get("ggml.add_eos_token") else None)
    length = file.settings.get(f"{file.settings.get('general.architecture')}.context_length")
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        chat_template=said.get("chat_template"),
        model_max_length=length or int(1e30),
        **{f"{name}_token": token for name, token in special.items()},
    )


def _sentence_piece(said: dict[str, Any], tokens: Sequence[str], kinds: Sequence[int]) -> Tokenizer:
    """BPE whose merges are made of the pieces' scores, as in conversion from the original."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    scores = said.get("ggml.scores")
    if scores is None:
        raise UnbuiltError("its pieces have no scores")
    ids: dict[str, int] = {}
    for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True)):
        ids.setdefault(_user_defined(token) if kind == Kind.USER_DEFINED else token, number)
    pieces = {token: number for token, number in ids.items() if kinds[number] == Kind.NORMAL}
    merges = [
        (scores[number], len(piece[:cut]), -ids[piece[:cut]], piece[:cut], piece[cut:])
        for piece, number in pieces.items()
        for cut in range(1, len(piece))
        if piece[:cut] in pieces and piece[cut:] in pieces
    ]
    merges.sort(reverse=True)
    unknown = said.get("ggml.unknown_token_id", 0)
    made = Tokenizer(
        models.BPE(
            vocab=ids,
            merges=[(left, right) for *_, left, right in merges],
            unk_token=tokens[unknown],
            fuse_unk=True,
            byte_fallback=Kind.BYTE in kinds,
        )
    )
    prefix = said.get("ggml.add_space_prefix", True)
    spaces = normalizers.Replace(" ", "▁")
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), spaces]) if prefix else spaces
    strip = [decoders.Strip(" ", 1, 0)] if prefix else []
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    return made


def _byte_level(said: dict[str, Any], tokens: Sequence[str], cuts: Sequence[str], *, whole_words: bool) -> Tokenizer:
    """Byte-level BPE over words that were cut by expressions, one after the other."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    if "ggml.merges" not in said:
        raise UnbuiltError("its tokens have no merges")
    ids: dict[str, int] = {}
    for number, token in enumerate(tokens):
        ids.setdefault(token, number)
    # A space in a token is written otherwise, so the first one parts the two.
    merges = [tuple(merge.split(" ", 1)) for merge in said["ggml.merges"]]
    made = Tokenizer(models.BPE(vocab=ids, merges=merges, ignore_merges=whole_words))
    if cuts is _QWEN2:
        made.normalizer = normalizers.NFC()
    steps = [pre_tokenizers.Split(Regex(cut), "isolated") for cut in cuts]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([*steps, byte_level])
    made.decoder = decoders.ByteLevel()
    return made


def _user_defined(token: str) -> str:
    """As it stands in a text; conversion usually writes it so already."""
    return token.replace("▁", " ")


def _added(token: str, *, special: bool = False) -> Any:
    from tokenizers import AddedToken

    return AddedToken(token, special=special, normalized=False)


def _frame(made: Tokenizer, begin: str | None, end: str | None) -> None:
    """Put the tokens that begin and end every text around it, where the file says so."""
    from tokenizers import processors

    if not (begin or end):
        return
    one = " ".join(filter(None, [begin and f"{begin}:0", "$A:0", end and f"{end}:0"]))
    two = " ".join(filter(None, [begin and f"{begin}:1", "$B:1", end and f"{end}:1"]))
    special = [(token, made.token_to_id(token)) for token in dict.fromkeys(filter(None, [begin, end]))]
    made.post_processor = processors.TemplateProcessing(single=one, pair=f"{one} {two}", special_tokens=special)
