"""Do verdicts hold what they promise? Sections of coverage.py: failures, guessing, families, power, several models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from side_by_side import Row, row_of
from simulated import Sample, chunks, draw, make_sample, replications, seeded

from mplus_eval.records.verdict import Verdict
from mplus_eval.statistics.adjust import holm, step_down
from mplus_eval.statistics.design import Floats
from mplus_eval.statistics.difference import nothing_to_preserve
from mplus_eval.statistics.dunnett import dunnett
from mplus_eval.statistics.hypothesis_tests import Significance, mcnemar, mcnemar_test, sign_flip
from mplus_eval.statistics.non_inferiority import non_inferiority
from mplus_eval.statistics.paired import PairedDifference, paired_difference
from mplus_eval.statistics.scores import MeanScore
from mplus_eval.statistics.verdict import verdict

SIZES = (50, 200, 1000)
FAMILY = ("plain",) * 5 + ("stratified",) * 3 + ("clustered", "clustered", "both")
LEVEL, MARGIN = 0.05, 0.02


def plain_difference(up: Floats, down: Floats, n: Floats) -> PairedDifference:
    """The estimate of n single items of which so many rose and fell; shape (samples,)."""
    return PairedDifference(
        up=up / n,
        down=down / n,
        items=n.astype(float),
        effect=np.ones(n.shape),
        least_effect=np.ones(n.shape),
        df=n - 1.0,
        informative=(up + down).astype(float),
        unseen=np.exp(-1.0 * (up + down)),
        clustering=np.zeros(n.shape),
    )


def failure_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """A true loss of 3 points: 5.5 % of 1,319 items are lost, 2.5 % gained; a part of the lost ones fails instead."""
    n = 1319
    for failing, of in ((0.5, "half of the lost items fail"), (0.15, "15 % of the lost items fail")):
        rng = seeded(seed, "failures", failing)
        lost, gained = rng.multinomial(n, [0.055, 0.025, 0.92], size=n_replications).T[:2]
        failed = rng.binomial(lost, failing)
        scored = plain_difference(gained, lost - failed, n - failed)
        counted = plain_difference(gained, lost, np.full(n_replications, n))
        before = non_inferiority(scored, MARGIN) < LEVEL / 2
        now = (failed <= 0.01 * n) & before & (non_inferiority(counted, MARGIN) < LEVEL / 2)
        yield row_of("failures: false preserved", of, n, now, before=before, at_most=0.025)


def guessing_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Two models that guess among four choices."""
    both, one, neither = 0.25**2, 0.25 * 0.75, 0.75**2
    for n in (14_042, 10_042, 6_511):
        rng, items = seeded(seed, "guessing", n), np.full(n_replications, n)
        right, gained, lost = rng.multinomial(n, [both, one, one, neither], size=n_replications).T[:3]
        kept = non_inferiority(plain_difference(gained, lost, items), MARGIN) < LEVEL / 2
        base = plain_difference(right + lost, np.zeros_like(lost), items)
        low, _ = MeanScore(**vars(base)).interval(LEVEL)
        informative = np.array([not nothing_to_preserve(float(end), 0.25, MARGIN) for end in low])
        yield row_of("guessing: preserved", "25 % of four choices", n, kept & informative, before=kept, at_most=0.025)


