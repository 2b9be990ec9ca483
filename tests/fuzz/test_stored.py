"""What lies in files that others left: results of other tools, run directories, data, corpora and verdicts."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import strategies as st
from pyarrow import parquet

from mplus_eval.records.comparison import Comparison
from mplus_eval.store.sealed import write_sealed
from tests.fuzz.conftest import Ground
from tests.fuzz.thrown import run, throw
from tests.fuzz.values import changed, damaged, json_bytes, odd_texts, odd_values
from tests.importers.test_eee import write_record
from tests.importers.test_inspect import as_json
from tests.importers.test_nemo import write_bundle

Write = Callable[[Path], object]


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _lm_eval(folder: Path) -> None:
    """Samples and results as lm-eval lays them out, of one task of generation."""
    folder.mkdir(parents=True)
    config = {
        "task": "toy", "dataset_path": "json", "output_type": "generate_until", "num_fewshot": 0,
        "metric_list": [{"metric": "exact_match"}], "metadata": {"version": 1.0},
    }  # fmt: skip
    results = {
        "results": {"toy": {"alias": "toy", "exact_match,none": 0.5, "exact_match_stderr,none": "N/A"}},
        "configs": {"toy": config}, "versions": {"toy": 1.0}, "n-shot": {"toy": 0},
        "higher_is_better": {"toy": {"exact_match": True}}, "n-samples": {"toy": {"original": 2, "effective": 2}},
        "config": {"model": "hf", "model_args": "pretrained=m", "random_seed": 0, "limit": None},
        "group_subtasks": {}, "model_name": "m", "chat_template": None, "fewshot_as_multiturn": False,
    }  # fmt: skip
    samples = [
        {"doc_id": n, "doc": {"question": f"q{n}"}, "target": str(n), "arguments": {"gen_args_0": {"arg_0": f"q{n}",
         "arg_1": {"until": ["\n"]}}}, "resps": [[f"{n}"]], "filtered_resps": [f"{n}"], "filter": "none",
         "metrics": ["exact_match"], "doc_hash": f"{n:064x}", "prompt_hash": f"{n:064x}", "target_hash": f"{n:064x}",
         "exact_match": float(n)}
        for n in range(2)
    ]  # fmt: skip
    (folder / "results_2026-01-01T00-00-00.json").write_text(json.dumps(results))
    lines = "".join(json.dumps(row) + "\n" for row in samples)
    (folder / "samples_toy_2026-01-01T00-00-00.jsonl").write_text(lines)


def _jsonl(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = [
        {"task": "t", "item_id": f"{n}", "score": n % 2, "subtask": "s", "cluster": "c", "answer": "a"}
        for n in range(3)
    ]
    (folder / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _inspect(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "log.json").write_text(json.dumps(as_json("plus")))


TOOLS: dict[str, Write] = {
    "lm-eval": _lm_eval,
    "jsonl": _jsonl,
    "inspect": _inspect,
    "nemo": lambda folder: write_bundle(folder, [1.0, 0.0, 1.0]),
    "eee": lambda folder: write_record(folder, [1.0, 0.0, 1.0]),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_results_of_other_tools(ground: Ground, tmp_path: Path, examples: int, tool: str) -> None:
    base, plus = tmp_path / "base", tmp_path / "plus"
    for folder in (base, plus):
        TOOLS[tool](folder)
    documents = {path: path.read_bytes() for path in sorted(plus.iterdir())}
    n_items = 8 if tool == "inspect" else 2 if tool == "lm-eval" else 3

    @st.composite
    def inputs(draw: Any) -> tuple[Path, bytes]:
        path = draw(st.sampled_from(list(documents)))
        if path.suffix == ".jsonl":
            rows = draw(changed(_rows_of(documents[path])))
            return path, draw(damaged("".join(json.dumps(row) + "\n" for row in rows).encode("utf-8", "surrogatepass")))
        return path, draw(json_bytes(json.loads(documents[path])))

    def check(given: tuple[Path, bytes]) -> None:
        output = tmp_path / "run"
        shutil.rmtree(output, ignore_errors=True)
        given[0].write_bytes(given[1])
        sources = [f"base={base}", f"plus={plus}"]
        try:
            code, _, _ = run(["compare", "--from", tool, *sources, "--output", str(output), "--quiet"])
        finally:
            given[0].write_bytes(documents[given[0]])
        if code == 0:
            comparison = Comparison.read(output / "comparison.json")
            for task in comparison.tasks.values():
                n_scored = {score.n_scored + score.n_failed for score in task.scores.values()}
                assert len(n_scored) == 1, f"models are compared over other items: {n_scored}"
                assert task.n_items <= n_items

    throw(inputs(), check, examples)


def _rows_of(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


COMMANDS = (
    ["report", "{run}", "--quiet", "--short"],
    ["gate", "{run}", "--explain"],
    ["gate", "{run}", "--github", "--junit", "{out}/junit.xml", "--json", "{out}/gate.json"],
    *(["export", "{run}", "--format", kind] for kind in ("csv", "parquet", "lm-eval", "eee", "inspect", "latex")),
    ["report", "{run}", "--model-card", "plus"],
    ["report", "{run}", "--push", "dataset:org/name", "--dry-run"],
    ["conversation", "export", "{run}", "{out}/pairs.csv"],
    ["toxicity", "rescore", "{run}", "--scorer", "words", "--quiet"],
    ["conversation", "rejudge", "{run}", "--judge", "human:{out}/none.csv", "--quiet"],
)


def _all(directory: Path, commands: Sequence[Sequence[str]] = COMMANDS) -> None:
    out = directory.with_name("out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for command in commands:
        run([part.format(run=directory, out=out) for part in command])


@pytest.mark.parametrize("name", ["comparison.json", "manifest.json"])
def test_stored_comparisons(every_axis: Path, tmp_path: Path, examples: int, name: str) -> None:
    document = json.loads((every_axis / name).read_text())
    document.pop("sha256", None)
    inputs = st.tuples(changed(document), st.sampled_from(COMMANDS)) | st.tuples(
        json_bytes(document), st.sampled_from(COMMANDS)
    )
    directory = Path(shutil.copytree(every_axis, tmp_path / "run"))

    def check(given: tuple[Any, Sequence[str]]) -> None:
        content, command = given
        if isinstance(content, bytes):
            (directory / name).write_bytes(content)
        else:
            write_sealed(directory / name, content)
        shutil.rmtree(directory / "export", ignore_errors=True)
        _all(directory, [command])

    # Of a manifest, everything but a report reads next to nothing.
    throw(inputs, check, 2 * examples if name == "comparison.json" else examples // 2)


@pytest.mark.parametrize("kind", ["outcomes", "answers"])
def test_stored_parts(finished: Path, ground: Ground, tmp_path: Path, examples: int, kind: str) -> None:
    directory = Path(shutil.copytree(finished, tmp_path / "run"))
    part = directory / kind / "plus" / "sums" / "part-00000.parquet"
    whole = part.read_bytes()
    table = parquet.read_table(io.BytesIO(whole))
    rows, metadata = table.to_pylist(maps_as_pydicts="strict"), json.loads(table.schema.metadata[b"mplus_eval"])
    compare = ["compare", *ground.models, *ground.tasks, "--output", str(directory), "--quiet"]
    before = (finished / "comparison.json").read_bytes()

    @st.composite
    def inputs(draw: Any) -> tuple[bytes, Sequence[str]]:
        about = draw(changed(metadata) | st.just(metadata))
        columns = draw(changed(rows) | st.just(rows))
        own_schema = draw(st.booleans())
        command = draw(st.sampled_from([compare, *COMMANDS[:1], *COMMANDS[3:5]]))
        content = _parquet(columns, table.schema if own_schema else None, json.dumps(about))
        return draw(damaged(content or whole)), command

    def check(given: tuple[bytes, Sequence[str]]) -> None:
        content, command = given
        part.write_bytes(content)
        for path in (directory / ".finished.json", part.with_name(f"{part.name}.damaged")):
            path.unlink(missing_ok=True)
        _all(directory, [command])

    throw(inputs(), check, examples)
    # Whatever was thrown, a part that is not what the plan makes is made again.
    part.write_bytes(whole[:-9] + b"x" + whole[-8:])
    (directory / ".finished.json").unlink(missing_ok=True)
    assert run(compare)[0] == 0
    assert (directory / "comparison.json").read_bytes() == before


def _parquet(rows: Any, schema: pa.Schema | None, about: str) -> bytes | None:
    """Rows as Parquet, where they can be; a checksum is no part of it, as in parts of before there were any."""
    try:
        table = pa.Table.from_pylist(rows, schema=schema and schema.remove_metadata())
        sink = io.BytesIO()
        parquet.write_table(table.replace_schema_metadata({"mplus_eval": about}), sink)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError, UnicodeError):
        return None
    return sink.getvalue()


def _table(rows: list[dict[str, Any]], name: str) -> bytes | None:
    """Rows as a file of that name."""
    if name.endswith(".parquet"):
        return _parquet(rows, None, "{}")
    if name.endswith(".csv"):
        columns = list(dict.fromkeys(str(key) for row in rows if isinstance(row, dict) for key in row))
        lines = [columns, *([str(row.get(key, "")) for key in columns] for row in rows if isinstance(row, dict))]
        text = "\n".join(",".join(json.dumps(cell, ensure_ascii=False) for cell in line) for line in lines)
        return text.encode("utf-8", "surrogatepass")
    return "".join(json.dumps(row) + "\n" for row in rows).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_dialogues_and_prompts(ground: Ground, tmp_path: Path, examples: int, name: str) -> None:
    plain: list[dict[str, Any]] = [{"prompt": f"How {n}?", "category": "math", "reference": "So."} for n in range(3)]
    kinds: list[dict[str, Any]] = [
        {"prompt": "How?", "category": "math", "reference": "So.", "item_id": 1},
        {"messages": [{"role": "user", "content": "Hi."}], "category": None},
        {"turns": ["One.", "Two."], "references": ["a", None], "id": "x"},
    ]
    rows = kinds if name == "rows.jsonl" else plain
    file = tmp_path / name
    suite = tmp_path / "sets.yaml"
    sets = [{"name": "prompts", "source": str(file), "column": "prompt", "provoking": True}]
    asked = {"scorers": ["words"], "samples": 2, "primary": "prompts", "sets": sets}
    suite.write_text(json.dumps({"name": "sets", "tasks": [], "harmlessness": asked}))
    talk = ["conversation", *ground.models, "--dialogues", str(file), "--dry-run", "--quiet", "--judge", "human:x.csv"]
    provoke = ["toxicity", *ground.models, "--suite", str(suite), "--dry-run", "--quiet"]

    @st.composite
    def inputs(draw: Any) -> bytes:
        return draw(damaged(_table(draw(changed(rows)), name) or b""))

    def check(content: bytes) -> None:
        file.write_bytes(content)
        run(talk)
        run(provoke)

    throw(inputs(), check, examples)


def test_items_of_tasks(ground: Ground, tmp_path: Path, examples: int) -> None:
    folder = Path(shutil.copytree(ground.suite.parent, tmp_path / "tasks"))
    options = ["--suite", str(folder / ground.suite.name), "--tasks-dir", str(folder)]
    rows = _rows(folder / "sums.jsonl")

    @st.composite
    def inputs(draw: Any) -> bytes:
        return draw(damaged(_table(draw(changed(rows, odd_values)), "rows.jsonl") or b""))

    def check(content: bytes) -> None:
        (folder / "sums.jsonl").write_bytes(content)
        run(["compare", *ground.models, *options, "--output", str(tmp_path / "run"), "--quiet"])
        shutil.rmtree(tmp_path / "run", ignore_errors=True)

    throw(inputs(), check, examples)


def test_peoples_verdicts(every_axis: Path, tmp_path: Path, examples: int) -> None:
    directory, file = Path(shutil.copytree(every_axis, tmp_path / "run")), tmp_path / "pairs.csv"
    cells = st.lists(odd_texts | st.sampled_from(("A", "tie", "p1234")), min_size=7, max_size=7)

    def check(lines: list[list[str]]) -> None:
        head = "id,turn,conversation,answer_a,answer_b,verdict,comment\n"
        text = head + "".join(",".join(json.dumps(cell, ensure_ascii=False) for cell in line) + "\n" for line in lines)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        run(["conversation", "import", str(directory), str(file), "--quiet"])

    throw(st.lists(cells, max_size=3), check, examples)


def test_corpora_and_paraphrases(ground: Ground, tmp_path: Path, examples: int) -> None:
    file = tmp_path / "texts.jsonl"
    rows = [{"task": "sums", "item_id": f"{n}", "text": f"some text {n}"} for n in range(3)]
    common = ["contamination", *ground.models, *ground.tasks, "--quiet"]

    @st.composite
    def inputs(draw: Any) -> tuple[bytes, str]:
        content = _table(draw(changed(rows)), "rows.jsonl") or b""
        return draw(damaged(content)), draw(st.sampled_from(("--paraphrases", "--corpus")))

    def check(given: tuple[bytes, str]) -> None:
        file.write_bytes(given[0])
        run([*common, given[1], str(file)])

    throw(inputs(), check, examples)
