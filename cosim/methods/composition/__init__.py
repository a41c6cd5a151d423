"""Composition parts: which experts answer.

Here: who answers, and with what weight. Not here: the forward pass, which `evaluation` computes.
"""
