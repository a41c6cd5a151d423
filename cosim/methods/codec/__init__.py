"""Codec parts: how the numbers of a message become bits.

Here: rounding, choosing, remembering what was said. Not here: which factors are sent.
"""
