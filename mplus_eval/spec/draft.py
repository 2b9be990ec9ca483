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
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from mplus_eval.errors import SpecError, UsageError
from mplus_eval.records.training import read_record
from mplus_eval.spec.backends import BACKENDS, either
from mplus_eval.spec.cluster import cluster_faults
from mplus_eval.spec.compare import OPTION_KEYS, CompareSpec
from mplus_eval.spec.config import load_config
from mplus_eval.spec.faults import faults_of, nearest
from mplus_eval.spec.fields import NAME_PATTERN
from mplus_eval.spec.limit import Limit
from mplus_eval.spec.model import KNOWN_ROLES, MODEL_KEYS, ModelSpec, parse_model
from mplus_eval.spec.storage import storage_faults
from mplus_eval.spec.stored import stored_contradictions
from mplus_eval.spec.trajectory import add_trajectories

Models = Sequence[str] | Mapping[str, str | Path | Mapping[str, object]]
"""Models as they are asked for: texts of the command line, or sources by name."""

Entries = dict[str, dict[str, object]]
"""The fields of models by name, not looked at yet."""


def draft_spec(
    models: Models = (), config: str | None = None, options: Mapping[str, object] | None = None
) -> tuple[CompareSpec, list[str]]:
    """Return what is right of what was asked for, and every fault.

    Sources and tasks of a draft can be checked although it has faults, so that all of them are reported together.

    Args:
        models: texts `NAME=SOURCE[,key=value…]`, in order; or sources, or mappings of keys with `source`, by name.
        config: a YAML file or the name of a shipped configuration; `demo` when no model is named at all.
        options: options by key of `CompareSpec`; None means not given.
    """
    faults: list[str] = []
    given = {key: value for key, value in (options or {}).items() if value is not None}
    document: Mapping[str, object] = {}
    if (kind := given.get("results")) and not models and config is None:
        faults.append(f"--from {kind}: name the folders, as NAME=DIR NAME=DIR")
    elif config is not None or not (models or given.get("trajectory")):
        try:
            document = load_config(config or "demo")
        except SpecError as error:
            faults += error.faults
    entries = _entries_by_name(document.get("models") or {}, "config: ", faults)
    entries |= _entries_by_name(models, "", faults) if isinstance(models, Mapping) else _parsed(models, faults)
    asked = {**{key: value for key, value in document.items() if key != "models"}, **given}
    for key, other in (("limit", "budget"), ("budget", "limit")):
        # One takes the other's place, as the same option would.
        if key in given and other not in given:
            asked.pop(other, None)
    faults += _unknown_keys(asked, OPTION_KEYS, "option", f"config {config}", also=("models",))
    if not entries and not asked.get("trajectory") and not faults:
        faults.append("no model is named: give NAME=SOURCE on the command line or `models:` in the config file")
    drafts = [_draft_model(name, fields, faults) for name, fields in entries.items()]
    specs = tuple(model for model in drafts if model is not None)
    folders = asked.get("trajectory") or ()
    folders = [folders] if isinstance(folders, str | Path) else folders
    # Something else than folders is a fault when the options are validated.
    if isinstance(folders, Sequence) and all(isinstance(folder, str | Path) for folder in folders):
        paths, baseline, every = (
            [Path(folder) for folder in folders],
            asked.get("baseline"),
            asked.get("trajectory_every"),
        )
        specs = add_trajectories(specs, paths, faults, baseline=baseline, every=every)
    spec = _validated(specs, {key: value for key, value in asked.items() if key in OPTION_KEYS}, faults)
    faults += _contradictions(spec)
    names = list(dict.fromkeys([*entries, *(model.name for model in specs)]))
    # Where the first model is wrong itself, there is none that nobody named.
    if names and (spec.baseline or "baseline" in asked) and spec.baseline not in names:
        faults.append(f"baseline {spec.baseline!r} is not among the models: {', '.join(names)}")
    return spec, list(dict.fromkeys(faults))


def _parsed(texts: Sequence[str], faults: list[str]) -> Entries:
    """Models as the command line gives them."""
    entries: Entries = {}
    for text in texts:
        try:
            name, fields = parse_model(text)
        except UsageError as error:
            faults.append(str(error))
            continue
        if name in entries:
            faults.append(f"model name {name!r} is used twice; every model needs a name of its own")
        entries[name] = fields
    return entries


def _entries_by_name(models: object, where: str, faults: list[str]) -> Entries:
    """Models as a config file and the Python API give them."""
    if not isinstance(models, Mapping):
        faults.append(f"{where}`models` is a mapping of NAME: SOURCE or NAME: {{source: …, role: …}}")
        return {}
    entries: Entries = {}
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


