"""Files for other tools, made of a finished run.

Here: an adapter in PEFT's files. Not here: whatever a run writes by itself.
"""
