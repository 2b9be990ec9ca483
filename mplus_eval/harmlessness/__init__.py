"""Harmlessness: what models say when they are provoked, and whether that can be compared at all."""
