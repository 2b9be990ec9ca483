from __future__ import annotations

from mplus_eval import errors


def test_faults_are_lines_in_their_order_without_repetition() -> None:
    error = errors.SpecError(["b is wrong", "a is wrong", "b is wrong"])
    assert error.faults == ("b is wrong", "a is wrong")
    assert str(error) == "b is wrong\na is wrong"


def test_exit_codes_are_those_of_the_command_lines_contract() -> None:
    assert errors.SpecError([]).exit_code == errors.UsageError("x").exit_code == 2
    assert errors.InterruptedRunError("x").exit_code == 5
    codes = (
        errors.EXIT_DONE,
        errors.EXIT_GATE_FAILED,
        errors.EXIT_CELLS_MISSING,
        errors.EXIT_INCONCLUSIVE,
        errors.EXIT_INTERNAL,
    )
    assert codes == (0, 1, 3, 4, 70)


def test_every_expected_failure_has_one_base() -> None:
    for kind in (errors.UsageError, errors.SpecError, errors.InterruptedRunError):
        assert issubclass(kind, errors.MplusError)
