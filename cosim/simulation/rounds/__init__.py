"""Who exchanges with whom, when a round begins, and what a device does in it.

Here: schedules, graphs, clusters. Not here: the air itself.
"""
