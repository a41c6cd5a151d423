"""Llama and its kind over rows laid end to end, with their gradients written out.

Here: one forward and one backward pass. Not here: families that it does not know, which
transformers plays.
"""
