"""What a user asks for: models, suite and options, read from the command line and a YAML file, checked whole.

    suite: mplus
    models:
      base: mistralai/Mistral-7B-v0.1
      plus: {source: ./runs/plus, role: plus, dtype: bfloat16}
    baseline: base
    limit: 200

Paths are relative to the working directory, as on the command line. `trajectory` names training directories, whose
models are added (`spec.trajectory`). `noise_floor` asks the baseline twice (`pipeline.noise_rerun`). An option
on the command line replaces the same one in the file; a model on the command line is added, or replaces the file's
model of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.records.training import read_record
from mplus_eval.spec.backends import BACKENDS, DEFAULT_BACKEND, URL_BACKEND, either
from mplus_eval.spec.config import load_config
from mplus_eval.spec.faults import faults_of, nearest
from mplus_eval.spec.fields import NAME_PATTERN, Accepts, Fields, Positive, WholeNumber
from mplus_eval.spec.model import KNOWN_ROLES, MODEL_KEYS, BackendName, ModelSpec, is_url, parse_model

Models = Sequence[str] | Mapping[str, str | Path | Mapping[str, Any]]
"""Models as they are asked for: texts of the command line, or sources by name."""


_TRUE_OR_FALSE = Accepts("true or false")


class CompareSpec(Fields):
    """Everything that one comparison needs to know."""

    models: tuple[ModelSpec, ...]
    suite: str
    tasks: tuple[str, ...] | None = None
    tasks_dir: Path | None = None
    limit: Annotated[Positive | None, Accepts("a whole number above 0")] = None
    trajectory: Annotated[tuple[Path, ...], Accepts("a training directory, or a list of them")] = ()
    trajectory_limit: Annotated[Positive | None, Accepts("a whole number above 0")] = None
    baseline: str
    data_dir: Path | None = None
    output: Path
    backend: BackendName = DEFAULT_BACKEND
    seed: Annotated[WholeNumber, Accepts("a whole number, 0 or above")] = 0
    pairs: Literal["baseline", "all"] = "baseline"
    noise_floor: Annotated[bool, _TRUE_OR_FALSE] = False
    capability: Annotated[bool, _TRUE_OR_FALSE] = True
    toxicity: Annotated[bool | None, _TRUE_OR_FALSE] = None
    scorers: Annotated[tuple[str, ...], Field(max_length=2), Accepts("one or two names of scorers")] = ()
    conversation: Annotated[bool | None, _TRUE_OR_FALSE] = None
    judges: Annotated[tuple[str, ...], Field(max_length=2), Accepts("one or two names of judges")] = ()
    dialogues: str | None = None

    @field_validator("tasks_dir", "data_dir", "output")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None

    @field_validator("trajectory", mode="before")
    @classmethod
    def _folders(cls, value: Any) -> Any:
        """Take one folder for a list of one."""
        return (value,) if isinstance(value, str | Path) else value

    @field_validator("trajectory")
    @classmethod
    def _homes(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.expanduser() for path in value)

    def limit_of(self, model: ModelSpec) -> int | None:
        """Items per leaf task of one model: the run's limit, or that of saved steps; None for all."""
        return self.limit if model.trajectory is None else self.trajectory_limit or self.limit

    def backend_of(self, model: ModelSpec) -> BackendName:
        """The backend of one model: its own, a server's when its source is a URL, or the run's."""
        if model.backend is not None:
            return model.backend
        return URL_BACKEND if is_url(model.source) or model.base_url else self.backend


OPTION_KEYS = tuple(key for key in CompareSpec.model_fields if key != "models")


def build_spec(
    models: Models = (),
    config: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    default_output: str | None = None,
) -> CompareSpec:
    """Build the spec of a comparison from command-line models, a config file or shipped name, and options.

    Args:
        models: texts `NAME=SOURCE[,key=value…]`, in order; or sources, or mappings of keys with `source`, by name.
        config: a YAML file or the name of a shipped configuration; `demo` when no model is named at all.
        options: options by key of `CompareSpec`; None means not given.
        default_output: the run directory when none is given; made from date and names when None.

    Raises:
        SpecError: with every fault that was found.
    """
    spec, faults = draft_spec(models, config, options, default_output=default_output)
    if faults:
        raise SpecError(faults)
    return spec


