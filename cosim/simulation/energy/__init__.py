"""What a device draws, and what is left in its battery.

Here: watts over simulated time. Not here: why it draws them.
"""
