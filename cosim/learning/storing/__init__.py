"""What has been learnt, on disk: tensors once, an index, PEFT's files.

Here: formats. Not here: checkpoints, which hold what is not finished.
"""
