"""A scenario's text: YAML and paths, each value with its line.

Here: plain data. Not here: what the values mean.
"""
