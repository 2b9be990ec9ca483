"""Figures: each one's record, drawing and data in one module; `registry` holds the table of all of them."""
