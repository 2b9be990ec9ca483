"""How the package is built, in figures: lengths, parameters, functions used once, `Any` in signatures.

    python benchmarks/structure.py              the whole package, and the goals that it misses
    python benchmarks/structure.py conversation judges      these folders, each fault by place

A function is used once when its name stands in one place besides its definition and imports: a private name in its own
module, any other in the package. What a library calls (dunders, validators, commands) is left out. Lengths are lines of
source with docstrings.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from printout import add_write, printed

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES, MOST_FUNCTION_LINES, MOST_PARAMETERS = 300, 60, 8
MOST_USED_ONCE, MOST_ANY = 0.30, 0.06

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function or method of the package."""

    path: Path
    node: Definition

    @property
    def place(self) -> str:
        """File, line and name."""
        return f"{self.path.relative_to(ROOT)}:{self.node.lineno} {self.node.name}"

    @property
    def n_lines(self) -> int:
        """From `def` to the last line."""
        return (self.node.end_lineno or self.node.lineno) - self.node.lineno + 1

    @property
    def n_parameters(self) -> int:
        """Without self, cls, *args and **kwargs."""
        arguments = self.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    @property
    def has_any(self) -> bool:
        """Whether `Any` stands in the signature."""
        arguments = self.node.args
        parameters = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        annotations = [each.annotation for each in parameters if each] + [self.node.returns]
        return any(
            isinstance(node, ast.Name) and node.id == "Any"
            for annotation in annotations
            if annotation is not None
            for node in ast.walk(annotation)
        )


def python_files() -> Iterator[Path]:
    """Every module, those behind the links included."""
    for folder, folders, names in os.walk(ROOT / "mplus_eval", followlinks=True):
        folders[:] = sorted(each for each in folders if each != "__pycache__")
        yield from (Path(folder) / name for name in sorted(names) if name.endswith(".py"))


def functions(trees: dict[Path, ast.Module]) -> list[Function]:
    """Every function and method."""
    return [
        Function(path, node) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, Definition)
    ]


def uses(tree: ast.Module) -> Counter[str]:
    """How often each name is used in a module, as a name or an attribute."""
    counts: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            counts[node.id] += 1
        elif isinstance(node, ast.Attribute):
            counts[node.attr] += 1
    return counts


def used_once(everything: list[Function], trees: dict[Path, ast.Module]) -> list[Function]:
    """The functions whose name stands in one place."""
    by_module = {path: uses(tree) for path, tree in trees.items()}
    package = sum(by_module.values(), Counter[str]())
    return [
        each
        for each in everything
        if (by_module[each.path] if each.node.name.startswith("_") else package)[each.node.name] == 1
        and not is_called_from_outside(each)
    ]


def is_called_from_outside(function: Function) -> bool:
    """Whether a library or the command line calls it: a dunder, or what a decorator registers."""
    name = function.node.name
    if name.startswith("__") and name.endswith("__"):
        return True
    registers = {"command", "callback", "field_validator", "model_validator", "model_serializer", "pass_context"}
    return any(
        isinstance(node, ast.Attribute | ast.Name)
        and (getattr(node, "attr", None) or getattr(node, "id", "")) in registers
        for decorator in function.node.decorator_list
        for node in ast.walk(decorator)
    )


def main() -> int:
    """Read what is asked for, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", help="folders of mplus_eval to list by place")
    add_write(parser)
    return printed(parser.parse_args(), count, "structure")


def count(arguments: argparse.Namespace) -> int:
    """Print the figures; 1 when a goal is missed."""
    wanted = arguments.folders
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in python_files()}
    everything = functions(trees)
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in trees}
    faults = {
        f"modules over {MOST_LINES} lines": [
            f"{path.relative_to(ROOT)} {n}" for path, n in lines.items() if n > MOST_LINES
        ],
        f"functions over {MOST_FUNCTION_LINES} lines": [
            f"{each.place} {each.n_lines}" for each in everything if each.n_lines > MOST_FUNCTION_LINES
        ],
        f"signatures over {MOST_PARAMETERS} parameters": [
            f"{each.place} {each.n_parameters}" for each in everything if each.n_parameters > MOST_PARAMETERS
        ],
    }
    once = used_once(everything, trees)
    loose = [each for each in everything if each.has_any]
    for folder in wanted:
        start = ROOT / "mplus_eval" / folder
        for title, places in (("used once", once), ("Any in the signature", loose)):
            inside = [each for each in places if each.path.is_relative_to(start) or each.path == start]
            total = [each for each in everything if each.path.is_relative_to(start) or each.path == start]
            print(f"\n{folder}: {title}: {len(inside)} of {len(total)}")
            print("\n".join(f"  {each.place}" for each in inside))
    share_once, share_any = len(once) / len(everything), len(loose) / len(everything)
    print(f"\n{len(trees)} modules, {sum(lines.values()):,} lines, {len(everything):,} functions")
    print(f"used once: {len(once):,}, {share_once:.1%} (goal {MOST_USED_ONCE:.0%})")
    print(f"Any in the signature: {len(loose):,}, {share_any:.1%} (goal {MOST_ANY:.0%})")
    for title, found in faults.items():
        print(f"{title}: {len(found)}", *found, sep="\n  ")
    missed = share_once > MOST_USED_ONCE or share_any > MOST_ANY or any(faults.values())
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
