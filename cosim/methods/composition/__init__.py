"""Composition parts: which experts answer."""
