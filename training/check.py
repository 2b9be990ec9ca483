"""`train --check`: everything of a recipe is looked at but the weights, and what training will take is reckoned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers import scorer_faults
from mplus_eval.training.estimate import Speed, StageEstimate, estimate, speed_of
from mplus_eval.training.recipe import Optimisation, Recipe, Source

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mplus_eval.training.training_data import Material

NOT_REACHABLE = "hub not reachable: shape from the package, tokenizer not looked at"


@dataclass(frozen=True)
class Checked:
    """A recipe without faults, as far as could be seen from here; `notes` say what could not."""

    recipe: Recipe
    speed: Speed
    estimates: tuple[StageEstimate, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Base:
    """Where the base's configuration and tokenizer lie; whether its weights are there too."""

    directory: Path | None
    config: Any
    whole: bool


def check_recipe(recipe: Recipe, data_dir: Path | None = None, *, look_at_data: bool = True) -> Checked:
    """Check all of a recipe but the weights, and estimate what it will take.

    Args:
        recipe: which is consistent in itself.
        data_dir: folder that holds datasets as org/name, before the hub.
        look_at_data: whether rows are read; without them steps are known only where the recipe states them.

    Raises:
        SpecError: with every fault found.
    """
    faults = [*_configuration_faults(recipe), *_reward_faults(recipe)]
    notes: list[str] = []
    try:
        base = _base(recipe)
        rows = _rows(recipe, base, data_dir, notes) if look_at_data else {}
        faults += _token_faults(recipe, base)
    except SpecError as error:
        raise SpecError([*faults, *error.faults]) from None
    if faults:
        raise SpecError(faults)
    if base.directory is None:
        notes.insert(0, NOT_REACHABLE)
    elif not base.whole:
        notes.insert(0, f"base {recipe.base}: on the hub; its weights were not looked at")
    if not look_at_data:
        notes.append("data not looked at")
    speed = speed_of(recipe)
    return Checked(recipe, speed, estimate(recipe, base.config, rows, speed), tuple(notes))


