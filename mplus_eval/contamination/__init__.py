"""Whether a model had seen a task's items before it was asked them."""
