"""What Python calls, as `cosim.NAME`: a function a command, and what they give back."""
