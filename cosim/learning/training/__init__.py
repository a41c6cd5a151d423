"""Local fine-tuning: lessons, groups that share a pass, optimisers.

Here: steps and their memory. Not here: rounds, and who hears of the outcome.
"""
