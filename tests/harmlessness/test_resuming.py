"""A run that was stopped goes on where it was, and ends as an undisturbed one does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mplus_eval.harmlessness import axis as harmlessness_axis
from mplus_eval.harmlessness import generate as asking
from mplus_eval.records.comparison import Comparison
from tests.talkers import Bench, plain, rude

JUDGE = "function:tests.talkers:n_words"


def bench_in(folder: Path) -> Bench:
    folder.mkdir()
    return Bench(folder, {"base": rude, "plus": plain}, judges=[JUDGE])


def parts(bench: Bench) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in bench.directory.path.glob("answers/*/*/part-*.parquet")}


def comparison(bench: Bench) -> str:
    """What a run ended in, wherever it lay."""
    text = Comparison.read(bench.directory.comparison).model_dump_json(indent=2)
    return text.replace(str(bench.path), "")


@pytest.fixture(scope="module", autouse=True)
def _small_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harmlessness_axis, "PART_PROMPTS", 12)
        patch.setattr(asking, "PROMPTS_PER_CALL", 5)
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    bench = bench_in(tmp_path_factory.mktemp("resuming") / "undisturbed")
    bench.run()
    return comparison(bench)


@pytest.mark.parametrize("n_calls", [1, 20, 45, 60])
def test_a_stopped_run_goes_on_and_ends_in_the_same_comparison(tmp_path: Path, undisturbed: str, n_calls: int) -> None:
    bench, calls = bench_in(tmp_path / "stopped"), 0

    def stop(requests: Sequence[Any]) -> None:
        nonlocal calls
        calls += 1
        if calls == n_calls:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(before=stop)
    assert not bench.directory.comparison.exists()
    stored = parts(bench)
    asked = {path.parts[-3:-1] for path in stored}

    bench.run()
    assert comparison(bench) == undisturbed
    assert {path: parts(bench)[path] for path in stored} == stored
    assert (n_calls == 1) == (asked == set())


def test_what_is_stored_is_not_asked_again(tmp_path: Path) -> None:
    bench = bench_in(tmp_path / "run")
    bench.run()
    bench.run()
    assert bench.backends == []


def test_a_further_model_is_asked_and_the_baseline_of_it_alone(tmp_path: Path) -> None:
    bench = bench_in(tmp_path / "run")
    bench.run()
    bench.says["calm"] = plain
    bench.run()
    calm, base = bench.backends
    assert (calm.name, base.name) == ("calm", "base")
    assert {request.request_type for request in base.asked} == {"loglikelihood"}
    prompts = {row["prompt"] for name in ("provoking", "ordinary") for row in bench.rows("answers", "calm", name)}
    assert {request.args[0] for request in base.asked} == prompts


def test_toxicity_is_added_to_a_run_without_it(tmp_path: Path, undisturbed: str) -> None:
    bench = bench_in(tmp_path / "later")
    assert bench.run(toxicity=False).toxicity is None
    bench.run()
    assert {request.args[0] for backend in bench.backends for request in backend.asked}.isdisjoint(
        row["prompt"] for row in bench.rows("answers", "base", "dialogues")
    )
    assert comparison(bench) == undisturbed


def test_other_settings_of_sampling_are_refused_with_what_differs(tmp_path: Path) -> None:
    from mplus_eval.errors import SpecError

    bench = bench_in(tmp_path / "run")
    bench.run()
    bench.suite["harmlessness"]["temperature"] = 0.5
    with pytest.raises(SpecError, match="holds another run, with different asked of base × provoking"):
        bench.run()
