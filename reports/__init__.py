"""How results are told: view, figures, HTML and Markdown."""
