"""Topology parts: who may hear whom in a round."""
