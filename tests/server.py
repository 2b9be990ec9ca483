"""A local server that answers OpenAI's API as vLLM's does, from a tiny model, and fails when told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mplus_eval.servers.api import PROBE, forget

NAME = "tiny"
Body = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """An answer that is not the model's."""

    status: int = 200
    content: str = '{"error": {"message": "told to fail"}}'
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    """Says nothing until the server is stopped."""
    cut: bool = False
    """Closes the connection in the middle of its content."""


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
        self.apis = ["completions"]
        """Which of `completions` and `chat` there are."""
        self.refuses: Callable[[Body], int | Reply | None] = lambda body: None
        """What requests of some bodies get instead of an answer, also those that ask what the server can."""
        self.failures: list[int | Reply] = []
        """What the next requests get instead, one after the other."""
        self.broken_reply: dict[str, Any] | None = None
        self.finish_reason: str | None = None
        self.usage: dict[str, Any] | None = None
        self.gives_samples = True
        self.completions: list[dict[str, Any]] = []
        self.chats: list[dict[str, Any]] = []
        self.probes: list[dict[str, Any]] = []
        """Requests of one token or so that ask what the server can."""
        self.stopped = threading.Event()
        self.n_under_way = self.most_under_way = 0
        self.seconds = 0.0
        """How long an answer takes."""
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
        kind = {"/v1/completions": "completions", "/v1/chat/completions": "chat"}.get(path)
        if kind not in self.apis:
            return 404, {"error": path}
        is_probe = body.get("prompt", body.get("messages")) in (PROBE, [{"role": "user", "content": PROBE}])
        with self._lock:
            (self.probes if is_probe else self.completions if kind == "completions" else self.chats).append(body)
            instead = self.refuses(body)
            if instead is None and not is_probe and self.failures:
                instead = self.failures.pop(0)
            self.n_under_way += 1
            self.most_under_way = max(self.most_under_way, self.n_under_way)
        try:
            time.sleep(self.seconds)
            if instead is not None:
                return 0, instead if isinstance(instead, Reply) else Reply(instead)
            if self.broken_reply is not None and not is_probe:
                return 200, self.broken_reply
            with self._lock:
                choices = self._chat(body) if kind == "chat" else self._completion(body)
        finally:
            with self._lock:
                self.n_under_way -= 1
        usage = {"usage": self.usage} if self.usage else {}
        ended = {"finish_reason": self.finish_reason} if self.finish_reason else {}
        return 200, {"model": body["model"], "choices": [{**choice, **ended} for choice in choices], **usage}

    def _completion(self, body: Body) -> list[Body]:
        asked = self.tokenizer.encode(body["prompt"]) if isinstance(body["prompt"], str) else body["prompt"]
        prompts = asked if isinstance(asked[0], list) else [asked]
        choices = [self._choice(index, prompt, body) for index, prompt in enumerate(prompts)]
        return self._samples(choices[0], "text", body) if body.get("n") else choices

    def _chat(self, body: Body) -> list[Body]:
        """Messages in the checkpoint's template, gone on from; a limit of either name."""
        text = self.tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
        limit = body.get("max_tokens") or body["max_completion_tokens"]
        prompt = self.tokenizer.encode(text, add_special_tokens=False)
        choice = self._choice(0, prompt, {**body, "max_tokens": limit})
        choices = self._samples(choice, "text", body) if body.get("n") else [choice]
        return [{"index": each["index"], "message": {"content": each["text"]}} for each in choices]

    def _samples(self, choice: Body, key: str, body: Body) -> list[Body]:
        n = body["n"] if self.gives_samples else 1
        return [{**choice, "index": index, key: f"{choice[key]} {index}"} for index in range(n)][::-1]

    def _choice(self, index: int, prompt: list[int], body: dict[str, Any]) -> dict[str, Any]:
        tokens = self._continue(prompt, body["max_tokens"])
        if "prompt_logprobs" in body:
            return {"index": index, "text": "", "prompt_logprobs": self._prompt_logprobs(prompt)}
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

    def _prompt_logprobs(self, tokens: list[int]) -> list[dict[str, Any] | None]:
        """The same in vLLM's own form: by id, with the rank."""
        import torch

        with torch.no_grad():
            table = self.model(torch.tensor([tokens])).logits[0].log_softmax(-1)
        return [
            None,
            *(
                {str(token): {"logprob": float(row[token]), "rank": int((row > row[token]).sum()) + 1}}
                for row, token in zip(table, tokens[1:], strict=False)
            ),
        ]


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
                # Some servers repeat the key that they refuse.
                status, value = 401, {"error": f"wrong key {self.headers.get('Authorization')}"}
            reply = value if isinstance(value, Reply) else Reply(status, json.dumps(value))
            if reply.hangs:
                server.stopped.wait(30)
                self.close_connection = True
                return
            content = reply.content.encode("utf-8", "surrogatepass")
            self.send_response(reply.status)
            for name, text in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if reply.cut else content)
            self.close_connection = self.close_connection or reply.cut

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
    # The port may have been another test's; what the server there could says nothing of this one.
    forget()
    try:
        yield server
    finally:
        server.stopped.set()
        listener.shutdown()
        listener.server_close()
        thread.join()
