"""One process of several that train at the same time: `python -m mplus_eval.training.worker`.

Lines of JSON. In: the recipe first, then names of stages, one after the other; at the end of input, whatever is being
trained is given up, since whoever asked for it is gone. Out: what a stage tells of itself, and how it ended.

    in   {"recipe": {…}, "data_dir": null, "evaluate": "mplus_eval.pipeline.trained:evaluate_trajectory"}
    in   {"stage": "plus"}
    out  {"progress": ["plus", 12, 40]}
    out  {"say": "plus: the reward rises while …"}
    out  {"finished": "plus"}              or {"stopped": "…"} for what a user can mend, or a traceback and an exit code
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import warnings
from pathlib import Path

from mplus_eval.errors import InterruptedRunError
from mplus_eval.log_setup import silence_libraries


def main() -> None:
    """Train what standard input names until it ends."""
    # The terminal's interrupt reaches the whole group; the process that asked ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    silence_libraries()
    warnings.filterwarnings("ignore")
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # Whatever libraries print must not stand between the lines.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def tell(**event: object) -> None:
        print(json.dumps(event), file=output, flush=True)

    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(0)

    # In a thread of its own, so that the end of input is seen while a stage trains.
    threading.Thread(target=read, daemon=True).start()

    # Imported once the libraries are silent and standard output is safe from them.
    import torch

    from mplus_eval.rewards.functions import load_function
    from mplus_eval.training.hooks import Hooks
    from mplus_eval.training.recipe import Recipe
    from mplus_eval.training.training_run import begin_run, complete_stage

    job = json.loads(lines.get())
    recipe = Recipe.model_validate(job["recipe"])
    torch.set_num_threads(recipe.threads or torch.get_num_threads())
    hooks = Hooks(
        progress=lambda *step: tell(progress=step),
        say=lambda sentence: tell(say=sentence),
        evaluate=load_function(job["evaluate"]) if job["evaluate"] else None,
    )
    run = begin_run(recipe, Path(job["data_dir"]) if job["data_dir"] else None, hooks)
    while True:
        name = json.loads(lines.get())["stage"]
        try:
            complete_stage(run, name)
        except InterruptedRunError as error:
            tell(stopped=str(error))
        else:
            tell(finished=name)


if __name__ == "__main__":
    main()
