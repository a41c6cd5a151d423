"""What is wrong with a scenario, in sentences with file, line and the nearest word.

Here: words. Not here: the rules that are broken, which stand in the sections.
"""
