"""Fast exact scoring: lm-eval's requests answered with every distinct token prefix computed once (docs/scoring.md)."""
