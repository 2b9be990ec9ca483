from __future__ import annotations

from pathlib import Path

import pytest

from mplus_eval.reports import write_report
from tests.reports import build, build_conversation, build_toxicity


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported run of five models with every verdict, failures, subjects, pairs and flipped items."""
    directory = build.write_run(tmp_path_factory.mktemp("full"), build.full(), with_outcomes=True)
    write_report(directory)
    return directory


@pytest.fixture(scope="session")
def harmless_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported run of five models with toxicity, one of them mute, and the answers of two of them."""
    directory = build_toxicity.write_run(tmp_path_factory.mktemp("harmless"), build_toxicity.harmless())
    write_report(directory)
    return directory


@pytest.fixture(scope="session")
def talking_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported run of five models in conversation, with two judges, and the dialogues of one of them."""
    directory = build_conversation.write_run(tmp_path_factory.mktemp("talking"), build_conversation.talking())
    write_report(directory)
    return directory
