"""What learning costs, from shapes alone: FLOP, memory, bytes on disk.

Here: counts. Not here: seconds and joules, which a device's profile makes of them.
"""
