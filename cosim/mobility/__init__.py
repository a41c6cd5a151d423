"""Trajectories: where devices are, as functions of simulated time."""
