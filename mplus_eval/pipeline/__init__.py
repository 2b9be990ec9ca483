"""The line from what was asked for to the report: the only folder that knows all axes."""
