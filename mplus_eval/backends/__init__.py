"""Backends: how a model is loaded and asked."""
