"""TensorBoard: event files in `tensorboard/` of the run directory; the report is a text, since it has no artifacts."""

from __future__ import annotations

from mplus_eval.exports.trackers.content import Logged, plain_key
from mplus_eval.reports.render import markdown_escaped


def log(content: Logged) -> str:
    """Log a run anew; returns the folder."""
    from torch.utils.tensorboard import SummaryWriter

    folder = content.directory / "tensorboard"
    # A second call would draw every point twice.
    for path in folder.glob("events.out.tfevents.*"):
        path.unlink()
    with SummaryWriter(str(folder)) as writer:
        for name, value in content.scalars.items():
            writer.add_scalar(plain_key(name), value)
        for training, steps in content.series.items():
            for step, values in steps:
                for name, value in values.items():
                    writer.add_scalar(f"{plain_key(training)}/{plain_key(name)}", value, global_step=step)
        settings = [["setting", "value"], *([name, str(value)] for name, value in content.settings.items())]
        writer.add_text("settings", _table(settings))
        if content.decision:
            cells = [["" if cell is None else str(cell) for cell in row] for row in content.cells()]
            writer.add_text("decision", _table([content.columns, *cells]))
        for path in content.files:
            if path.suffix == ".md":
                writer.add_text("report", path.read_text(encoding="utf-8"))
    return str(folder)


def _table(rows: list[list[str]]) -> str:
    """A table as Markdown, the first row its heading."""
    lines = [f"| {' | '.join(map(markdown_escaped, row))} |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])
