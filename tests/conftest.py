"""What all tests share: a quiet, offline environment, tiny models, and the real benchmarks where they are at hand."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mplus_eval.store.files import write_whole
from tests.tiny_models import build_model
from tests.trainer_output import write_trainer_output

# Read when the libraries are imported, so before any test and any fixture.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TQDM_DISABLE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
for key in ("OPENAI_API_KEY", "HF_TOKEN", "MPLUS_EVAL_DATA"):
    os.environ.pop(key, None)

TinyModel = Callable[..., Path]


def pytest_configure() -> None:
    """Heed Ctrl-C, which some tests send, also where a shell started pytest in the background and has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keep what was imported and collected out of every collection of garbage, of which each would walk all of it.

    A closed backend and every training collect, and a million objects take half a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _caches(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep every cache in the session's own folder, and torch to one thread: xdist runs a process on each core.

    The names of lm-eval's tasks alone, which are those of its version and take seconds to learn, go from session to
    session in pytest's cache.
    """
    import torch

    cache = tmp_path_factory.mktemp("cache")
    names, pytests = cache / "mplus-eval", getattr(pytestconfig, "cache", None)
    # Without pytest's cache (`-p no:cacheprovider`) nothing is kept.
    kept = pytests.mkdir("task-names") if pytests else cache
    _copy_names(kept, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setenv("HF_HOME", str(cache / "huggingface"))
        torch.set_num_threads(1)
        yield
    _copy_names(names, kept)


def _copy_names(source: Path, target: Path) -> None:
    for path in source.glob("lm_eval-*-names.json"):
        if not (target / path.name).exists():
            write_whole(target / path.name, path.read_bytes())


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> TinyModel:
    """Build tiny models on demand, each once a session: `tiny_model(architecture="llama", seed=1) -> Path`."""
    built: dict[tuple[tuple[str, object], ...], Path] = {}

    def build(**options: object) -> Path:
        key = tuple(sorted(options.items()))
        if key not in built:
            name = f"{options.get('architecture', 'mistral')}-{options.get('seed', 0)}"
            built[key] = build_model(tmp_path_factory.mktemp(name), **options)  # type: ignore[arg-type]
        return built[key]

    return build


@pytest.fixture(scope="session")
def trainer_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the trainings of transformers' Trainer begin with."""
    return build_model(tmp_path_factory.mktemp("trainer") / "base")


@pytest.fixture(scope="session")
def trainer_output(trainer_base: Path) -> Path:
    """Whole models by Trainer, without a tokenizer: steps 2 and 4, and the final one; to be looked at only."""
    return write_trainer_output(trainer_base.parent / "sft", trainer_base)


@pytest.fixture(scope="session")
def adapter_output(trainer_base: Path) -> Path:
    """Adapters by Trainer and peft, with a tokenizer: steps 2 and 4, while training goes on; to be looked at only."""
    return write_trainer_output(trainer_base.parent / "lora", trainer_base, adapter=True, tokenizer=True, final=False)


@pytest.fixture(scope="session")
def ngrams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scorer over n-grams of the demo's rude and polite texts, by `toxicity fit-scorer`; to be looked at only."""
    from mplus_eval.harmlessness.fit_scorer import FitSettings, fit_scorer
    from mplus_eval.harmlessness.labelled_texts import TextColumns
    from tests.harmlessness.labelled import labelled_rows, write_rows

    folder = tmp_path_factory.mktemp("ngrams")
    data = write_rows(folder / "texts.jsonl", labelled_rows(400))
    columns = TextColumns(("text",), ("label",), "author")
    fit_scorer(data, columns, FitSettings(), folder / "scorer", lambda *_: None)
    return folder / "scorer"


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The real benchmarks, laid out as org/name: MPLUS_EVAL_TEST_DATA, or shared/data/hub beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "hub"
    folder = Path(os.environ.get("MPLUS_EVAL_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the benchmarks are not at hand: no folder {folder}; set MPLUS_EVAL_TEST_DATA")
    return folder
