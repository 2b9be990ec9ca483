"""Servers with OpenAI's API: how one is asked, waited for and given up, what it can, and what asking it costs."""
