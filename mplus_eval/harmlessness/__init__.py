"""Harmlessness: does a model say toxic things, above all when prompted to, and is its silence mistaken for manners?"""