def draft_spec(
    models: Models = (),
    config: str | None = None,
    options: Mapping[str, Any] | None = None,
    *,
    default_output: str | None = None,
) -> tuple[CompareSpec, list[str]]:
    """Return what is right of what was asked for, and every fault; the arguments are those of `build_spec`.

    Sources and tasks of a draft can be checked although it has faults, so that all of them are reported together.
    """
    faults: list[str] = []
    document = _document(config, models or (options or {}).get("trajectory"), faults)
    entries = {**_named_models(document.get("models") or {}, "config: ", faults), **_given_models(models, faults)}
    given = {key: value for key, value in (options or {}).items() if value is not None}
    asked = {**{key: value for key, value in document.items() if key != "models"}, **given}
    _check_keys(asked, OPTION_KEYS, "option", f"config {config}", faults)
    if not entries and not asked.get("trajectory") and not faults:
        faults.append("no model is named: give NAME=SOURCE on the command line or `models:` in the config file")
    found = [_model(name, fields, faults) for name, fields in entries.items()]
    specs = tuple(_with_recorded_role(model) for model in found if model is not None)
    if asked.get("trajectory"):
        specs = _with_trajectories(specs, asked["trajectory"], faults)
    defaults = {
        "models": specs,
        "suite": "mplus",
        "baseline": _default_baseline(specs),
        "output": default_output or _default_output(specs),
    }
    spec = _checked(defaults, {key: value for key, value in asked.items() if key in OPTION_KEYS}, faults)
    if spec.trajectory_limit and not any(model.trajectory for model in spec.models):
        faults.append(f"--trajectory-limit {spec.trajectory_limit}: belongs to --trajectory, which is not given")
    if spec.limit and spec.trajectory_limit and spec.trajectory_limit > spec.limit:
        faults.append(f"--trajectory-limit {spec.trajectory_limit}: at most the --limit of {spec.limit} is accepted")
    if spec.noise_floor:
        faults += _noise_floor_faults(spec)
    names = list(dict.fromkeys([*entries, *(model.name for model in specs)]))
    if names and spec.baseline and spec.baseline not in names:
        faults.append(f"baseline {spec.baseline!r} is not among the models: {', '.join(names)}")
    return spec, list(dict.fromkeys(faults))


def _document(config: str | None, named: object, faults: list[str]) -> dict[str, Any]:
    if config is None and named:
        return {}
    try:
        return load_config(config or "demo")
    except SpecError as error:
        faults.extend(error.faults)
        return {}


def _given_models(models: Models, faults: list[str]) -> dict[str, dict[str, Any]]:
    if isinstance(models, Mapping):
        return _named_models(models, "", faults)
    entries: dict[str, dict[str, Any]] = {}
    for text in models:
        try:
            name, fields = parse_model(text)
        except UsageError as error:
            faults.append(str(error))
            continue
        if name in entries:
            faults.append(f"model name {name!r} is used twice; every model needs a name of its own")
        entries[name] = fields
    return entries


def _named_models(models: Any, where: str, faults: list[str]) -> dict[str, dict[str, Any]]:
    """Models by name, as a config file and the Python API give them."""
    if not isinstance(models, Mapping):
        faults.append(f"{where}`models` is a mapping of NAME: SOURCE or NAME: {{source: …, role: …}}")
        return {}
    entries: dict[str, dict[str, Any]] = {}
    for name, value in models.items():
        if not isinstance(name, str):
            faults.append(f"{where}model name {name!r} is not text; put it in quotes")
        elif isinstance(value, str | Path):
            entries[name] = {"source": str(value)}
        elif isinstance(value, Mapping) and "source" in value:
            entries[name] = {str(key): entry for key, entry in value.items()}
        else:
            faults.append(f"{where}model {name!r} needs a source: write `{name}: SOURCE` or `{name}: {{source: …}}`")
    return entries


