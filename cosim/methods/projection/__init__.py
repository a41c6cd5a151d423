"""Projection parts: what A is at first, and when it is trained.

Here: the draw, the stream that names it, the rounds that train it. Not here: optimiser steps.
"""
