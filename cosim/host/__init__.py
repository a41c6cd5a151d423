"""The machine that cosim itself runs on: memory, signals, workers, its clock.

Here: what every program has to do with its host. Not here: devices, whose time and memory are
simulated.
"""
