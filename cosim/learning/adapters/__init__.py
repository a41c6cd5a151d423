"""Adapters as flat vectors: layout, masks, densities, groups side by side.

Here: what a device's B and A are. Not here: how they are trained, sent or mixed.
"""
