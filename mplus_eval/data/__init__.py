"""Rows of files and of hub datasets, and the mirror that holds them offline."""