def family_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Any false difference, and any false `preserved`, of eleven tasks of mixed designs, one of them graded."""
    for n in SIZES:
        samples = [make_sample(kind, n) for kind in FAMILY]
        for rate in (0.02, 0.1, 0.3):
            rng = seeded(seed, "family", n, rate)
            now, before, contradicts, kept = list[bool](), list[bool](), list[bool](), list[Floats]()
            for size in chunks(replications(n_replications, 10 * n), 11 * n):
                drawn = [_null(sample, rate / 2, size, rng) for sample in samples]
                tests = [_tests(values, sample, rng) for values, sample in zip(drawn, samples, strict=True)]
                found = [paired_difference(rows, sample.design) for rows, sample in zip(drawn, samples, strict=True)]
                ends = np.array([each.interval() for each in found])
                for place in range(size):
                    family = {task: each[place] for task, each in enumerate(tests)}
                    judged = _verdicts(step_down(family), [each.value[place] for each in found], ends[:, :, place])
                    differs = [each is not Verdict.UNDECIDED for each in judged]
                    now.append(any(differs))
                    before.append(min(holm({task: each.p_value for task, each in family.items()}).values()) < LEVEL)
                    holds_0 = (ends[:, 0, place] <= 0) & (ends[:, 1, place] >= 0)
                    contradicts.append(bool(np.any(holds_0 & differs)))
                lossy = [_kept(sample, rate, size, rng) for sample in samples]
                kept.append(np.min(lossy, axis=0) * len(FAMILY) < LEVEL / 2)
            of = f"11 tasks, {100 * rate:g} % differ"
            yield row_of("family: false difference", of, n, now, before=before, at_most=0.05)
            yield row_of("family: contradicted", of, n, contradicts, at_most=0.0)
            yield row_of("family: false preserved", of, n, np.concatenate(kept), at_most=0.025)


def _verdicts(p_values: Mapping[int, float], values: Sequence[float], ends: Floats) -> list[Verdict]:
    """Of differences alone, as if nothing were to be preserved; `ends` of shape (tasks, 2)."""
    return [
        verdict(float(values[task]), p_value, 1.0, (float(ends[task, 0]), float(ends[task, 1])))
        for task, p_value in p_values.items()
    ]


def _null(sample: Sample, rate: float, size: int, rng: np.random.Generator) -> Floats:
    values = draw(sample, rate, rate, size, rng)
    return values * rng.integers(1, 5, size=values.shape) / 4 if sample.kind == "both" else values


def _tests(values: Floats, sample: Sample, rng: np.random.Generator) -> list[Significance]:
    if sample.cluster is None:
        return [mcnemar_test(int(b), int(c)) for b, c in zip((values < 0).sum(1), (values > 0).sum(1), strict=True)]
    return [sign_flip(totals, rng) for totals in sample.design.totals(values)]


def _kept(sample: Sample, rate: float, size: int, rng: np.random.Generator) -> Floats:
    values = draw(sample, rate / 2 - MARGIN / 2, rate / 2 + MARGIN / 2, size, rng)
    return non_inferiority(paired_difference(values, sample.design), MARGIN)


def power_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """How often one task's loss is found, where all of eleven lose and where one does."""
    for n, discordance, loss, goal in ((150, 0.05, 0.05, 0.6), (150, 0.08, 0.05, None), (1000, 0.05, 0.02, None)):
        for n_losing in (11, 1):
            rng, now, before = seeded(seed, "power", n, discordance, n_losing), list[bool](), list[bool]()
            worse = [(discordance + loss) / 2, (discordance - loss) / 2, 1 - discordance]
            same = [discordance / 2, discordance / 2, 1 - discordance]
            counts = [rng.multinomial(n, worse if task < n_losing else same, size=n_replications) for task in range(11)]
            for place in range(n_replications):
                tests = {
                    task: mcnemar_test(int(each[place, 0]), int(each[place, 1])) for task, each in enumerate(counts)
                }
                now.append(step_down(tests)[0] < LEVEL)
                before.append(holm({task: test.p_value for task, test in tests.items()})[0] < LEVEL)
            of = f"{100 * discordance:g} % differ, {n_losing} of 11 lose {100 * loss:g}"
            yield row_of("power of one task", of, n, now, before=before, at_least=goal if n_losing > 1 else None)


def model_rows(n_replications: int, seed: int) -> Iterator[Row]:
    """Four models that do not differ from the baseline, eleven tasks: any false difference, of any model."""
    n, n_models, n_tasks = 1000, 4, 11
    rng = seeded(seed, "models")
    task_now, task_before, suite_now, suite_before = (list[bool]() for _ in range(4))
    for _ in range(replications(n_replications, n * n_tasks)):
        # Right where an item is easy enough; each model has its own noise, the baseline's is common to all contrasts.
        easy = rng.normal(0.5, 1.0, size=(n_tasks, n))
        right = easy[None] + 0.3 * rng.normal(size=(n_models + 1, n_tasks, n)) > 0
        change = right[1:].astype(float) - right[0]
        tests = {
            (model, task): mcnemar_test(int((change[model, task] < 0).sum()), int((change[model, task] > 0).sum()))
            for model in range(n_models)
            for task in range(n_tasks)
        }
        task_now.append(min(step_down(tests).values()) < LEVEL)
        alone = [{key: test for key, test in tests.items() if key[0] == model} for model in range(n_models)]
        task_before.append(any(min(step_down(each).values()) < LEVEL for each in alone))
        flat = change.reshape(n_models, -1)
        lost, gained = (flat < 0).sum(axis=1), (flat > 0).sum(axis=1)
        p_values = dict(enumerate(map(float, mcnemar(lost, gained))))
        correlation = float(np.clip(np.corrcoef(flat).min(), 0.0, 1.0))
        suite_now.append(min(dunnett(p_values, correlation).values()) < LEVEL)
        suite_before.append(min(p_values.values()) < LEVEL)
    of, most = "4 models, --adjust models", 0.05
    yield row_of("models: false difference, tasks", of, n, task_now, before=task_before, at_most=most)
    yield row_of("models: false difference, suite", of, n, suite_now, before=suite_before, at_most=most)
