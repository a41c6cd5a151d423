"""Weights parts: how much each message counts."""
