"""Conversation: what models are asked, who judges their answers, and what the verdicts amount to."""
