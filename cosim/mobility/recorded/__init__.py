"""Recorded movement: importers of trace files, one file a format, and the paths they give."""
