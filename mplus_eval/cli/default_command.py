"""A group of commands of which one needs no name: `mplus-eval toxicity base=./base` beside `toxicity rescore`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context

DEFAULT = "compare"
_HELP = ("-h", "--help")


class DefaultCommandGroup(TyperGroup):
    """Takes what begins with no command's name for arguments of `compare`."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Put the default command's name before arguments that lack one."""
        if not args or (args[0] not in self.commands and args[0] not in _HELP):
            args = [DEFAULT, *args]
        return list(super().parse_args(ctx, args))
