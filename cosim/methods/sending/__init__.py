"""Sending parts: when a device speaks.

Here: coins, drifts, beacons. Not here: what is said.
"""
