"""Aggregation parts: what is said, and what becomes of what was heard."""
