"""What can be said of a scenario before it is played: what it asks for, and whether it starts.

Here: the lines of `cosim check`, room on disk, refusals. Not here: anything that a run reads.
"""
