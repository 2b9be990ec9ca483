"""What is stored as JSON: the records that statistics fill and reports read."""