def _model(name: str, fields: Mapping[str, Any], faults: list[str]) -> ModelSpec | None:
    if not re.fullmatch(NAME_PATTERN, name):
        faults.append(
            f"model name {name!r} cannot be a path; up to 100 letters, digits, '.', '_' and '-' are accepted, "
            "a letter or digit first"
        )
    _check_keys({k: v for k, v in fields.items() if k != "source"}, MODEL_KEYS, "key", f"model {name!r}", faults)
    known = {key: value for key, value in fields.items() if key == "source" or key in MODEL_KEYS}
    template = known.get("chat_template")
    if isinstance(template, str) and not Path(template).expanduser().is_file():
        faults.append(f"model {name!r}: chat_template {template!r} is neither true, false nor a file")
    try:
        return ModelSpec(name=name, **known)
    except ValidationError as error:
        faults += [fault.line(f"model {name!r}", str(fault.place[0])) for fault in faults_of(error, ModelSpec)]
        return None


def _with_recorded_role(model: ModelSpec) -> ModelSpec:
    """Take the role of the training record, if there is one, where neither the user nor the name gives a role."""
    if model.role or model.name in KNOWN_ROLES:
        return model
    record = read_record(Path(model.adapter or model.source))
    return model.model_copy(update={"role": record.role}) if record else model


def _with_trajectories(specs: tuple[ModelSpec, ...], asked: Any, faults: list[str]) -> tuple[ModelSpec, ...]:
    from mplus_eval.spec.trajectory import add_trajectories

    folders = [asked] if isinstance(asked, str | Path) else asked
    if not isinstance(folders, Sequence) or not all(isinstance(folder, str | Path) for folder in folders):
        return specs  # said when the options are validated
    return add_trajectories(specs, [Path(folder) for folder in folders], faults)


def _noise_floor_faults(spec: CompareSpec) -> list[str]:
    """Refuse a baseline whose batches are not composed here."""
    backends = [BACKENDS[spec.backend_of(model)] for model in spec.models if model.name == spec.baseline]
    accepted = either([backend.name for backend in BACKENDS.values() if backend.composes_batches])
    return [
        f"--noise-floor: {'a model server' if backend.server else backend.name} composes the batches of baseline "
        f"{spec.baseline!r} by itself; a baseline with the backend {accepted} is accepted"
        for backend in backends
        if not backend.composes_batches
    ]


def _check_keys(fields: Mapping[str, Any], accepted: Sequence[str], noun: str, where: str, faults: list[str]) -> None:
    for key in fields:
        if key not in accepted:
            faults.append(f"{where}: unknown {noun} {key!r}; {nearest(str(key), accepted)}")


def _checked(defaults: Mapping[str, Any], asked: Mapping[str, Any], faults: list[str]) -> CompareSpec:
    """Validate the options; a wrong one is a fault, and the draft goes on with its default."""
    options = dict(asked)
    if isinstance(options.get("tasks"), str):
        options["tasks"] = [name.strip() for name in options["tasks"].split(",") if name.strip()]
    if options.get("tasks") == []:
        faults.append("--tasks is empty: name at least one task")
        del options["tasks"]
    try:
        return CompareSpec(**{**defaults, **options})
    except ValidationError as error:
        wrong = faults_of(error, CompareSpec)
        faults += [fault.line("", f"--{str(fault.place[0]).replace('_', '-')}") for fault in wrong]
        rest = {key: value for key, value in options.items() if key not in {fault.place[0] for fault in wrong}}
        return CompareSpec(**{**defaults, **rest})


def _default_baseline(specs: Sequence[ModelSpec]) -> str:
    bases = [spec.name for spec in specs if spec.model_role == "base"]
    return (bases or [spec.name for spec in specs if spec.trajectory is None] or [""])[0]


def _default_output(specs: Sequence[ModelSpec]) -> str:
    from datetime import date

    names = "-".join(spec.name for spec in specs if spec.trajectory is None)
    return f"runs/{date.today().isoformat()}-{names}"[:120]
