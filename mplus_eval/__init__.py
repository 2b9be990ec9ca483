"""Tells a team what alignment did to its language model."""

__version__ = "0.1.0"
