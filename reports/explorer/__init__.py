"""The item explorer: every stored item of every model, packed into the page and unpacked by its script.

tasks, prompt_sets, dialogues ─→ collection (columns of a list, texts of items) ─→ packing ─→ explorer ─→ the page
"""
