"""From a scenario to devices at their places, and what looks odd about them.

Here: everything before the first event. Not here: events.
"""
