"""`train --check`: everything of a recipe is looked at but the weights, and what training will take is reckoned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from mplus_eval.data.hub import offline
from mplus_eval.errors import SpecError
from mplus_eval.harmlessness.scorers import scorer_faults
from mplus_eval.records.training import TrainingRecord, read_record
from mplus_eval.rewards.functions import load_function
from mplus_eval.training.data import Rows, load_demonstrations, load_pairs, load_prompts
from mplus_eval.training.data.rows import T
from mplus_eval.training.estimate import CHECK_PROMPTS, TEST_PAIRS, StageEstimate, estimate
from mplus_eval.training.launch import accelerate_config
from mplus_eval.training.recipe import DataSource, Recipe
from mplus_eval.training.speed import DeviceSpeed, speed_of
from mplus_eval.training.workload import RowLength

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

NOT_REACHABLE = "hub not reachable: shape from the package, tokenizer not looked at"

P = ParamSpec("P")
Source = TypeVar("Source", bound=DataSource)


@dataclass(frozen=True)
class CheckedRecipe:
    """A recipe without faults, as far as could be seen from here; `notes` say what could not."""

    recipe: Recipe
    speed: DeviceSpeed
    estimates: tuple[StageEstimate, ...]
    notes: tuple[str, ...]
    lengths_known: bool = False
    records: Mapping[str, TrainingRecord] = field(default_factory=dict)
    """Of stages that are trained already, by their names."""


@dataclass(frozen=True)
class _Rows:
    """Rows of each stage, and their lengths where a tokenizer could be asked."""

    n: dict[str, int | None]
    lengths: dict[str, list[RowLength]]


@dataclass(frozen=True)
class _Base:
    """Where the base's configuration and tokenizer lie; whether its weights are there too."""

    directory: Path | None
    config: PreTrainedConfig
    whole: bool


def check_recipe(recipe: Recipe, data_dir: Path | None = None, *, look_at_data: bool = True) -> CheckedRecipe:
    """Check all of a recipe but the weights, and estimate what it will take.

    Args:
        recipe: which is consistent in itself.
        data_dir: folder that holds datasets as org/name, before the hub.
        look_at_data: whether rows are read; without them steps are known only where the recipe states them.

    Raises:
        SpecError: with every fault found.
    """
    faults = _settings_faults(recipe)
    notes: list[str] = []
    try:
        base = _find_base(recipe)
        rows = _rows(recipe, base, data_dir, notes) if look_at_data else _Rows({}, {})
        if base.directory is not None:
            from mplus_eval.training.chat import load_tokenizer
            from mplus_eval.training.rewards import end_token_ids

            tokenizer = load_tokenizer(base.directory, recipe.chat_template)
            for name, stage in recipe.rlhf.items():
                faults += [f"rlhf.{name}: {fault}" for fault in _faults_of(end_token_ids, stage, tokenizer)]
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
    speed = speed_of(recipe, base.config)
    estimates = estimate(recipe, base.config, rows.n, speed, rows.lengths)
    found = {each.name: read_record(recipe.output / each.name) for each in estimates}
    records = {name: record for name, record in found.items() if record is not None}
    return CheckedRecipe(recipe, speed, estimates, tuple(notes), bool(rows.lengths), records)


def _find_base(recipe: Recipe) -> _Base:
    from transformers import AutoConfig

    from mplus_eval.demo import BASE
    from mplus_eval.models.hub import fetch, tokenizer_files

    local = BASE if recipe.base == "demo:base" else Path(recipe.base).expanduser()
    if local.is_dir():
        if not (local / "config.json").is_file():
            raise SpecError([f"base {recipe.base!r}: the directory has no config.json"])
        return _Base(local, AutoConfig.from_pretrained(local, trust_remote_code=False), whole=True)
    try:
        # Configuration and tokenizer alone: the weights are gigabytes.
        directory = fetch(recipe.base, recipe.revision, tokenizer_files)
        return _Base(directory, AutoConfig.from_pretrained(directory, trust_remote_code=False), whole=False)
    except (SpecError, OSError) as error:
        folder = Path(str(resources.files("mplus_eval") / "training" / "recipes" / "shapes"))
        shape = folder / f"{recipe.base.replace('/', '--')}.json"
        if not shape.is_file():
            why = "HF_HUB_OFFLINE is set, and it is not in the cache" if offline() else str(error).partition("\n")[0]
            raise SpecError([f"base {recipe.base!r}: no such directory, nor to be had from the hub ({why})"]) from None
        return _Base(None, AutoConfig.from_pretrained(shape, trust_remote_code=False), whole=False)


