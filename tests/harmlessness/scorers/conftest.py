"""A small Detoxify checkpoint, and a network that is not there."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.harmlessness.small_detoxify import write_base, write_checkpoint


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the config and the tokenizer of a tiny BERT."""
    return write_base(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in Detoxify's format, its base model beside it."""
    return write_checkpoint(tmp_path_factory.mktemp("detoxify"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every socket fail as soon as it is made."""

    def blocked(*_: Any, **__: Any) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", blocked)
    monkeypatch.setattr(socket, "create_connection", blocked)
