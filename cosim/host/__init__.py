"""The machine that cosim itself runs on: threads, memory, signals, workers.

Here: what every program has to do with its host. Not here: devices, whose time and memory are
simulated.
"""
