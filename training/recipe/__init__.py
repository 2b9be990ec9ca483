"""A recipe: everything that one training needs to know, read from YAML and checked whole before any work.

    base: ./base
    pairs:
      - {source: Anthropic/hh-rlhf, subset: harmless-base}
    reward: {learning_rate: 1.0e-5, epochs: 1}
    sft:
      chosen: {data: chosen, learning_rate: 1.0e-5, epochs: 1}
    rlhf:
      plus: {learning_rate: 1.0e-6, steps: 200}

`reward` trains one reward model from the base, every entry of `sft` and `rlhf` one model from the base. Paths are
relative to the working directory. Any field can be replaced on the command line: `rlhf.plus.kl=0.1`.
"""

from mplus_eval.training.recipe.load import load_recipe, shipped_recipes
from mplus_eval.training.recipe.recipe import REWARD_STAGES, CheckpointCheck, Evaluation, Launch, Lora, Recipe, Replay
from mplus_eval.training.recipe.sources import DataSource, PairDataSource, PromptDataSource
from mplus_eval.training.recipe.stages import (
    WITHOUT_EFFECT,
    KlControl,
    Optimisation,
    RewardHacking,
    RewardPart,
    RewardStage,
    RlhfStage,
    SftStage,
    Termination,
)

__all__ = [
    "REWARD_STAGES",
    "WITHOUT_EFFECT",
    "CheckpointCheck",
    "DataSource",
    "Evaluation",
    "KlControl",
    "Launch",
    "Lora",
    "Optimisation",
    "PairDataSource",
    "PromptDataSource",
    "Recipe",
    "Replay",
    "RewardHacking",
    "RewardPart",
    "RewardStage",
    "RlhfStage",
    "SftStage",
    "Termination",
    "load_recipe",
    "shipped_recipes",
]
