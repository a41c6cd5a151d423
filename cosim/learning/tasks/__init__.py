"""Downstream tasks: where their rows come from and what a row means."""
