"""The directory of an n-gram scorer: no pickle, nothing that runs.

scorer.json             what it was fitted on and how it did, hashes of the others, sealed (`FittedNgrams`)
vocabulary.json         {"words": […], "characters": […]}
weights.safetensors     by kind `idf` and `coefficients`, shape (n-grams,); `intercept`, `slope`, `offset`, shape (1,)
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers.ngram_model import GramWeights, NgramModel
from mplus_eval.records.scorer import FORMAT, FittedNgrams
from mplus_eval.store.files import write_whole
from mplus_eval.store.hashes import changed_file, hash_file
from mplus_eval.store.sealed import DamagedFileError, read_sealed, write_sealed_text

SCORER = "scorer.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.safetensors"
KINDS = ("words", "characters")
_SCALARS = ("intercept", "slope", "offset")


def write_arrays(directory: Path, model: NgramModel) -> dict[str, str]:
    """Write the model without what is said of it, and return the hashes of its files by name."""
    from safetensors.numpy import save

    kinds = {"words": model.words, "characters": model.characters}
    tensors = {f"{kind}.{name}": getattr(kinds[kind], name) for kind in KINDS for name in ("idf", "coefficients")}
    tensors |= {name: np.array([getattr(model, name)]) for name in _SCALARS}
    vocabulary = {kind: list(weights.grams) for kind, weights in kinds.items()}
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / VOCABULARY, json.dumps(vocabulary, ensure_ascii=False, indent=0))
    write_whole(directory / WEIGHTS, save(tensors))
    return {name: hash_file(directory / name) for name in (VOCABULARY, WEIGHTS)}


def write_scorer(directory: Path, fitted: FittedNgrams) -> None:
    """Write what is said of a model, last of all, so that a directory without it was never finished."""
    write_sealed_text(directory / SCORER, fitted.model_dump_json(indent=2))


def read_scorer(directory: Path, where: str) -> tuple[NgramModel, FittedNgrams]:
    """Read a scorer, and what is said of it.

    Args:
        directory: that `fit-scorer` wrote.
        where: how messages begin.

    Raises:
        UsageError: it is none, of another version, damaged, or not what its own hashes say.
    """
    fitted = _described(directory, where)
    if damage := changed_file(directory, fitted.files):
        raise UsageError(f"{where}: {directory} is damaged ({damage})")
    try:
        vocabulary = json.loads((directory / VOCABULARY).read_bytes())
        kinds = {kind: _texts(vocabulary[kind]) for kind in KINDS}
        tensors = _tensors(directory / WEIGHTS)
        kept = {
            kind: GramWeights(
                grams, *(_array(tensors[f"{kind}.{name}"], len(grams)) for name in ("idf", "coefficients"))
            )
            for kind, grams in kinds.items()
        }
        scalars = {name: float(_array(tensors[name], 1)[0]) for name in _SCALARS}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}: {directory} is not as fit-scorer writes it ({_why(error)})") from None
    return NgramModel(fitted.options, kept["words"], kept["characters"], **scalars), fitted


def _described(directory: Path, where: str) -> FittedNgrams:
    if not directory.is_dir():
        raise UsageError(f"{where}: no such directory; one that `mplus-eval toxicity fit-scorer` wrote is expected")
    if not (directory / SCORER).is_file():
        raise UsageError(
            f"{where}: {directory} has no {SCORER}, so it is none that fit-scorer wrote, or not to its end"
        )
    try:
        content = read_sealed(directory / SCORER, always_sealed=True)
        if (content.get("format"), content.get("version")) != (FORMAT, 1):
            found = f"format {content.get('format')!r}, version {content.get('version')!r}"
            raise UsageError(f"{where}: {directory / SCORER} has {found}; {FORMAT!r}, version 1, is read")
        fitted = FittedNgrams.model_validate(content)
    except DamagedFileError as error:
        raise UsageError(f"{where}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{where}: {directory / SCORER}: {place}: {first['msg'].lower()}") from None
    if set(fitted.files) != {VOCABULARY, WEIGHTS}:
        raise UsageError(f"{where}: {directory / SCORER}: files: {VOCABULARY} and {WEIGHTS} are expected")
    return fitted


def _tensors(path: Path) -> dict[str, NDArray[np.float64]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{WEIGHTS}: {error}") from None


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{VOCABULARY}: a list of texts is expected")
    if len(set(values)) < len(values):
        raise ValueError(f"{VOCABULARY}: an n-gram stands there twice")
    return tuple(values)


def _array(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    if values.shape != (length,) or values.dtype != np.float64 or not np.isfinite(values).all():
        raise ValueError(f"{WEIGHTS}: {length} finite numbers of 64 bits are expected")
    return values


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
