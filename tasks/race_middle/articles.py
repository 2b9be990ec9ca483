"""RACE, middle school: one item for each article.

    Article: It is well known that …

    Question: In which country is the prom called a "formal"?
    Answer: Canada.
    What is the passage mainly about?

Source: https://huggingface.co/datasets/ehovy/race (Lai et al. 2017, arXiv 1704.04683), which has one row a question.
Rows of an article are gathered in the order in which they stand, as in EleutherAI/race; the prompt is that of
lm-eval's `race`, character for character.
"""

from __future__ import annotations

from typing import Any

_BLANK = "  _  ."
"""How a question ends whose answer completes its sentence."""


def by_article(dataset: Any) -> Any:
    """Gather the questions of each article into one document: `example_id`, `article`, `problems`."""
    from datasets import Dataset

    articles: dict[str, dict[str, Any]] = {}
    for row in dataset:
        new = {"example_id": row["example_id"], "article": row["article"], "problems": []}
        problem = {key: row[key] for key in ("question", "answer", "options")}
        articles.setdefault(row["example_id"], new)["problems"].append(problem)
    return Dataset.from_list(list(articles.values()))


def doc_to_text(doc: dict[str, Any]) -> str:
    """The article, its answered questions, and the one that is asked."""
    *answered, asked = doc["problems"]
    return f"Article: {doc['article']}\n\n{''.join(map(_answered, answered))}{asked['question']}"


def doc_to_choice(doc: dict[str, Any]) -> list[str]:
    """The four answers to the question that is asked."""
    return list(doc["problems"][-1]["options"])


def doc_to_target(doc: dict[str, Any]) -> int:
    """The number of the right answer."""
    return "ABCD".index(doc["problems"][-1]["answer"])


def _answered(problem: dict[str, Any]) -> str:
    answer = problem["options"]["ABCD".index(problem["answer"])]
    if problem["question"].endswith(_BLANK):
        # lm-eval cuts five of the six characters, so that one space stays before the answer.
        return f"{problem['question'][:-5]}{answer}\n"
    return f"Question: {problem['question']}\nAnswer: {answer}\n"
