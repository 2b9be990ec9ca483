"""Judges of answers: a language model over an endpoint, a reward model, and people."""
