"""The tables of a comparison as Parquet, and every item of every model as one file for each task.

scores.parquet  contrasts.parquet  summary.parquet  …      the tables, as `exports.tables` makes them
outcomes/<task>.parquet                                    the columns of docs/outcomes.md, with `model` and `task`
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mplus_eval.exports.tables import Table, tables_of
from mplus_eval.store.parts import cell_tables

if TYPE_CHECKING:
    import pyarrow as pa

    from mplus_eval.exports import StoredRun


def write(run: StoredRun, folder: Path) -> list[Path]:
    """Write the tables, and the items task by task and part by part, so that memory holds one part alone."""
    written = []
    for name, table in tables_of(run).items():
        path = folder / f"{name}.parquet"
        if _write(path, [as_arrow(table)]):
            written.append(path)
    names = [*run.comparison.tasks, *(run.comparison.toxicity.sets if run.comparison.toxicity else ())]
    for name in names:
        path = folder / "outcomes" / f"{name}.parquet"
        if _write(path, _outcomes(run, name)):
            written.append(path)
    return written


def as_arrow(table: Table) -> pa.Table:
    """A table with a column for every name of any row, of one type each; a column without a value holds numbers."""
    import pyarrow as pa

    columns = list(dict.fromkeys(name for row in table for name in row))
    arrays = {}
    for name in columns:
        values = [row.get(name) for row in table]
        texts = any(isinstance(value, str) for value in values)
        # A lone surrogate, which UTF-8 does not have, becomes its escape.
        encodable = [_encodable(value) if isinstance(value, str) else value for value in values]
        kind = pa.string() if texts else None
        array = pa.array(encodable, type=kind, from_pandas=True)
        arrays[name] = array.cast(pa.float64()) if pa.types.is_null(array.type) else array
    return pa.table(arrays)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _outcomes(run: StoredRun, task: str) -> Iterable[pa.Table]:
    """The parts of a task's cells, model by model, with the columns that tell whose they are."""
    import pyarrow as pa

    from mplus_eval.store.outcomes import Outcome

    for model in run.comparison.models:
        for part in cell_tables(run.directory.outcomes(model, task), Outcome, Outcome.SCHEMA.names):
            for field in Outcome.SCHEMA:
                if field.name not in part.column_names:
                    part = part.append_column(field, pa.nulls(len(part), field.type))
            part = part.select(Outcome.SCHEMA.names).cast(Outcome.SCHEMA).replace_schema_metadata(None)
            for name, value in (("task", task), ("model", model)):
                part = part.add_column(0, name, pa.array([value] * len(part), pa.string()))
            yield part


def _write(path: Path, tables: Iterable[pa.Table]) -> bool:
    """Write tables of one schema into one file, whole or not at all; no file where there is no table."""
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    writer: parquet.ParquetWriter | None = None
    try:
        for table in tables:
            writer = writer or parquet.ParquetWriter(partial, table.schema, compression="zstd")
            writer.write_table(table)
        if writer is None:
            return False
        writer.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return True
