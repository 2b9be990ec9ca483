"""How large is a page with 50,000 items of five models, how soon does it open, and does its list scroll smoothly?

    python benchmarks/explorer.py            50,000 items, about a minute; needs chromium
    python benchmarks/explorer.py --quick    2,000 items

Outcomes are stored as a run stores them: ten subjects with five examples each, four choices with log-probabilities, a
question of 60 words, and texts that try to break out of the page among them. In headless chromium the page is opened
by the link of an item near the end. Opened is when its choices are there; a long task is one of 50 ms or more on the
main thread, and the list is scrolled by 3,000 pixels a frame. Times are as seen on a clock, so what else the machine
does counts, but for those that the main thread was busy. Exit code 1 when opening takes more than 2 seconds or a
task while scrolling more than 100 ms.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from printout import add_write, printed

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the tests' builders of runs are not installed

from mplus_eval.records.comparison import Comparison
from mplus_eval.reports import write_report
from mplus_eval.reports.explorer.page import WrittenReport
from mplus_eval.store.outcomes import Outcome
from mplus_eval.store.parts import PartInfo, part_path, write_part
from tests.reports import build

N_ITEMS, PER_PART, N_SUBJECTS = 50_000, 500, 10
MODELS = ("base", "instruct", "sft", "chosen", "plus")
OPEN_SECONDS, TASK_MS = 2.0, 100
TASK = "mmlu"
HOSTILE = ("<script>window.hacked=1</script>", "\u202e\u200f", "\x1b[31m\x00", "`x` | [a](javascript:alert(1)) & \"'")

WATCH = """
window.longest = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration); })
  .observe({ entryTypes: ['longtask'] });
"""
OPENED = """async () => {
  while (!document.querySelector('#x-texts .x-choices')) await new Promise(requestAnimationFrame);
  return [performance.now(), longest];
}"""
SCROLLED = """async () => {
  const box = document.getElementById('x-list'), frames = [];
  longest = 0;
  for (let last = performance.now(), number = 0; number < 300; number++) {
    box.scrollTop += 3000;
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  frames.sort((a, b) => a - b);
  return [frames[150], frames.at(-1), longest];
}"""
SEARCHED = r"""async query => {
  const input = document.getElementById('x-q'), count = document.getElementById('x-count'), start = performance.now();
  longest = 0;
  input.value = query;
  input.dispatchEvent(new Event('input'));
  let first;
  while (!/^[\d,]+ items?\.$/.test(count.textContent) || count.textContent === window.before) {
    if (/^[1-9].* so far/.test(count.textContent)) first ??= performance.now() - start;
    await new Promise(requestAnimationFrame);
  }
  return [first ?? performance.now() - start, performance.now() - start, count.textContent, longest];
}"""


def main() -> int:
    """Read what is asked for, and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer items")
    add_write(parser)
    return printed(parser.parse_args(), measure, "explorer")


def measure(arguments: argparse.Namespace) -> int:
    """Store a run, write its report, and look at it."""
    n_items = 2000 if arguments.quick else N_ITEMS
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        store(run, n_items)
        for choice in ("flips", "all"):
            start = time.monotonic()
            written = write_report(run, choice)  # type: ignore[arg-type]
            print(
                f"--items {choice}: {n_items:,} items x {len(MODELS)} models, report {written.size / 1e6:.1f} MB, "
                f"of which items {written.items_size / 1e6:.1f} MB, written in {time.monotonic() - start:.0f} s"
            )
        return looked_at(written, n_items)


def looked_at(written: WrittenReport, n_items: int) -> int:
    """Open the page, scroll and search it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.add_init_script(WATCH)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return next(float(each["value"]) for each in metrics if each["name"] == "TaskDuration")

        last = n_items - 7
        page.goto(f"{written.page.as_uri()}#items?task={TASK}&item={subject(last)}/{last}", wait_until="commit")
        opened, longest = page.evaluate(OPENED)
        of_opening = busy()
        print(
            f"opened by the link of item {last:,}: {opened / 1000:.2f} s, longest task {longest:.0f} ms, main thread "
            f"busy for {of_opening:.2f} s of its own time"
        )
        median, worst, scrolling = page.evaluate(SCROLLED)
        print(
            f"scrolling 300 frames: median {median:.0f} ms, worst {worst:.0f} ms, longest task {scrolling:.0f} ms, "
            f"main thread busy for {1000 * (busy() - of_opening) / 300:.1f} ms a frame"
        )
        for query in ("word-77 ", "no such words"):
            page.evaluate("window.before = document.getElementById('x-count').textContent")
            first, whole, count, task = page.evaluate(SEARCHED, query)
            print(
                f"searching {query!r}: {count} first hit {first / 1000:.2f} s, all {whole / 1000:.2f} s, "
                f"longest task {task:.0f} ms"
            )
        print(f"console: {len(said)} messages; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        browser.close()
    return int(opened > OPEN_SECONDS * 1000 or scrolling > TASK_MS)


def store(run: Path, n_items: int) -> None:
    """A run of one task with outcomes of all models."""
    full = build.full()
    task = full.tasks[TASK].model_copy(update={"n_items": n_items, "subjects": {}, "has_description": True})
    comparison: Comparison = full.model_copy(update={"tasks": {TASK: task}, "pairs": (), "missing": ()})
    build.write_run(run, comparison)
    for number, model in enumerate(MODELS):
        n_parts = -(-n_items // PER_PART)
        rows = outcomes(number, n_items)
        for index in range(n_parts):
            part = [Outcome(**row) for _, row in zip(range(PER_PART), rows, strict=False)]
            place = part_path(run / "outcomes" / model / TASK, index)
            write_part(place, Outcome, part, PartInfo("f", {}, index, n_parts))


def outcomes(model: int, n_items: int) -> Iterator[dict[str, Any]]:
    """The rows of one model: right in 60 %, and as the baseline in 85 %."""
    asked, own = Random(0), Random(model)
    words = [f"word-{n}" for n in range(2000)]
    shots = {
        name: "".join(f"Question: {' '.join(asked.choices(words, k=60))}\nAnswer: B\n\n" for _ in range(5))
        for name in map(subject, range(N_SUBJECTS))
    }
    for item in range(n_items):
        name = subject(item)
        question = f"{' '.join(asked.choices(words, k=60))} {HOSTILE[item % len(HOSTILE)]}{'x' * (item == 99) * 2**20}"
        pick = asked.choice((0, 0, 0, 1, 2))
        pick = pick if model == 0 or own.random() < 0.85 else own.randrange(4)
        values = [-own.expovariate(0.3) - 0.5 for _ in range(4)]
        values[pick] = -0.5 * own.random()
        failed = own.random() < 0.001
        yield {
            "item_id": f"{name}/{item}",
            "stratum": name,
            "sample": 0,
            "prompt_hash": str(item),
            "prompt": f"Questions about {name}.\n\n{shots[name]}Question: {question}\nAnswer:",
            "choices": ["A", "B", "C", "D"],
            "log_probabilities": None if failed else values,
            "greedy": None if failed else [value == max(values) for value in values],
            "target": "A",
            "answer": None if failed else "ABCD"[pick],
            "score": None if failed else float(pick == 0),
            "error": "out of memory, also with one item at a time" if failed else None,
        }


def subject(item: int) -> str:
    """The subject of an item."""
    return f"mmlu_subject_{item % N_SUBJECTS}"


if __name__ == "__main__":
    sys.exit(main())
