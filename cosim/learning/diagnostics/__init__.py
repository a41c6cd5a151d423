"""What the paper claims of adapters, measured on real ones.

Here: reports. Not here: anything that a run depends on.
"""
