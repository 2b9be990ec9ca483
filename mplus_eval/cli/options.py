"""Parameters that several commands share, and those that are fields of `CompareSpec`."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, ClassVar, cast, get_args, get_origin

import typer
from typer.core import TyperCommand

from mplus_eval.spec.option import DATA_DIR, JUDGES, SCORERS, SUITE, TASKS, TASKS_DIR, Command, Option

if TYPE_CHECKING:
    from typer._click import Context, Parameter
    from typer.models import OptionInfo


def _typer_option(option: Option, *names: str) -> OptionInfo:
    if option.flag:
        names = (f"--{option.flag}",)
    info: OptionInfo = typer.Option(
        *names, help=option.help, metavar=option.metavar, envvar=option.variable, show_default=False
    )
    return info


Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=SOURCE[,key=value…]]…",
        help="Models: a directory, a hub id or a server's URL each. None: the demo's models.",
        show_default=False,
    ),
]
Config = Annotated[str | None, typer.Option(help="Configuration: a YAML file or a shipped name.")]
Suite = Annotated[str | None, _typer_option(SUITE)]
Tasks = Annotated[str | None, _typer_option(TASKS)]
TasksDir = Annotated[Path | None, _typer_option(TASKS_DIR)]
DataDir = Annotated[Path | None, _typer_option(DATA_DIR)]
Scorers = Annotated[list[str] | None, _typer_option(SCORERS)]
Judges = Annotated[list[str] | None, _typer_option(JUDGES)]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Let libraries speak, and log causes in full.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary; errors only.")]


class SpecCommand(TyperCommand):
    """A command that takes fields of `CompareSpec` as options, before `--verbose`.

    The fields are read when the command's own parameters are asked for, so that no other command waits for pydantic.
    What was given stands in the context's `obj`, by field; None is not given.
    """

    command: ClassVar[Command]
    first: ClassVar[tuple[str, ...]]

    @cached_property
    def fields(self) -> list[Parameter]:
        """The parameters that Typer makes of a function with a parameter for each field."""
        from mplus_eval.spec.compare import CompareSpec

        parameters: dict[str, inspect.Parameter] = {}
        for name, field in CompareSpec.model_fields.items():
            option = next((beside for beside in field.metadata if isinstance(beside, Option)), None)
            if option is None or (help_text := option.help_in(self.command)) is None:
                continue
            kind = str if option.commas else _kind(field.annotation)
            dashed = name.replace("_", "-")
            names = (f"--{dashed}/--no-{dashed}",) if kind is bool else ()
            info = _typer_option(replace(option, help=help_text), *names)
            parameters[name] = inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind | None, info],
            )

        def function() -> None: ...

        order = [*self.first, *(name for name in parameters if name not in self.first)]
        function.__signature__ = inspect.Signature([parameters[name] for name in order])  # type: ignore[attr-defined]
        application = typer.Typer(add_completion=False)
        application.command()(function)
        return typer.main.get_command(application).params

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Put the fields before `--verbose`."""
        own = super().get_params(ctx)
        place = next(index for index, parameter in enumerate(own) if parameter.name == "verbose")
        return [*own[:place], *self.fields, *own[place:]]

    def invoke(self, ctx: Context) -> object:
        """Run the command's function, without the fields among its arguments."""
        given = {parameter.name: ctx.params.pop(str(parameter.name)) for parameter in self.fields}
        # An option that may be repeated is an empty list where it is not given.
        ctx.obj = {name: None if value in ((), []) else value for name, value in given.items()}
        return super().invoke(ctx)


def spec_command(command: Command, *first: str) -> type[SpecCommand]:
    """The class of one command.

    Args:
        command: whose options.
        first: fields whose options stand first in the help; the others follow in the order of the fields.
    """
    return type("SpecCommand", (SpecCommand,), {"command": command, "first": first})


def _kind(annotation: object) -> type | GenericAlias:
    """What a field is on the command line; what else is wrong with a value, the spec says with all other faults.

    >>> _kind(tuple[Path, ...]), _kind(int | None), _kind(str)
    (list[pathlib.Path], <class 'int'>, <class 'str'>)
    """
    if annotation in (bool, int, Path):
        return cast("type", annotation)
    if get_origin(annotation) is tuple:
        return GenericAlias(list, (_kind(get_args(annotation)[0]),))
    return next((kind for each in get_args(annotation) if (kind := _kind(each)) is not str), str)
