"""Many runs from one file: every combination of a grid, for every seed."""
