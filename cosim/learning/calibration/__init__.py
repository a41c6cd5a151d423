"""What the base model makes of a device's rows before its first round.

Here: features, mean inputs, spectral entropies. Not here: what is decided by them.
"""
