"""Expansion parts: which positions of B are trained."""
