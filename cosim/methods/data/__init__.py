"""Data parts: whose rows an adapter learns from."""
