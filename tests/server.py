"""A local server that answers OpenAI's completions API as vLLM's does, from a tiny model, and fails when told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAME = "tiny"


class CompletionServer:
    """What the server serves and how it fails; to be changed by tests while it runs."""

    def __init__(self, checkpoint: Path) -> None:
        """Load the checkpoint that answers."""
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.model = AutoModelForCausalLM.from_pretrained(checkpoint)
        self.tokenizer = AutoTokenizer.from_pretrained(checkpoint)
        self.url = ""
        self.key: str | None = None
        self.models: list[dict[str, Any]] = [{"id": NAME, "max_model_len": 512}]
        self.has_tokenizer = True
        self.failures: list[int] = []
        self.broken_reply: dict[str, Any] | None = None
        self.completions: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def get(self, path: str) -> tuple[int, Any]:
        """Answer a GET request: status and JSON."""
        if path == "/v1/models":
            return 200, {"object": "list", "data": self.models}
        if path == "/tokenizer_info" and self.has_tokenizer:
            template = self.tokenizer.chat_template
            return 200, {"eos_token": "</s>", "bos_token": "<s>", "chat_template": template}
        return 404, {"error": path}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a POST request: status and JSON."""
        if path == "/tokenize":
            return 200, {"tokens": self.tokenizer.encode(body["prompt"], add_special_tokens=False)}
        if path == "/detokenize":
            return 200, {"prompt": self.tokenizer.decode(body["tokens"])}
        if path != "/v1/completions":
            return 404, {"error": path}
        with self._lock:
            self.completions.append(body)
            if self.failures:
                return self.failures.pop(0), {"error": "told to fail"}
            if self.broken_reply is not None:
                return 200, self.broken_reply
            prompts = body["prompt"] if isinstance(body["prompt"][0], list) else [body["prompt"]]
            choices = [self._choice(index, prompt, body) for index, prompt in enumerate(prompts)]
        return 200, {"model": body["model"], "choices": choices}

    def _choice(self, index: int, prompt: list[int], body: dict[str, Any]) -> dict[str, Any]:
        tokens = self._continue(prompt, body["max_tokens"])
        if not body.get("echo"):
            text = self.tokenizer.decode(tokens[len(prompt) :], skip_special_tokens=True)
            ends = [text.index(stop) for stop in body.get("stop") or [] if stop in text]
            return {"index": index, "text": text[: min(ends)] if ends else text}
        return {"index": index, "text": self.tokenizer.decode(tokens), "logprobs": self._logprobs(tokens)}

    def _continue(self, prompt: list[int], n_tokens: int) -> list[int]:
        import torch

        tokens = list(prompt)
        with torch.no_grad():
            while len(tokens) < len(prompt) + n_tokens and tokens[-1] != self.tokenizer.eos_token_id:
                tokens.append(int(self.model(torch.tensor([tokens])).logits[0, -1].argmax()))
        return tokens

    def _logprobs(self, tokens: list[int]) -> dict[str, Any]:
        """Log-probabilities as vLLM gives them: none for the first token, and the best token's beside each one's."""
        import torch

        with torch.no_grad():
            table = self.model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        values = [float(table[place, token]) for place, token in enumerate(tokens[1:])]
        best = [{"best": float(row.max()), "own": value} for row, value in zip(table, values, strict=False)]
        return {"token_logprobs": [None, *values], "top_logprobs": [None, *best]}


@contextmanager
def serving(server: CompletionServer) -> Iterator[CompletionServer]:
    """Run a server on a free port of this machine for as long as the block lasts; sets its `url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(*server.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(*server.post(self.path, body))

        def _reply(self, status: int, value: Any) -> None:
            if server.key is not None and self.headers.get("Authorization") != f"Bearer {server.key}":
                status, value = 401, {"error": "wrong key"}
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()
