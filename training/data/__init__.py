"""What training reads: preference pairs, demonstrations and prompts, from the hub, a folder, a file or the demo."""

from mplus_eval.training.data.evaluated import without_evaluated
from mplus_eval.training.data.load import load_demonstrations, load_pairs, load_prompts
from mplus_eval.training.data.rows import Demonstration, Message, OpenDialogue, PreferencePair, Rows
from mplus_eval.training.data.split import split_held_out

__all__ = [
    "Demonstration",
    "Message",
    "OpenDialogue",
    "PreferencePair",
    "Rows",
    "load_demonstrations",
    "load_pairs",
    "load_prompts",
    "split_held_out",
    "without_evaluated",
]
