"""Experts scored on held-out questions, and the gate that chooses among them.

Here: one expert and its questions. Not here: which devices are asked, and when.
"""
