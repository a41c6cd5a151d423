"""Pictures of a run, made from its traces alone: a timeline and a map."""
