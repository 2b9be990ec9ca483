"""Harmlessness: what models say when they are provoked, and whether what they say can be compared."""