def render(checked: Checked) -> RenderableType:
    """Show a table with a column for each stage, what it rests on, and the notes."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{checked.recipe.base}, in {checked.recipe.dtype}", title_justify="left")
    table.add_column()
    for stage in checked.estimates:
        table.add_column(stage.name, justify="right")
    columns = [_cells(stage) for stage in checked.estimates]
    for heading in columns[0]:
        table.add_row(heading, *(cells[heading] for cells in columns), end_section=heading in ("time", "all at once"))
    lines = [*_explanation(checked), *checked.notes, "No fault found."]
    return Group(table, *(Text(line) for line in lines))


def _cells(stage: StageEstimate) -> dict[str, str]:
    """What the table says of one stage, by the heading of the line."""
    memory = stage.memory
    used = memory.activations_checkpointed if memory.checkpointing else memory.activations
    by_step = "" if stage.steps is not None else " a step"
    tokens = stage.tokens if stage.tokens is not None else stage.tokens_per_step
    seconds = stage.seconds if stage.seconds is not None else stage.seconds_per_step
    return {
        "parameters": _short(stage.parameters),
        "trained": _short(stage.trainable),
        "steps": "?" if stage.steps is None else f"{stage.steps:,}",
        "tokens": _short(tokens) + by_step,
        "time": _duration(seconds) + by_step,
        "weights, GiB": _gib(memory.weights),
        "gradients": _gib(memory.gradients),
        "AdamW's moments": _gib(memory.moments),
        "reference model": _gib(memory.reference),
        "reward models": _gib(memory.reward_models),
        "activations": _gib(used),
        "generation": _gib(memory.generation),
        "all at once": _gib(memory.total),
        "without checkpointing": _gib(memory.total - used + memory.activations),
        "with checkpointing": _gib(memory.total - used + memory.activations_checkpointed),
    }


def _explanation(checked: Checked) -> Iterator[str]:
    speed = checked.speed
    yield (
        f"Time by operations at {speed.operations_per_second / 1e12:.3g} TFLOP/s of one {speed.device} "
        f"({speed.source}); without loading, measuring and communication."
    )
    launch = checked.recipe.launch
    yield f"Memory is that of each of {launch.processes * launch.machines} device(s)."
    yield "Tokens, and with them memory and time, are upper bounds: every row as long as max_length allows."
    memory = speed.memory_gib
    for stage in checked.estimates:
        total = stage.memory.total
        if memory is not None and total > memory:
            yield f"{stage.name}: {total:.1f} GiB may not fit into the {memory:.0f} GiB of one {speed.device}"


def _short(number: float) -> str:
    """A number in three digits.

    >>> _short(7241732096)
    '7.24 B'
    >>> _short(512)
    '512'
    """
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {letter}"
    return f"{number:.0f}"


def _gib(value: float) -> str:
    return "-" if value == 0 else "<0.1" if value < 0.05 else f"{value:.1f}"


def _duration(seconds: float) -> str:
    """A time in its natural unit.

    >>> _duration(5400)
    '1.5 h'
    """
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    if seconds >= 90:
        return f"{seconds / 60:.1f} min"
    return f"{seconds:.2g} s" if seconds >= 0.01 else "<0.01 s"


def _base(recipe: Recipe) -> _Base:
    from transformers import AutoConfig

    from mplus_eval.data.hub import offline
    from mplus_eval.demo import BASE
    from mplus_eval.models.hub import fetch, tokenizer_files

    local = BASE if recipe.base == "demo:base" else Path(recipe.base).expanduser()
    if local.is_dir():
        if not (local / "config.json").is_file():
            raise SpecError([f"base {recipe.base!r}: the directory has no config.json"])
        return _Base(local, AutoConfig.from_pretrained(local), whole=True)
    try:
        # Configuration and tokenizer alone: the weights are gigabytes.
        directory = fetch(recipe.base, recipe.revision, tokenizer_files)
        return _Base(directory, AutoConfig.from_pretrained(directory), whole=False)
    except (SpecError, OSError) as error:
        folder = Path(str(resources.files("mplus_eval") / "training" / "recipes" / "shapes"))
        shape = folder / f"{recipe.base.replace('/', '--')}.json"
        if not shape.is_file():
            why = "HF_HUB_OFFLINE is set, and it is not in the cache" if offline() else str(error).partition("\n")[0]
            raise SpecError([f"base {recipe.base!r}: no such directory, nor to be had from the hub ({why})"]) from None
        return _Base(None, AutoConfig.from_pretrained(shape), whole=False)


def _rows(recipe: Recipe, base: _Base, data_dir: Path | None, notes: list[str]) -> dict[str, int | None]:
    """Rows of each stage: those that training would use, or as many as there are where lengths cannot be seen."""
    from mplus_eval.data.hub import offline

    hub = base.directory is not None and not offline()
    if base.whole and all(hub or _is_local(source, data_dir) for source in _sources(recipe)):
        from mplus_eval.training.training_data import gather

        return _rows_of(recipe, gather(recipe, data_dir))
    counter = _Counter(recipe, data_dir, hub)
    pairs = counter.pairs()
    rows = {"reward": pairs, "referee": pairs}
    for name, stage in recipe.sft.items():
        rows[name] = pairs if stage.data == "chosen" else counter.demonstrations(stage.data)
    counter.prompts()
    if counter.faults:
        raise SpecError(counter.faults)
    if counter.n_read:
        notes.append(
            "rows counted without their lengths; longer ones than max_length will be left out, and prompts of rlhf "
            f"longer than {recipe.longest_prompt} tokens"
            if recipe.rlhf
            else "rows counted without their lengths; longer ones than max_length will be left out"
        )
    if counter.missing:
        notes.append(f"data not here and not looked at: {', '.join(dict.fromkeys(counter.missing))}")
    return rows


def _rows_of(recipe: Recipe, material: Material) -> dict[str, int | None]:
    rows: dict[str, int | None] = {"reward": len(material.pairs.rows), "referee": len(material.referee_pairs.rows)}
    return rows | {name: len(material.demonstrations[name].rows) for name in recipe.sft}


class _Counter:
    """Reads rows without a tokenizer, so none is left out for its length; collects faults, and what is not here."""

    def __init__(self, recipe: Recipe, data_dir: Path | None, hub: bool) -> None:
        self._recipe, self._data_dir, self._hub = recipe, data_dir, hub
        self.faults: list[str] = []
        self.missing: list[str] = []
        self.n_read = 0

    def pairs(self) -> int | None:
        """Of the pairs, those that the reward model trains on."""
        from mplus_eval.training.data import load_pairs

        n_rows = self._sum(load_pairs, self._recipe.pairs)
        if n_rows is None:
            return None
        n_rows = round(n_rows * (1 - self._recipe.held_out))
        return n_rows // 2 if self._recipe.reward and self._recipe.reward.referee else n_rows

    def demonstrations(self, sources: tuple[Source, ...]) -> int | None:
        """Demonstrations of one stage."""
        from mplus_eval.training.data import load_demonstrations

        return self._sum(load_demonstrations, sources)

    def prompts(self) -> None:
        """Look at the sources of prompts, for their faults."""
        from mplus_eval.training.data import load_prompts

        recipe = self._recipe
        self._sum(load_prompts, (*recipe.prompts, *recipe.exclude_prompts, *recipe.check.prompts))

    def _sum(self, load: Callable[..., Any], sources: tuple[Source, ...]) -> int | None:
        counts = [self._count(load, source) for source in sources]
        known = [count for count in counts if count is not None]
        return sum(known) if known and len(known) == len(counts) else None

    def _count(self, load: Callable[..., Any], source: Source) -> int | None:
        local = _is_local(source, self._data_dir)
        if local or self._hub:
            try:
                n_rows = len(load(source, self._recipe.seed, self._data_dir).rows)
                self.n_read += n_rows
                return n_rows
            except SpecError as error:
                self.faults += error.faults
                return None
        where = f"{source.source} {source.subset}" if source.subset else source.source
        self.missing.append(where)
        return source.n


def _sources(recipe: Recipe) -> Iterator[Source]:
    yield from (*recipe.pairs, *recipe.prompts, *recipe.exclude_prompts, *recipe.check.prompts)
    for stage in recipe.sft.values():
        if stage.data != "chosen":
            yield from stage.data


def _is_local(source: Source, data_dir: Path | None) -> bool:
    """Whether rows can be read without the hub; a path that does not exist is the reader's to refuse."""
    named = source.source
    if named.startswith(("demo:", ".", "/", "~")) or named.count("/") != 1 or Path(named).exists():
        return True
    return data_dir is not None and (data_dir / named).is_dir()