def _draft_model(name: str, fields: Mapping[str, object], faults: list[str]) -> ModelSpec | None:
    """One model; its role is that of its training record where neither the user nor the name gives one."""
    if not re.fullmatch(NAME_PATTERN, name):
        faults.append(
            f"model name {name!r} cannot be a path; up to 100 letters, digits, '.', '_' and '-' are accepted, "
            "a letter or digit first"
        )
    source, keys = fields["source"], {key: value for key, value in fields.items() if key != "source"}
    faults += _unknown_keys(keys, MODEL_KEYS, "key", f"model {name!r}")
    if why := _template_fault(keys.get("chat_template")):
        faults.append(f"model {name!r}: chat_template {keys.pop('chat_template')!r} {why}")
    try:
        accepted = {key: value for key, value in keys.items() if key in MODEL_KEYS}
        model = ModelSpec.model_validate({"name": name, "source": source, **accepted})
    except ValidationError as error:
        faults += [fault.line(f"model {name!r}", str(fault.place[0])) for fault in faults_of(error, ModelSpec)]
        return None
    if model.role or model.name in KNOWN_ROLES:
        return model
    record = read_record(Path(model.adapter or model.source))
    return model.model_copy(update={"role": record.role}) if record else model


def _template_fault(template: object) -> str:
    """What is wrong with the file of a chat template, in words that follow its name; empty where nothing is."""
    if not isinstance(template, str):
        return ""
    path = Path(template).expanduser()
    try:
        if not path.is_file():
            return "is neither true, false nor a file"
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return "is not UTF-8 text"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    return ""


def _unknown_keys(
    fields: Mapping[str, object], accepted: Sequence[str], noun: str, where: str, *, also: Sequence[str] = ()
) -> list[str]:
    """A line for each field that is not accepted; `also` are names that stand there too and were taken already."""
    unknown = [key for key in fields if key not in accepted]
    return [f"{where}: unknown {noun} {key!r}; {nearest(str(key), (*also, *accepted))}" for key in unknown]


def _validated(specs: tuple[ModelSpec, ...], asked: Mapping[str, object], faults: list[str]) -> CompareSpec:
    """Put the options over the defaults; a wrong one is a fault, and the draft goes on with its default."""
    named = [spec.name for spec in specs if spec.trajectory is None]
    bases = [spec.name for spec in specs if spec.model_role == "base"]
    defaults = {
        "models": specs,
        "baseline": (bases or named or [""])[0],
        "output": f"runs/{date.today().isoformat()}-{'-'.join(named)}"[:120],
    }
    options = dict(asked)
    if isinstance(tasks := options.get("tasks"), str):
        options["tasks"] = [name.strip() for name in tasks.split(",") if name.strip()]
    if options.get("tasks") == []:
        faults.append("--tasks is empty: name at least one task")
        del options["tasks"]
    try:
        return CompareSpec.model_validate({**defaults, **options})
    except ValidationError as error:
        wrong = faults_of(error, CompareSpec)
    faults += [fault.line("", f"--{str(fault.place[0]).replace('_', '-')}") for fault in wrong]
    keys = {fault.place[0] for fault in wrong}
    return CompareSpec.model_validate({**defaults, **{key: options[key] for key in options if key not in keys}})


def _contradictions(spec: CompareSpec) -> list[str]:
    """Options that do not go together."""
    faults = []
    for key in ("trajectory_limit", "trajectory_every"):
        if (number := getattr(spec, key)) and not spec.trajectory:
            faults.append(f"--{key.replace('_', '-')} {number}: belongs to --trajectory, which is not given")
    if spec.budget is not None and spec.limit is not None:
        faults.append(f"--budget {spec.budget}: --limit {spec.limit} is given too; one of them is accepted")
    if (of_steps := spec.trajectory_limit) is not None:
        limit = Limit(of_steps.n) if spec.budget is not None else spec.limit
        if limit is not None and not limit.holds(of_steps):
            given = f"--budget of {spec.budget}" if spec.budget is not None else f"--limit of {limit}"
            accepted = f"at most the {given} is" if limit.first == of_steps.first else f"items of the {given} are"
            faults.append(f"--trajectory-limit {of_steps}: {accepted} accepted")
    faults += [*cluster_faults(spec), *(storage_faults(spec.storage) if spec.storage is not None else ())]
    faults += _not_sequential(spec)
    if spec.stored:
        return faults + stored_contradictions(spec)
    if not spec.noise_floor:
        return faults
    # The noise rerun composes other batches, which only some backends let this process do.
    accepted = either([backend.name for backend in BACKENDS.values() if backend.composes_batches])
    for backend in [BACKENDS[spec.backend_of(model)] for model in spec.models if model.name == spec.baseline]:
        if not backend.composes_batches:
            who = "a model server" if backend.server else backend.name
            faults.append(
                f"--noise-floor: {who} composes the batches of baseline {spec.baseline!r} by itself; "
                f"a baseline with the backend {accepted} is accepted"
            )
    return faults


def _not_sequential(spec: CompareSpec) -> list[str]:
    """What cannot be asked in rounds that stop with the verdicts against the baseline."""
    if not spec.sequential:
        return []
    reasons = {
        "--pairs all": (spec.pairs == "all", "models are asked as far as their verdicts against the baseline need"),
        "--trajectory": (bool(spec.trajectory), "the steps of a training are drawn over the same items"),
        "--noise-floor": (spec.noise_floor, "it asks the baseline all items once more"),
        "capability: false": (not spec.capability, "no task is asked"),
    }
    return [f"--sequential: not with {option}, since {why}" for option, (given, why) in reasons.items() if given]
