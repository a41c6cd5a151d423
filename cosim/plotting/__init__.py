"""Figures to publish: accuracy, costs, latencies and rounds of runs, drawn with their numbers."""
