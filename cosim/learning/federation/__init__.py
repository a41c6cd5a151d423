"""What devices hold, send and make of what they hear.

Here: banks, messages and their bits, averages. Not here: links and time, which decide what arrives.
"""