def _rows(recipe: Recipe, base: _Base, data_dir: Path | None, notes: list[str]) -> _Rows:
    """Rows of each stage: those that training would use, or as many as there are where lengths cannot be seen."""
    hub = base.directory is not None and not offline()
    sources = [*recipe.pairs, *recipe.test_pairs, *recipe.prompts, *recipe.exclude_prompts, *recipe.check.prompts]
    sources += [source for stage in recipe.sft.values() if stage.data != "chosen" for source in stage.data]
    if base.whole and all(hub or _is_local(source, data_dir) for source in sources):
        from mplus_eval.training.training_data import gather

        data = gather(recipe, data_dir)
        names = ("reward", "referee", *recipe.sft, *recipe.rlhf)
        lengths = {name: data.row_lengths(data.of_stage(name).rows) for name in names}
        lengths |= {TEST_PAIRS: data.row_lengths(data.held_out), CHECK_PROMPTS: data.row_lengths(data.check_prompts)}
        # RLHF states its steps, which its rows do not decide.
        n_rows: dict[str, int | None] = {name: len(lengths[name]) for name in ("reward", "referee", *recipe.sft)}
        return _Rows(n_rows, {name: found for name, found in lengths.items() if found})
    counter = _RowCounter(recipe, data_dir, hub)
    pairs = counter.pairs()
    rows = {"reward": pairs, "referee": pairs}
    for name, stage in recipe.sft.items():
        rows[name] = pairs if stage.data == "chosen" else counter.total(load_demonstrations, stage.data)
    # Of test pairs and prompts no number is needed, but their faults are.
    counter.total(load_pairs, recipe.test_pairs)
    counter.total(load_prompts, (*recipe.prompts, *recipe.exclude_prompts, *recipe.check.prompts))
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
    return _Rows(rows, {})


class _RowCounter:
    """Reads rows without a tokenizer, so none is left out for its length; collects faults, and what is not here."""

    def __init__(self, recipe: Recipe, data_dir: Path | None, hub: bool) -> None:
        self._recipe, self._data_dir, self._hub = recipe, data_dir, hub
        self.faults: list[str] = []
        self.missing: list[str] = []
        self.n_read = 0

    def pairs(self) -> int | None:
        """Of the pairs, those that the reward model trains on."""
        n_rows = self.total(load_pairs, self._recipe.pairs)
        if n_rows is None:
            return None
        n_rows = n_rows if self._recipe.test_pairs else round(n_rows * (1 - self._recipe.held_out))
        return n_rows // 2 if self._recipe.reward and self._recipe.reward.referee else n_rows

    def total(self, load: Callable[[Source, int, Path | None], Rows[T]], sources: Sequence[Source]) -> int | None:
        """Rows of all sources; None where there is none, or the number of one is not known."""
        counts: list[int | None] = []
        for source in sources:
            if not _is_local(source, self._data_dir) and not self._hub:
                self.missing.append(f"{source.source} {source.subset}" if source.subset else source.source)
                counts.append(source.n)
                continue
            try:
                n_rows = len(load(source, self._recipe.seed, self._data_dir).rows)
            except SpecError as error:
                self.faults += error.faults
                counts.append(None)
            else:
                self.n_read += n_rows
                counts.append(n_rows)
        return sum(count for count in counts if count is not None) if counts and None not in counts else None


def _is_local(source: DataSource, data_dir: Path | None) -> bool:
    """Whether rows can be read without the hub; a path that does not exist is the reader's to refuse."""
    named = source.source
    if named.startswith(("demo:", ".", "/", "~")) or named.count("/") != 1 or Path(named).exists():
        return True
    return data_dir is not None and (data_dir / named).is_dir()


def _settings_faults(recipe: Recipe) -> list[str]:
    """What accelerate and TRL refuse, and rewards and measures that are not there."""
    from mplus_eval.training.settings import stage_config

    faults: list[str] = []
    if recipe.launch.accelerate:
        faults += _faults_of(accelerate_config, recipe.launch.accelerate)
    # Precision is left out, which TRL looks for a device for.
    anywhere = recipe.model_copy(update={"dtype": "float32", "device": "cpu"})
    for name in recipe.stages:
        refused = _faults_of(stage_config, anywhere, recipe.settings_of(name), recipe.output / name)
        faults += [f"{name}: {fault}" for fault in refused]
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


def _faults_of(look: Callable[P, object], *arguments: P.args, **options: P.kwargs) -> tuple[str, ...]:
    try:
        look(*arguments, **options)
    except SpecError as error:
        return error.faults
    return ()
