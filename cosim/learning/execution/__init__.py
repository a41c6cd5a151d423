"""Who computes passes over the base model: this process, or Ray's workers.

Here: how work is handed on. Not here: what the work is.
"""
