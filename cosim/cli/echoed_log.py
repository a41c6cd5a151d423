"""What the program says while it works, where errors go."""

from __future__ import annotations

import logging

import typer


def echo_log(loud: bool) -> None:
    """Fetching a model takes a while, the first time: say so, where errors go, or say nothing."""

    class Echo(logging.Handler):
        """This handler writes each message of the log to where errors go."""

        def emit(self, record: logging.LogRecord) -> None:
            typer.echo(f"cosim: {record.getMessage()}", err=True)

    log = logging.getLogger("cosim")
    log.handlers[:] = [Echo()] if loud else []
    log.setLevel(logging.INFO)
