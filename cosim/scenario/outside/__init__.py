"""What installed packages bring to a scenario: path losses, fadings, movements, who looks on.

Here: what they must be, and how one is found by its name. Not here: who asks them.
"""
