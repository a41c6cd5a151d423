"""Schedule parts: when a round begins."""
