import pytest

from mplus_eval.spec.draft import draft_spec

MODELS = {"base": "./base", "plus": "./plus"}


def faults_of(**options: object) -> list[str]:
    return [
        fault for fault in draft_spec(MODELS, options={"sequential": True, **options})[1] if "--sequential" in fault
    ]


def test_asking_stops_only_where_it_is_wanted():
    assert draft_spec(MODELS)[0].sequential is False
    spec, faults = draft_spec(MODELS, options={"sequential": True, "limit": 100})
    assert (spec.sequential, faults) == (True, [])


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"pairs": "all"},
            "--sequential: not with --pairs all, "
            "since models are asked as far as their verdicts against the baseline need",
        ),
        ({"noise_floor": True}, "--sequential: not with --noise-floor, since it asks the baseline all items once more"),
        ({"capability": False}, "--sequential: not with capability: false, since no task is asked"),
    ],
)
def test_what_needs_other_items_is_refused(options: dict[str, object], fault: str):
    assert faults_of(**options) == [fault]


def test_so_are_the_saved_steps_of_a_training(tmp_path):
    assert faults_of(trajectory=[tmp_path]) == [
        "--sequential: not with --trajectory, since the steps of a training are drawn over the same items"
    ]
