"""Data parts: whose rows an adapter learns from.

Here: which devices share an adapter. Not here: how a task's rows are divided among its devices.
"""
