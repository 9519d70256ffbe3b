"""Errors on the command line: one line and exit code 2 for those that a user can fix."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from data.errors import UserError
from tasks.redaction import redacted

USAGE_ERROR = 2
INTERRUPTED = 130


class OneLineError(click.ClickException):
    """An error that a user can fix: one line per problem, usually one, and exit code 2."""

    exit_code = USAGE_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the lines."""
        for line in self.message.splitlines():
            click.echo(f"gradmix: {redacted(line)}", file=file, err=file is None)


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Turn usage errors, and others that a user can fix, into one line and exit code 2.

    Args:
        program: command to point to for help, if the error does not know its own.

    Raises:
        OneLineError: in place of such an error; others keep their traceback.
    """
    try:
        yield
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else program
        message = " ".join(error.format_message().split())
        raise OneLineError(f"{message} See {command} --help.") from error
    except UserError as error:
        raise OneLineError("\n".join(error.lines)) from error
    except KeyboardInterrupt:
        click.echo("gradmix: stopped; the same command continues.", err=True)
        sys.exit(INTERRUPTED)
