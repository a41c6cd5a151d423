"""The command line: what is typed, and what is printed.

Here: commands, progress, tables on a terminal, exit codes. Not here: anything that a script could
ask for, which lies in the room that does it.
"""

from cosim.cli.app import main

__all__ = ["main"]
