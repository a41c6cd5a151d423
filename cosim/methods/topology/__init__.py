"""Topology parts: who may hear whom in a round.

Here: graphs, and whether links limit them. Not here: gains and powers, which it is handed.
"""
