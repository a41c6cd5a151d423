"""Real fine-tuning of a real language model; knows no time, no radio, no events."""
