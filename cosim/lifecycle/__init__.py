"""One run from its set-up to its last table: playing, journal, checkpoints, provenance.

Here: what makes a run resumable and its manifest true. Not here: events, which are the
simulation's, and steps, which are the learner's.
"""
