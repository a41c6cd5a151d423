"""Projection parts: what A is at first, and when it is trained."""