def _configuration_faults(recipe: Recipe) -> list[str]:
    """What accelerate and TRL refuse; precision is left out, which they look for a device for."""
    from mplus_eval.training.launch import accelerate_config
    from mplus_eval.training.settings import stage_config

    faults: list[str] = []
    if recipe.launch.accelerate:
        faults += _faults_of(accelerate_config, recipe.launch.accelerate)
    anywhere = recipe.model_copy(update={"dtype": "float32", "device": "cpu"})
    for name, settings in _stages(recipe):
        found = _faults_of(stage_config, anywhere, settings, recipe.output / name)
        faults += [f"{name}: {fault}" for fault in found]
    return faults


def _reward_faults(recipe: Recipe) -> list[str]:
    from mplus_eval.rewards.functions import load_function

    faults: list[str] = []
    for name, stage in recipe.rlhf.items():
        for part in stage.rewards.values():
            if part.kind == "function":
                faults += [f"rlhf.{name}: {fault}" for fault in _faults_of(load_function, part.source)]
            elif part.kind == "model" and part.source != "reward" and not Path(part.source).is_dir():
                faults.append(f"rlhf.{name}: reward model {part.source!r}: no such directory")
            elif part.kind == "toxicity":
                faults += [f"rlhf.{name}: {fault}" for fault in scorer_faults(part.source)]
    for path in recipe.check.measures.values():
        faults += [f"check.measures: {fault}" for fault in _faults_of(load_function, path)]
    return faults


def _token_faults(recipe: Recipe, base: _Base) -> list[str]:
    """What is wrong with the tokenizer, and with the tokens that end an answer."""
    if base.directory is None:
        return []
    from mplus_eval.training.chat import load_tokenizer
    from mplus_eval.training.rlhf import end_token_ids

    tokenizer = load_tokenizer(base.directory, recipe.chat_template)
    return [
        f"rlhf.{name}: {fault}"
        for name, stage in recipe.rlhf.items()
        for fault in _faults_of(end_token_ids, stage, tokenizer)
    ]


def _stages(recipe: Recipe) -> Iterator[tuple[str, Optimisation]]:
    if recipe.reward:
        yield "reward", recipe.reward
    yield from recipe.sft.items()
    yield from recipe.rlhf.items()


def _faults_of(look: Callable[..., Any], *arguments: Any) -> tuple[str, ...]:
    try:
        look(*arguments)
    except SpecError as error:
        return error.faults
    return ()
