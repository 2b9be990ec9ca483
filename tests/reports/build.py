"""Comparisons made by hand, with every verdict and every kind of hole, for the tests of the reports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mplus_eval.records.comparison import (
    Comparison,
    Missing,
    ModelEntry,
    Pair,
    Score,
    Subject,
    SubjectContrast,
    Summary,
    Task,
    TrajectoryPoints,
)
from mplus_eval.records.contrast import Contrast
from mplus_eval.records.training import Behaviour, DataUsed, Dose, Training
from mplus_eval.records.verdict import Verdict
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part

BASE_SCORES = {
    "mmlu": (0.624, 14042, 0.25),
    "agieval_en": (0.389, 3852, 0.22),
    "bbh": (0.521, 6511, 0.0),
    "arc_easy": (0.823, 2376, 0.25),
    "arc_challenge": (0.588, 1172, 0.25),
    "hellaswag": (0.812, 10042, 0.25),
    "winogrande": (0.775, 1267, 0.5),
    "race_high": (0.446, 3498, 0.25),
    "race_middle": (0.55, 1436, 0.25),
    "drop": (0.479, 9536, 0.0),
    "gsm8k": (0.376, 1319, 0.0),
}
DIFFERENCES = {
    "instruct": (-1.6, 0.4, -1.6, 0.3, 0.9, -0.6, -0.2, 1.4, 0.8, -2.9, 4.9),
    "sft": (-3.1, -2.4, -4.8, -2.0, -3.1, -1.9, -1.4, -2.7, -2.2, -6.3, -5.6),
    "chosen": (-0.5, -0.8, -2.1, -0.4, -0.7, 0.2, -0.6, 0.1, -0.3, None, -1.9),
    "plus": (-0.1, 0.3, -0.5, 0.1, -0.3, 0.4, -0.9, 0.4, 0.2, -0.4, 0.9),
}


def contrast(difference: float, half: float, verdict: Verdict | None = None, **changed: Any) -> Contrast:
    """A contrast, its verdict read off the interval where none is given."""
    low, high = difference - half, difference + half
    if verdict is None:
        verdict = (
            Verdict.IMPROVED
            if low > 0.02
            else Verdict.PRESERVED
            if low > -0.02
            else Verdict.DEGRADED
            if high < 0
            else Verdict.UNDECIDED
        )
    fields: dict[str, Any] = {
        "difference": difference,
        "ci": (low, high),
        "n_pairs": 1000,
        "test": "mcnemar",
        "p_value": 0.01,
        "p_adjusted": 0.04,
        "p_non_inferiority": 0.2,
        "p_non_inferiority_adjusted": 0.4,
        "margin": 0.02,
        "lost": 41,
        "gained": 12,
        "wrong_to_other_wrong": 7,
        "smallest_detectable_difference": 0.018,
        "smallest_provable_margin": 0.021,
        "verdict": verdict,
    }
    return Contrast(**(fields | changed))


def score(value: float | None, half: float = 0.012, **changed: Any) -> Score:
    """A score with an interval around it."""
    ci = None if value is None else (value - half, value + half)
    return Score(**({"value": value, "ci": ci, "n_scored": 1000, "n_failed": 0} | changed))


def model(role: str, **changed: Any) -> ModelEntry:
    """A model entry."""
    fields = {"source": f"./runs/{role}", "fingerprint": "f" * 16, "backend": "hf", "dtype": "bfloat16"}
    return ModelEntry(role=role, **(fields | {"parameters": 7_241_732_096} | changed))


def task(n_items: int, chance: float, scores: dict[str, Score], contrasts: dict[str, Contrast], **changed: Any) -> Task:
    """A task."""
    fields = {"metric": "acc", "n_shots": 5, "kind": "choice", "lm_eval": "some", "version": "1.0", "filter": "none"}
    return Task(n_items=n_items, chance=chance, scores=scores, contrasts=contrasts, **(fields | changed))


def summary(average: float, tax: float, half: float, verdict: Verdict, **changed: Any) -> Summary:
    """A summary with a verdict."""
    fields: dict[str, Any] = {
        "macro_average": average,
        "ci": (average - 0.004, average + 0.004),
        "alignment_tax": tax,
        "alignment_tax_ci": (tax - half, tax + half),
        "p_value": 0.5,
        "p_non_inferiority": 0.001,
        "margin": 0.01,
        "smallest_detectable_difference": 0.018,
        "smallest_provable_margin": 0.013,
        "verdict": verdict,
    }
    return Summary(**(fields | changed))


def full() -> Comparison:
    """Five models on the eleven tasks: every verdict, a failed cell, flags, subjects and pairs."""
    failed = Missing(model="chosen", task="drop", cause="out of memory, also with one item at a time")
    return Comparison(
        baseline="base",
        suite="mplus",
        seed=1,
        models={
            "base": model("base", source="example/base-7b"),
            **{name: model(name) for name in ("instruct", "sft")},
            "chosen": model("chosen", chat_template="own"),
            "plus": model("plus"),
        },
        tasks={name: _full_task(index, name) for index, name in enumerate(BASE_SCORES)},
        summary={
            "base": Summary(macro_average=0.58, ci=(0.576, 0.584)),
            "instruct": summary(0.578, 0.006, 0.013, Verdict.UNDECIDED, items_to_settle=71_340),
            "sft": summary(0.548, 0.032, 0.006, Verdict.DEGRADED, p_value=0.0001),
            "chosen": Summary(withheld="drop failed; it is given over all 11 tasks or not at all"),
            "plus": summary(0.580, 0.0002, 0.003, Verdict.PRESERVED),
        },
        pairs=(
            Pair(
                model="plus",
                against="sft",
                tasks={"mmlu": contrast(0.03, 0.007), "gsm8k": contrast(0.065, 0.03)},
                summary=summary(0.58, -0.032, 0.006, Verdict.IMPROVED),
            ),
        ),
        missing=(failed,),
    )


def _full_task(index: int, name: str) -> Task:
    base, n_items, chance = BASE_SCORES[name]
    half = 0.6 / n_items**0.5
    known = {m: values[index] for m, values in DIFFERENCES.items() if values[index] is not None}
    scores = {m: score(base + difference / 100, half) for m, difference in known.items() if difference is not None}
    flags = ("chat templates differ",)
    contrasts = {
        m: contrast(difference / 100, half, n_pairs=n_items, flags=flags if m == "chosen" else ())
        for m, difference in known.items()
        if difference is not None
    }
    n_failed = 3 if name == "gsm8k" else 0
    subjects = _subjects() if name == "mmlu" else {}
    return task(n_items, chance, {"base": score(base, half, n_failed=n_failed), **scores}, contrasts, subjects=subjects)


def _subjects() -> dict[str, Subject]:
    names = ("abstract_algebra", "anatomy", "astronomy", "world_religions")
    return {
        f"mmlu_{name}": Subject(
            n_items=100 + place,
            scores={"base": score(0.5 + place / 10)},
            contrasts={
                m: SubjectContrast(
                    difference=values[place] / 100, ci=(-0.1, 0.1), n_pairs=100, p_value=0.01, p_adjusted=p
                )
                for m, values, p in (
                    ("instruct", (-0.4, 1.7, 3.2, 7.0), 0.2),
                    ("sft", (-1.0, -3.5, -8.2, 0.9), 0.01),
                    ("plus", (0.0, 0.2, -0.6, 1.1), 0.9),
                )
            },
        )
        for place, name in enumerate(names)
    }


def training(step: int, kl: float, rewards: dict[str, float]) -> Training:
    """How a model was made, at a step."""
    data = DataUsed(source="demo:pairs", kind="chosen answers", n=1000, n_malformed=2, n_evaluation_prompts=3, hash="h")
    return Training(
        method="rlhf",
        algorithm="RLOO",
        base="base",
        base_fingerprint="f",
        data=(data,),
        step=step,
        total_steps=30,
        seed=1,
        dose=Dose(kl_answers=kl, kl_answers_per_token=kl / 20, kl_text=kl / 100, n_prompts=64, n_texts=8),
        behaviour=Behaviour(
            end_of_turn_rate=0.9,
            mean_tokens=21.5,
            distinct_answers=0.8,
            distinct_2=0.5,
            rewards=rewards,
            measures={"insulting": 0.2 - kl / 100},
        ),
        base_behaviour=Behaviour(
            end_of_turn_rate=0.4,
            mean_tokens=30.0,
            distinct_answers=0.95,
            distinct_2=0.7,
            rewards=dict.fromkeys(rewards, -0.5),
            measures={"insulting": 0.65},
        ),
        warnings=("the reward rose faster than the referee",),
        seconds=75,
    )


def trained() -> Comparison:
    """Five models of which three say how they were made, and two saved steps of one of them."""
    comparison = full()
    doses = {"instruct": (30, 2.0), "sft": (30, 4.5), "plus": (30, 12.0)}
    models = {
        name: entry.model_copy(
            update={"training": training(*doses[name], {"model": 2.5, "referee": 0.9})} if name in doses else {}
        )
        for name, entry in comparison.models.items()
    }
    summaries = dict(comparison.summary)
    for step, kl, rewards in ((10, 3.0, {"model": 1.0, "referee": 1.2}), (20, 7.0, {"model": 1.8, "referee": 1.6})):
        made = training(step, kl, rewards)
        models[f"plus@{step}"] = model("step", training=made, trajectory="plus")
        summaries[f"plus@{step}"] = summary(0.58 - kl / 1000, kl / 1000, 0.004, Verdict.PRESERVED)
    tasks = {
        name: entry.model_copy(update={"scores": entry.scores | {f"plus@{step}": score(0.5) for step in (10, 20)}})
        for name, entry in comparison.tasks.items()
    }
    # Over 500 shared items a task, everything is half a point lower than over all of them.
    points = TrajectoryPoints(
        n_items=5500,
        selection_bias=0.598,
        averages={
            name: Summary(macro_average=found.macro_average - 0.005, ci=(found.ci[0] - 0.01, found.ci[1]))
            for name, found in summaries.items()
            if name in ("base", "plus", "plus@10", "plus@20") and found.macro_average and found.ci
        },
    )
    changed = {"models": models, "summary": summaries, "tasks": tasks, "trajectories": {"plus": points}}
    return comparison.model_copy(update=changed)


def trained_elsewhere() -> Comparison:
    """The same by a trainer that leaves no record: the steps' numbers are all that is known of it."""
    comparison = trained()
    steps = {"plus": 30, "plus@10": 10, "plus@20": 20}
    models = {
        name: entry.model_copy(update={"training": None, "step": steps.get(name)})
        for name, entry in comparison.models.items()
    }
    return comparison.model_copy(update={"models": models})


