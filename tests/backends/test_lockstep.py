"""Process 0 asks, and the others do what it does; most of it is seen in a group of one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mplus_eval.backends import load_backend
from mplus_eval.backends.hf import HfModel
from mplus_eval.backends.lockstep import Call, Group, SlicedModel, follow, is_follower, leading
from mplus_eval.errors import InterruptedRunError, UsageError
from mplus_eval.models.locations import resolve_source
from mplus_eval.spec.model import ModelSpec
from tests.backends.requests import choices, generations, log_probabilities
from tests.conftest import TinyModel

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What torchrun says to the only process of a group; the group is left at the end, whatever happened."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = {
        "TORCHELASTIC_RUN_ID": "test",
        "RANK": 0,
        "LOCAL_RANK": 0,
        "WORLD_SIZE": 1,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    yield
    Group.current = None
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def load(source: Path, **keys: Any) -> HfModel:
    model = ModelSpec(name="m", source=str(source), **keys)
    backend = load_backend("hf", model, resolve_source(model, "hf"))
    assert isinstance(backend, HfModel)
    return backend


@pytest.fixture
def whole(tiny_model: TinyModel) -> HfModel:
    return load(tiny_model())


def test_a_model_that_is_split_answers_as_a_whole_one(tiny_model: TinyModel, whole: HfModel, torchrun: None) -> None:
    with leading():
        split = load(tiny_model(), tp_plan="auto")
        assert isinstance(split, SlicedModel)
        assert log_probabilities(split.respond(choices())) == pytest.approx(
            log_probabilities(whole.respond(choices())), abs=1e-5
        )
        assert [each.text for each in split.respond(generations())] == [
            each.text for each in whole.respond(generations())
        ]
        assert split.score_tokens([([3, 4], [5])])[0].log_probability == pytest.approx(
            whole.score_tokens([([3, 4], [5])])[0].log_probability, abs=1e-5
        )
        split.close()
    assert Group.current is None


@pytest.mark.usefixtures("torchrun")
def test_a_follower_does_what_it_is_told_and_goes_on_after_a_failure(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ModelSpec(name="m", source=str(tiny_model()), tp_plan="auto")
    location = resolve_source(model, "hf")
    asked: list[Any] = []
    respond, close = SlicedModel.respond, SlicedModel.close
    monkeypatch.setattr(SlicedModel, "respond", lambda self, requests: asked.append(respond(self, requests)))
    monkeypatch.setattr(SlicedModel, "close", lambda self: (asked.append("closed"), close(self)))
    too_long = generations()
    too_long[0].args[1]["max_gen_toks"] = 10**6
    calls = iter([Call("load", (model, location)), Call("respond", (too_long,)), Call("respond", (choices(),)),
                  Call("load", (model, location)), None])  # fmt: skip
    monkeypatch.setattr(Group, "told", lambda self: next(calls))
    monkeypatch.setattr(Group, "tell", lambda self, *_: None)
    follow()
    # The request that leaves no room failed here as it does in process 0; the first model was forgotten for the second.
    assert len(asked) == 2
    assert len(asked[0]) == len(choices())
    assert asked[1] == "closed"


@pytest.mark.usefixtures("torchrun")
@pytest.mark.parametrize(
    ("elsewhere", "raised"),
    [("done", None), ("out of memory", torch.OutOfMemoryError), ("ValueError", InterruptedRunError)],
)
def test_how_it_ended_in_another_process_decides(
    monkeypatch: pytest.MonkeyPatch, elsewhere: str, raised: type[Exception] | None
) -> None:
    with leading():
        group = Group.current
        assert group is not None
        monkeypatch.setattr(group, "_gather", lambda ending: [ending, elsewhere])
        if raised is None:
            assert group.agree(lambda: 5) == 5
        else:
            with pytest.raises(raised):
                group.agree(lambda: 5)


@pytest.mark.usefixtures("torchrun")
def test_the_same_failure_everywhere_is_raised_as_it_is() -> None:
    def wrong() -> None:
        raise ValueError("no room")

    with leading():
        group = Group.current
        assert group is not None
        with pytest.raises(ValueError, match="no room"):
            group.agree(wrong)


def test_without_torchrun_nobody_is_led(tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    with leading():
        assert Group.current is None
        with pytest.raises(UsageError, match="only compare, plan, toxicity and conversation lead a group"):
            load(tiny_model(), tp_plan="auto")
    assert not is_follower()
    monkeypatch.setenv("RANK", "1")
    assert not is_follower()  # another launcher's number
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "test")
    assert [monkeypatch.setenv("RANK", rank) or is_follower() for rank in ("0", "1")] == [False, True]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_comparison_of_two_processes_is_that_of_one(tiny_model: TinyModel, tmp_path: Path) -> None:
    """Also where a model is refused: one line of process 0, and no other."""

    def compare(launcher: list[str], output: Path, plan: str) -> subprocess.CompletedProcess[str]:
        models = [f"{name}={tiny_model(seed=seed)}{plan}" for seed, name in enumerate(("base", "tuned"))]
        command = [*launcher, "-m", "mplus_eval", "compare", *models, "--tasks", "mini_mmlu,mini_gsm8k"]
        arguments = ["--suite", "mini", "--limit", "3", "--output", str(output)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, *command, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = [compare([], tmp_path / "one", ""), compare(launcher, tmp_path / "two", ",tp_plan=auto")]
    assert [each.returncode for each in done] == [0, 0], done[1].stderr
    one, two = (json.loads((tmp_path / name / "comparison.json").read_text()) for name in ("one", "two"))
    assert one["tasks"] == two["tasks"]
    assert one["summary"] == two["summary"]
    refused = compare(launcher, tmp_path / "three", "")
    assert refused.returncode != 0
    assert refused.stderr.count("torchrun started several processes") == 2  # one line for each model
    assert not (tmp_path / "three").exists()
