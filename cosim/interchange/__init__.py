"""What a run has learnt, in the formats of others."""
