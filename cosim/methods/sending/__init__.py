"""Sending parts: when a device speaks."""
