import pytest

from mplus_eval.reports.palette import DARK, FURTHER, LIGHT, ROLE_SHAPES, model_styles
from mplus_eval.reports.verdicts import ALL_MARKS
from tests.reports import build


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast_ratio(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_ratio_of_black_on_white_is_21() -> None:
    assert contrast_ratio("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    "text", ["ink", "muted", "link", *sorted({mark.ink for mark in ALL_MARKS}), *ROLE_SHAPES, *FURTHER]
)
def test_text_stands_out_from_the_page(tokens: dict[str, str], text: str) -> None:
    assert contrast_ratio(tokens[text], tokens["bg"]) >= 4.5


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("ink", "surface"),
        ("muted", "improved-tint"),
        ("muted", "preserved-tint"),
        ("muted", "degraded-tint"),
        ("improved", "improved-tint"),
        ("preserved", "preserved-tint"),
        ("degraded", "degraded-tint"),
        *(("ink", f"{side}-{step}") for side in ("loss", "gain") for step in (1, 2, 3)),
    ],
)
def test_text_stands_out_from_tints(tokens: dict[str, str], text: str, ground: str) -> None:
    assert contrast_ratio(tokens[text], tokens[ground]) >= 4.5


def test_known_roles_keep_their_look() -> None:
    styles = model_styles(build.full())
    assert {name: style.token for name, style in styles.items()} == {role: role for role in ROLE_SHAPES}


@pytest.mark.parametrize("n_models", [1, 2, 5, 12, 40])
def test_no_two_models_share_colour_and_shape(n_models: int) -> None:
    styles = model_styles(build.of_size(n_models, 1))
    assert len(set(styles.values())) == n_models


def test_a_baseline_without_a_role_looks_like_a_base() -> None:
    assert model_styles(build.of_size(2, 1))["model-0"].token == "base"


def test_a_second_model_of_a_role_takes_a_further_look() -> None:
    comparison = build.full()
    models = {**comparison.models, "sft-2": build.model("sft")}
    styles = model_styles(comparison.model_copy(update={"models": models}))
    assert (styles["sft"].token, styles["sft-2"].token) == ("sft", "further-1")
