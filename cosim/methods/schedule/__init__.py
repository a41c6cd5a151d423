"""Schedule parts: when a round begins.

Here: who waits for whom, and how often a round mixes. Not here: the clock that plays it.
"""
