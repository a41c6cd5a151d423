"""Real fine-tuning of a real language model; knows no time, no radio, no events."""

import os

# Threads that wait by spinning slow a busy machine down many times over. Read when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
