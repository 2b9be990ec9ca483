from __future__ import annotations

import json
from pathlib import Path

import pytest

from mplus_eval.reports import write_report
from mplus_eval.reports.explorer import explorer as module
from mplus_eval.reports.explorer.explorer import Explorer
from mplus_eval.reports.view import build_report
from tests.reports import build
from tests.reports.explorer import unpacking


def explored(directory: Path, choice: str = "all") -> Explorer | None:
    return build_report(build.full(), {}, directory, choice).explorer  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build.write_run(tmp_path, build.full(), with_outcomes=True)


def page(run: Path) -> str:
    return (run / "report.html").read_text(encoding="utf-8")


def test_the_catalogue_names_models_and_collections(run: Path) -> None:
    found = explored(run)
    assert found is not None
    catalogue = unpacking.line(found.catalogue)
    assert catalogue["baseline"] == "base"
    assert catalogue["models"][0] == {"name": "base", "css": "m-base", "shape": "base"}
    assert [(one["name"], one["models"], one["n"]) for one in catalogue["collections"]] == [
        ("gsm8k", ["base", "sft", "plus"], 10)
    ]
    assert len(unpacking.of(found, "gsm8k").items) == 10


def test_of_flips_fewer_are_packed_and_it_is_said_of_how_many(run: Path) -> None:
    found = explored(run, "flips")
    assert found is not None
    (facts,) = unpacking.line(found.catalogue)["collections"]
    assert (facts["n"], facts["stored"]) == (8, 10)


def test_of_none_and_of_a_run_without_outcomes_there_is_no_explorer(run: Path, tmp_path: Path) -> None:
    assert explored(run, "none") is None
    assert explored(tmp_path / "empty") is None


def test_the_page_holds_the_items_and_their_size_is_said(run: Path) -> None:
    written, found = write_report(run), explored(run)
    assert found is not None
    assert found.catalogue in page(run)
    assert str(written) == f"{run / 'report.html'}, {written.size / 1e6:.1f} MB, of which items 0.1 MB"
    assert written.size == (run / "report.html").stat().st_size
    assert written.items_size == found.size


def test_a_page_without_items_still_shows_a_few(run: Path) -> None:
    written = write_report(run, "none")
    assert str(written) == f"{run / 'report.html'}, {written.size / 1e6:.1f} MB"
    assert 'id="explorer"' not in page(run)
    assert "lost: gsm8k, item-1" in page(run)
    assert 'class="x-few"' not in page(run)


def test_without_a_word_the_page_holds_what_the_run_was_made_with(run: Path) -> None:
    (run / "manifest.json").write_text(json.dumps(build.MANIFEST | {"items": "flips"}), encoding="utf-8")
    flips = explored(run, "flips")
    assert flips is not None
    assert write_report(run).items_size == flips.size
    (run / "manifest.json").write_text(json.dumps(build.MANIFEST | {"items": ["what"]}), encoding="utf-8")
    every = explored(run)
    assert every is not None
    assert write_report(run).items_size == every.size


def test_items_that_are_too_large_lie_beside_the_report(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = explored(run)
    assert found is not None
    monkeypatch.setattr(module, "LARGEST_WITHIN", found.size - 1)
    written = write_report(run)
    assert str(written).endswith(" MB; its items, 0.1 MB, lie beside it in items.html")
    assert found.catalogue not in page(run)
    assert 'href="items.html"' in page(run)
    assert found.catalogue in (run / "items.html").read_text(encoding="utf-8")
    assert "lost: gsm8k, item-1" in page(run)


def test_a_page_of_items_that_is_not_needed_any_more_goes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_WITHIN", 1)
    write_report(run)
    monkeypatch.undo()
    assert write_report(run).items_page is None
    assert not (run / "items.html").exists()


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    write_report(run)
    first = page(run)
    write_report(run)
    assert page(run) == first
