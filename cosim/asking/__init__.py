"""A finished run asked anew: its devices answer questions, and are scored on other rows.

Here: what is asked of whom, and what is said of it. Not here: how a model answers, which is
`learning/`'s, and whatever changes a run.
"""
