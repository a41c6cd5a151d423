"""Tests of every room of cosim; what they share is imported as `tests.ROOM.NAME`."""
