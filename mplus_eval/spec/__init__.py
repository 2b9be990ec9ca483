"""What a user asks for: models, suite, options and axes, read and validated."""
