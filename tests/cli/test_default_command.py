from __future__ import annotations

import pytest
import typer

from mplus_eval.cli.default_command import DefaultCommandGroup

app = typer.Typer(cls=DefaultCommandGroup, rich_markup_mode=None)


@app.command("compare")
def compare(models: list[str] | None = None, limit: int = 0) -> None:
    typer.echo(f"compare {models} {limit}")


@app.command("again")
def again(run: str) -> None:
    typer.echo(f"again {run}")


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        app(args=arguments, prog_name="group")
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "compare None 0"),
        (["--limit", "3"], "compare None 3"),
        (["compare", "--limit", "3"], "compare None 3"),
        (["again", "runs/a"], "again runs/a"),
    ],
)
def test_what_begins_with_no_commands_name_is_a_comparison(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(arguments, capsys) == expected


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_alone_is_that_of_the_group(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(args=[flag], prog_name="group", help_option_names=["-h", "--help"])
    assert "again" in capsys.readouterr().out


def test_help_after_an_argument_is_that_of_the_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    page = said(["--limit", "3", "--help"], capsys)
    assert "Usage: group compare" in page
    assert "again" not in page
