"""The channel between two devices and one transmission over it.

Here: gains, slots, bits that flow or come in packets. Not here: who sends what to whom.
"""
