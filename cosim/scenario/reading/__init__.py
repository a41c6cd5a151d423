"""A scenario's text: YAML, overrides and paths, each value with its line.

Here: plain data. Not here: what the values mean.
"""
