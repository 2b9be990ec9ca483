"""A real model, small enough for any machine, that judges: it always says that the first answer is better."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from mplus_eval.judges.base import PairwiseItem, Question
from mplus_eval.training.chat import PLAIN_TEMPLATE
from tests.tiny_models import build_tokenizer

VERDICT = "[[A]]"
CONTEXT = 8192
_START_SECONDS = 600
"""A server that loads much code takes minutes on a busy machine."""


def build_judge(folder: Path) -> Path:
    """Write a checkpoint whose every next token is the verdict, and after the verdict the end.

    Attention and feed-forward layers add nothing, so the next token follows from the last one alone: all tokens have
    one embedding and the verdict another, and the head turns the one into the verdict and the other into the end.
    """
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    tokenizer = build_tokenizer(320)
    tokenizer.add_tokens([VERDICT])
    tokenizer.chat_template, tokenizer.model_max_length = PLAIN_TEMPLATE, CONTEXT
    # Heads of 32, since vLLM has no smaller ones on a CPU.
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, sliding_window=None,
        bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    model = MistralForCausalLM(config)
    verdict = tokenizer.convert_tokens_to_ids(VERDICT)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        embeddings, head = model.model.embed_tokens.weight, model.lm_head.weight
        embeddings.zero_()
        head.zero_()
        embeddings[:, 0], embeddings[verdict] = 1.0, 0.0
        embeddings[verdict, 1] = 1.0
        head[verdict, 0] = head[tokenizer.eos_token_id, 1] = 1.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pairings(n: int) -> list[PairwiseItem]:
    """Pairs of one turn and of two, with a reference answer for every other."""
    made = []
    for number in range(n):
        turn = number % 2 + 1
        references = (f"It is {number}.", "No.") if number % 4 < 2 else ()
        question = Question(str(number), "math", (f"What comes after {number - 1}?", "Are you sure?"), references)
        made.append(
            PairwiseItem(question, turn, (f"{number}", "Yes.")[:turn], (f"I think it is {number}.", "No!")[:turn])
        )
    return made


def free_port() -> int:
    """A port that nothing listens to at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(
    module: Sequence[str], port: int, log: Path, variables: Mapping[str, str], python: str = sys.executable
) -> Iterator[str]:
    """Run a server, `python -m …`, until the block ends; yields its URL once it answers."""
    import httpx

    url = f"http://127.0.0.1:{port}/v1"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **variables}
    with log.open("w") as said:
        process = subprocess.Popen(
            [python, "-m", *module], stdout=said, stderr=said, env=environment, start_new_session=True
        )
    try:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and process.poll() is None:
            try:
                # Any answer will do: transformers' fails where there is no cache of the hub's to list.
                httpx.get(f"{url}/models", timeout=5)
            except httpx.HTTPError:
                time.sleep(0.5)
            else:
                yield url
                return
        pytest.fail(f"the server did not start:\n{log.read_text()[-3000:]}")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
