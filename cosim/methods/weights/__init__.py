"""Weights parts: how much each message counts.

Here: one number a message. Not here: what is weighed by them.
"""