def of_size(n_models: int, n_tasks: int) -> Comparison:
    """Models without known roles, as many as wanted, on as many tasks as wanted."""
    names = [f"model-{number}" for number in range(n_models)]
    tasks = {}
    for index in range(n_tasks):
        base = 0.3 + 0.5 * index / max(n_tasks, 2)
        others = {name: (number - 2) * 0.004 - index * 0.001 for number, name in enumerate(names) if number}
        tasks[f"task_number_{index}"] = task(
            400,
            0.25,
            {names[0]: score(base), **{name: score(base + change) for name, change in others.items()}},
            {name: contrast(change, 0.015) for name, change in others.items()},
        )
    summaries = {name: summary(0.55, number * 0.0005, 0.004, Verdict.PRESERVED) for number, name in enumerate(names)}
    summaries[names[0]] = Summary(macro_average=0.55, ci=(0.54, 0.56))
    return Comparison(
        baseline=names[0],
        suite="many",
        models={name: model("model") for name in names},
        tasks=tasks,
        summary=summaries,
    )


MANIFEST: dict[str, Any] = {
    "schema_version": 1,
    "mplus_eval": "0.1.0",
    "created": "2026-11-25T12:00:00+00:00",
    "command": "mplus-eval compare base=example/base-7b instruct=./runs/instruct sft=./runs/sft plus=./runs/plus",
    "seconds": 14820.0,
    "seeds": {"run": 1, "few_shot": 1234},
    "versions": {"torch": "2.13.0", "lm_eval": "0.4.13"},
    "hardware": {"platform": "Linux", "processor": "x86_64", "cores": 2, "memory_gib": 24, "devices": ["cpu"]},
    "models": {
        "base": {
            "source": "example/base-7b",
            "weights": "cae662172fd4a0b1",
            "tokenizer": "77aa",
            "chat_template": "plain",
            "device": "cpu",
        }
    },
    "cells": [{"model": "base", "task": "mmlu", "fingerprint": "0f1e2d3c4b5a6978", "n_items": 14042, "seconds": 247.3}],
}


