"""The demo's tokenizer: a word with the space before it is a token, so that decoding gives back the same text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mplus_eval.demo.arithmetic import LARGEST
from mplus_eval.demo.everyday import SITUATIONS, TOOLS
from mplus_eval.demo.text import documents

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_TOKEN = r" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]|\s"
_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
_N_DOCUMENTS = 8000
PAD, BOS, EOS = 0, 1, 2


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer from a sample of the text; every word of the world is in it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # A sample of the text misses some of its rare words, so those are read from the tables that they come from.
    table = [f"{first.format(name='Mia')} {second}." for first, second in (*SITUATIONS, *TOOLS)]
    text = "\n".join([*documents(_N_DOCUMENTS, seed=0), *[f" {row}" for row in table]])
    numbers = {f" {number}" for number in range(LARGEST + 1)}
    words = sorted({" ", "\n", *re.findall(_TOKEN, text)} | numbers)
    vocabulary = {word: number for number, word in enumerate([*_SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_TOKEN), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
