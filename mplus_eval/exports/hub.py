"""A report on the Hugging Face Hub: as a static Space, whose page it is, or in a dataset repository.

    mplus-eval report RUN_DIR --push space:org/name --dry-run

What is pushed is made for it from the comparison and the manifest alone, in a folder of its own: no prompt, no
transcript, no text that was provoked, and no local path; the command line, which is full of paths, is left out. The
token is the one that `huggingface_hub` finds in the environment or its own login; it is neither read here nor written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from mplus_eval import __version__
from mplus_eval.data.hub import offline, reason, refused
from mplus_eval.errors import UsageError
from mplus_eval.exports.local_paths import without_local_paths
from mplus_eval.exports.manifest import manifest_of
from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import write_report
from mplus_eval.reports.render import markdown_escaped
from mplus_eval.store.files import write_json, write_whole
from mplus_eval.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from mplus_eval.exports import StoredRun

_TARGET = re.compile(r"(dataset|space):([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)", re.ASCII)


@dataclass(frozen=True)
class Target:
    """A repository of the hub."""

    kind: Literal["dataset", "space"]
    id: str

    @classmethod
    def of(cls, text: str) -> Target:
        """Read `dataset:org/name` or `space:org/name`.

        Raises:
            UsageError: it is neither.
        """
        match = _TARGET.fullmatch(text)
        if match is None:
            raise UsageError(f"--push {text!r}: dataset:org/name or space:org/name is accepted")
        return cls("dataset" if match[1] == "dataset" else "space", match[2])

    @property
    def page(self) -> str:
        """Where people see it."""
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{self.kind}s/{self.id}"


@dataclass(frozen=True)
class Upload:
    """A file that is or would be uploaded."""

    path: str
    n_bytes: int


def push(run: StoredRun, target: Target, *, dry_run: bool = False) -> list[Upload]:
    """Upload a report.

    Args:
        run: a finished run.
        target: where to; made where it does not exist, private.
        dry_run: say what would be uploaded, and ask no network.

    Returns:
        The files.

    Raises:
        UsageError: the network is forbidden, or the hub refuses.
    """
    if offline() and not dry_run:
        raise UsageError("--push: HF_HUB_OFFLINE is set; unset it, or add --dry-run to see what would be uploaded")
    with _shareable(run, target) as folder:
        files = [
            Upload(path.relative_to(folder).as_posix(), path.stat().st_size)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        if not dry_run:
            _upload(folder, target)
    return files


def _upload(folder: Path, target: Target) -> None:
    from httpx import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api, is_space = HfApi(), target.kind == "space"
    try:
        api.create_repo(
            target.id,
            repo_type=target.kind,
            private=True,
            exist_ok=True,
            space_sdk="static" if is_space else None,
        )
        message = f"Report by mplus-eval {__version__}"
        api.upload_folder(repo_id=target.id, repo_type=target.kind, folder_path=folder, commit_message=message)
    except LocalTokenNotFoundError:
        raise UsageError("--push: no token; set HF_TOKEN to one that may write, or run `hf auth login`") from None
    except (HfHubHTTPError, HTTPError, OSError) as error:
        why = refused(error, target.id, dataset=target.kind == "dataset") or f"cannot be written: {reason(error)}"
        raise UsageError(f"--push {target.kind}:{target.id}: {why}") from None


@contextmanager
def _shareable(run: StoredRun, target: Target) -> Iterator[Path]:
    """A folder that holds what is uploaded, until the block ends."""
    with TemporaryDirectory(prefix="mplus-eval-push-") as name:
        folder = Path(name)
        directory = RunDirectory(folder)
        comparison = Comparison.model_validate(without_local_paths(run.comparison.model_dump(mode="json")))
        comparison.write(directory.comparison)
        manifest = without_local_paths(manifest_of(run))
        # It tells every folder of the machine, and the models stand in the comparison.
        manifest.pop("command", None)
        if manifest:
            write_json(directory.manifest, manifest)
        write_report(folder)
        if target.kind == "space":
            (folder / "report.html").rename(folder / "index.html")
        write_whole(folder / "README.md", _card(comparison, target))
        yield folder


def _card(comparison: Comparison, target: Target) -> str:
    """The repository's README with its front matter."""
    import yaml

    names = [name for name, entry in comparison.models.items() if entry.trajectory is None]
    title = f"What changed against {comparison.baseline}"
    data: dict[str, object] = {"title": title[:60]} if target.kind == "space" else {"pretty_name": title}
    if target.kind == "space":
        data |= {"emoji": "⚖️", "colorFrom": "blue", "colorTo": "gray", "sdk": "static", "app_file": "index.html"}
    data["tags"] = ["evaluation", "mplus-eval"]
    page = "index.html" if target.kind == "space" else "report.html"
    compared = ", ".join(markdown_escaped(name) for name in names)
    return (
        f"---\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}---\n\n"
        f"# {markdown_escaped(title)}\n\n"
        f"{compared}, on the suite {markdown_escaped(comparison.suite)}, by mplus-eval {__version__}.\n\n"
        f"- `{page}`: the report, one file that opens offline\n"
        "- `report.md` with `figures/`: the same as Markdown\n"
        "- `comparison.json`: every figure, interval and verdict, for machines\n"
        "- `manifest.json`: versions, seeds and hashes\n\n"
        "Prompts, items and transcripts are not among them.\n"
    )


def summary_line(target: Target, files: list[Upload], *, dry_run: bool) -> str:
    """What was or would be uploaded, a line a file."""
    verb = "Would upload" if dry_run else "Uploaded"
    lines = [f"{verb} to {target.kind} {target.id} ({target.page}), private where it is new:"]
    return "\n".join([*lines, *(f"  {each.path}  {each.n_bytes:,} bytes" for each in files)])
