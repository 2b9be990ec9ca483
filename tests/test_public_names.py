from __future__ import annotations

import subprocess
import sys

import pytest

import mplus_eval


def test_the_public_names_are_these() -> None:
    assert set(mplus_eval.__all__) == {
        "Comparison",
        "MplusError",
        "Run",
        "SpecError",
        "UsageError",
        "Verdict",
        "__version__",
        "compare",
        "load",
    }


@pytest.mark.parametrize("name", mplus_eval.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(mplus_eval, name) is not None
    assert name in dir(mplus_eval)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'comparison_of_all'"):
        _ = mplus_eval.comparison_of_all


def test_importing_the_package_loads_no_heavy_library() -> None:
    heavy = "{'torch', 'transformers', 'lm_eval', 'pandas', 'scipy', 'matplotlib', 'trl', 'datasets', 'pydantic'}"
    code = f"import sys, mplus_eval, mplus_eval.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
