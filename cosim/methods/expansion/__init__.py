"""Expansion parts: which positions of B are trained.

Here: masks, and how many positions each module keeps. Not here: A, and how B is sent or mixed.
"""
