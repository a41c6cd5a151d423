"""Recorded movement: importers of trace files, one file a format, and the paths they give.

Here: formats, what is sifted out, time and metres. Not here: movement that is drawn at random.
"""
