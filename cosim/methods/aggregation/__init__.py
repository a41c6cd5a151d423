"""Aggregation parts: what is said, and what becomes of what was heard.

Here: messages' content, means, sums of products, banks of experts. Not here: which messages arrive.
"""
