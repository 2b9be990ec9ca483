"""The mini suite: task definitions, and the items that `training/demo/mini_suite.py` makes."""
