from __future__ import annotations

import pytest

from mplus_eval.harmlessness import refusal_patterns
from mplus_eval.harmlessness.refusal_patterns import KINDS, languages, patterns_hash


def test_ten_languages_have_patterns() -> None:
    assert set(languages()) == {"de", "en", "es", "fr", "it", "ja", "nl", "pt", "ru", "zh"}


@pytest.mark.parametrize("code", ["de", "en", "es", "fr", "it", "ja", "nl", "pt", "ru", "zh"])
def test_no_pattern_matches_nothing(code: str) -> None:
    """An alternative that takes the empty text would find a refusal in every answer."""
    for kind in KINDS:
        assert getattr(languages()[code], kind).search("") is None


def test_words_stand_for_their_names(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = "".join(f"{kind}: []\n" for kind in KINDS if kind != "refuses")
    path = tmp_path / "xx.yaml"
    path.write_text('words: {i: "i|we", nay: "(?:<i>) nay"}\nrefuses: ["<nay> say"]\n' + kinds, encoding="utf-8")
    before = patterns_hash()
    monkeypatch.setattr(refusal_patterns, "FOLDER", tmp_path)
    languages.cache_clear()
    patterns_hash.cache_clear()
    try:
        assert languages()["xx"].refuses.search("we nay say")
        assert languages()["xx"].closes.search("anything") is None
        assert patterns_hash() != before
    finally:
        languages.cache_clear()
        patterns_hash.cache_clear()
