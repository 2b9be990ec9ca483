"""Keeps libraries from talking over the progress bar: their loggers, warnings and bars."""

from __future__ import annotations

import logging
import os

from mplus_eval.redaction import RedactingFormatter

NOISY_LOGGERS = (
    "accelerate",
    "aiohttp",
    "asyncio",
    "datasets",
    "evaluate",
    "filelock",
    "fsspec",
    "httpx",
    "huggingface_hub",
    "lm-eval",
    "lm_eval",
    "matplotlib",
    "torch",
    "transformers",
    "trl",
    "urllib3",
)


def silence_libraries(verbose: bool = False) -> None:
    """Set libraries to errors only; with `verbose`, to their own warnings, and log what happens here to standard error.

    To be called before the libraries are imported.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Threads that wait by spinning starve one another where other programs run too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    # The trainers would tell the hub of every training.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if verbose:
        handler = logging.StreamHandler()
        handler.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(handlers=[handler])
        logging.getLogger("mplus_eval").setLevel(logging.INFO)
        return
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")
    for name in NOISY_LOGGERS:
        # Not even errors: what a library logs as an error it also raises, or tries again.
        logging.getLogger(name).setLevel(logging.CRITICAL)
