from __future__ import annotations

import pytest

from mplus_eval.pipeline.executors.cluster import Node, room

GB = 10**9


@pytest.mark.parametrize(
    ("n_gpus", "per_worker", "n_workers"),
    [(8, 1, 8), (8, 0.5, 16), (8, 2, 4), (8, 3, 2), (1, 0.3, 3), (2, 0.6, 2), (1, 2, 0), (0, 1, 0), (8, 0.1, 80)],
)
def test_workers_have_whole_gpus_or_share_one(n_gpus: int, per_worker: float, n_workers: int) -> None:
    node = Node("a", "10.0.0.1", 64, n_gpus, 512 * GB)
    assert room(node, gpus=per_worker, cpus=1, model_bytes=140 * GB) == n_workers


@pytest.mark.parametrize(
    ("n_cpus", "memory", "per_worker", "model_bytes", "n_workers"),
    [
        (8, 64 * GB, 1, 0, 8),
        (8, 64 * GB, 2, 0, 4),
        # 2 GiB of libraries and 1.2 times 14 GB are 18.9 GB, of which 64 GB hold three.
        (8, 64 * GB, 1, 14 * GB, 3),
        # One may try.
        (8, 8 * GB, 1, 14 * GB, 1),
        (0, 64 * GB, 1, 0, 0),
        (2, 64 * GB, 0.5, 0, 4),
    ],
)
def test_workers_on_a_processor_are_limited_by_memory_too(
    n_cpus: int, memory: int, per_worker: float, model_bytes: int, n_workers: int
) -> None:
    node = Node("a", "10.0.0.1", n_cpus, 0, memory)
    assert room(node, gpus=0, cpus=per_worker, model_bytes=model_bytes) == n_workers
