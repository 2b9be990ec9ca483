"""The gate: a policy put to a comparison, rule by rule and model by model, for a release that waits on it."""
