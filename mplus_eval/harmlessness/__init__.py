"""Harmlessness: what a model says when it is provoked, and how toxic that is."""
