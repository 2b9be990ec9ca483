"""The run directory: parts, their freshness, hashes, and the one way to write a file whole."""
