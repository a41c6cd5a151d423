"""Tasks: rows read, held out, dealt out and encoded.

Here: texts and tokens. Not here: the model that reads them.
"""
