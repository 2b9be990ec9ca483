"""A local stand-in of the hub: serves repositories from a folder, with the few endpoints that fetching uses."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class HubStandIn:
    """The stand-in's address, and the files that were downloaded from it."""

    def __init__(self, root: Path) -> None:
        """Serve the datasets and models `root/org/name`."""
        self.root = root
        self.downloaded: list[str] = []
        self.tokens: set[str | None] = set()
        self.gated: set[str] = set()
        """Repositories whose files nobody gets."""
        self.url = ""
        self.seconds_per_megabyte = 0.0


@contextmanager
def serve_hub(root: Path) -> Iterator[HubStandIn]:
    """Serve a folder as the hub until the block ends."""
    hub = HubStandIn(root)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, format: str, *arguments: object) -> None:
            """Stay silent."""

        def _answer(self) -> None:
            hub.tokens.add(self.headers.get("Authorization"))
            parts = unquote(urlsplit(self.path).path).strip("/").split("/")
            if parts[0] == "api" and (folder := hub.root / parts[2] / parts[3]).is_dir():
                answer = _tree(folder) if parts[4:5] == ["tree"] else _repository(folder)
                self._send(json.dumps(answer).encode(), "application/json")
            elif "resolve" in parts[2:4]:
                place = parts.index("resolve")
                self._send_file("/".join(parts[place - 2 : place]), "/".join(parts[place + 2 :]))
            else:
                self._send(b"{}", "application/json", 404, {"X-Error-Code": "RepoNotFound"})

        def _send_file(self, repository: str, name: str) -> None:
            path = hub.root / repository / name
            if repository in hub.gated:
                self._send(b"", "text/plain", 403, {"X-Error-Code": "GatedRepo"})
                return
            if not path.is_file():
                self._send(b"", "text/plain", 404, {"X-Error-Code": "EntryNotFound"})
                return
            if self.command == "GET":
                hub.downloaded.append(f"{repository}/{name}")
            body = path.read_bytes()
            self._send(body, "application/octet-stream", headers={"ETag": f'"{hashlib.sha1(body).hexdigest()}"'})

        def _send(self, body: bytes, kind: str, status: int = 200, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in {"Content-Type": kind, "X-Repo-Commit": COMMIT, **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                for start in range(0, len(body), 10**6):
                    self.wfile.write(body[start : start + 10**6])
                    time.sleep(hub.seconds_per_megabyte)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


def _repository(folder: Path) -> dict[str, object]:
    identifier = f"{folder.parent.name}/{folder.name}"
    return {
        "id": identifier,
        "sha": COMMIT,
        "tags": [],
        "siblings": [{"rfilename": file, "size": size} for file, size in _files(folder)],
    }


def _tree(folder: Path) -> list[dict[str, object]]:
    return [{"type": "file", "path": file, "size": size, "oid": COMMIT} for file, size in _files(folder)]


def _files(folder: Path) -> list[tuple[str, int]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in paths]