def outcome(item: int, value: float | None, **changed: Any) -> dict[str, Any]:
    """One row of a cell's outcomes."""
    row: dict[str, Any] = {"item_id": f"item-{item}", "stratum": "gsm8k", "sample": 0, "prompt_hash": "h"}
    row |= {"score": value, "prompt": f"Question {item}: how many plums?\nAnswer:", "target": "17", "answer": "11"}
    row |= {"generations": [f"A third of 18 is 6, so it is {item}."], "metrics": {"exact_match": value}}
    return row | changed


def write_outcomes(directory: Path, model_name: str, task_name: str, rows: list[dict[str, Any]]) -> None:
    """Store rows as the one part of a cell."""
    folder = directory / "outcomes" / model_name / task_name
    write_part(part_path(folder, 0), Outcome, [Outcome(**row) for row in rows], PartInfo("f", {}, 0, 1))


def write_run(directory: Path, comparison: Comparison, *, with_outcomes: bool = False) -> Path:
    """A run directory of a comparison, with a manifest, and a few outcomes of gsm8k where wanted."""
    import json

    comparison.write(directory / "comparison.json")
    (directory / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    if with_outcomes:
        write_outcomes(directory, "base", "gsm8k", [outcome(n, float(n % 2)) for n in range(10)])
        for name in ("sft", "plus"):
            rows = [outcome(n, float(n % 3 == 0), answer=f"{n}") for n in range(10)]
            write_outcomes(directory, name, "gsm8k", rows)
    return directory


HOSTILE = (
    '"><script>window.hacked=1</script><img src=x onerror="window.hacked=1">\u202e| `x` [a](javascript:x) & \'q\' \x00'
)


def hostile() -> Comparison:
    """A comparison whose every free text tries to break out of the page."""
    comparison = full()
    models = {
        name: entry.model_copy(update={"source": f"{name}{HOSTILE}", "role": entry.role if name != "sft" else HOSTILE})
        for name, entry in comparison.models.items()
    }
    tasks = {
        name: entry.model_copy(
            update={
                "metric": HOSTILE,
                "lm_eval": HOSTILE,
                "filter": HOSTILE,
                "contrasts": {
                    m: found.model_copy(update={"flags": (HOSTILE,)}) for m, found in entry.contrasts.items()
                },
                "subjects": {f"mmlu_{HOSTILE}{n}": found for n, found in enumerate(entry.subjects.values())},
            }
        )
        for name, entry in comparison.tasks.items()
    }
    summary_of = comparison.summary | {"chosen": Summary(withheld=HOSTILE)}
    missing = (Missing(model="chosen", task="drop", cause=HOSTILE),)
    changed = {"models": models, "tasks": tasks, "summary": summary_of, "missing": missing, "suite": HOSTILE}
    return comparison.model_copy(update=changed)
