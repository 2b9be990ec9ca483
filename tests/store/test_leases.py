from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mplus_eval.store.leases import Leases


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(tmp_path: Path, clock: Clock) -> Iterator[list[Leases]]:
    """Three machines; none renews by itself within a test."""
    machines = [Leases(tmp_path / "leases", seconds=3600, clock=clock) for _ in range(3)]
    yield machines
    for each in machines:
        each.close()


def test_one_machine_alone_gets_a_lease_and_another_once_it_is_given_back(leases: list[Leases]) -> None:
    first, second, _ = leases
    assert first.claim("a")
    assert not second.claim("a")
    assert second.look() == ({"a"}, set())
    first.release("a")
    assert second.look() == (set(), {"a"})
    assert second.claim("a")
    assert not first.claim("a")


def test_a_lease_that_is_not_renewed_is_taken_over_and_its_holder_finds_that_out(
    leases: list[Leases], clock: Clock
) -> None:
    first, second, third = leases
    assert first.claim("a")
    assert not second.claim("a")
    clock.now += 3599
    assert not second.claim("a")
    clock.now += 2
    assert second.look() == (set(), set())
    assert second.claim("a")
    assert not first.holds("a")
    assert second.holds("a")
    # Whoever was frozen renews what it held, which nobody takes for the new holder's.
    first.renew()
    first.release("a")
    assert second.holds("a")
    assert not third.claim("a")


def test_a_lease_that_is_renewed_is_never_taken_over(leases: list[Leases], clock: Clock) -> None:
    first, second, _ = leases
    assert first.claim("a")
    for _ in range(5):
        assert not second.claim("a")
        clock.now += 3000
        first.renew()
    assert not second.claim("a")
    assert first.holds("a")


def test_only_what_an_onlooker_saw_itself_counts_so_clocks_may_differ(tmp_path: Path) -> None:
    ahead, behind = Clock(), Clock()
    ahead.now = 10.0**9
    first = Leases(tmp_path / "leases", seconds=3600, clock=behind)
    second = Leases(tmp_path / "leases", seconds=3600, clock=ahead)
    assert first.claim("a")
    assert not second.claim("a")
    behind.now = -(10.0**9)
    assert not second.claim("a")
    first.close()
    second.close()


def test_of_several_that_would_take_a_lease_over_one_does(leases: list[Leases], clock: Clock, tmp_path: Path) -> None:
    first, *others = leases
    assert first.claim("a")
    for each in others:
        each.look()
    clock.now += 3601
    barrier = threading.Barrier(2)
    claimed = []

    def claim(machine: Leases) -> None:
        barrier.wait()
        claimed.append(machine.claim("a"))

    threads = [threading.Thread(target=claim, args=(each,)) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == [False, True]


def test_a_holder_killed_before_it_wrote_its_name_is_taken_over_too(leases: list[Leases], clock: Clock) -> None:
    _, second, third = leases
    (second._folder).mkdir()
    (second._folder / "a.0").touch()
    assert not second.claim("a")
    clock.now += 3601
    assert second.claim("a")
    assert not third.claim("a")


def test_a_thread_renews_what_is_held(tmp_path: Path) -> None:
    first, second = (Leases(tmp_path / "leases", seconds=0.4) for _ in range(2))
    assert first.claim("a")
    before = (tmp_path / "leases" / "a.0").read_bytes()
    renewed = threading.Event()
    for _ in range(200):
        if (tmp_path / "leases" / "a.0").read_bytes() != before:
            break
        renewed.wait(0.05)
    else:
        pytest.fail("it was not renewed within ten seconds")
    first.close()
    assert second.claim("a")
    second.close(clear=True)
    assert not (tmp_path / "leases").exists()


def test_work_that_one_machine_has_done_is_waited_for_and_not_done_again(leases: list[Leases]) -> None:
    first, second, _ = leases
    done: list[bool] = []
    with first.waited_for("report", lambda: bool(done)) as mine:
        assert mine
        done.append(True)
        with second.waited_for("report", lambda: bool(done)) as theirs:
            assert not theirs
    with second.waited_for("report", lambda: False) as theirs:
        assert theirs
