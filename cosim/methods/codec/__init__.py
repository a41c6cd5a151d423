"""Codec parts: how the numbers of a message become bits."""
