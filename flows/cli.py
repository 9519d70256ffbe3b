"""The command line: `gradmix reproduce`, `plan`, `report`, `lineage` and `extract`."""

import errno
import sys
from collections.abc import Callable
from functools import wraps
from typing import IO, Any

import click

USAGE_ERROR = 2
INTERRUPTED = 130


class OneLineError(click.ClickException):
    """An error that a user can mend: one line, exit code 2."""

    exit_code = USAGE_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        click.echo(f"gradmix: {' '.join(self.message.split())}", file=file, err=file is None)


class OneLineGroup(click.Group):
    """Commands of which a wrong use costs one line too, without the usage around it."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Parse and run a command.

        Raises:
            OneLineError: if there is none of that name, or its words are wrong.
        """
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            command = (error.ctx or ctx).command_path
            raise OneLineError(f"{error.format_message()} See {command} --help.") from error


def listed(of: Callable[[str], Any]) -> Callable[..., tuple[Any, ...] | None]:
    """A reader of an option's values, which have commas between them; `none` for no value."""

    def read(_: click.Context, option: click.Parameter, text: str | None) -> Any:  # noqa: ANN401
        if text is None or text == "none":
            return None if text is None else ()
        try:
            return tuple(of(part.strip()) for part in text.split(","))
        except ValueError:
            raise OneLineError(
                f"--{option.name}: expected numbers with commas between them, such as 1,2, or "
                f"none, found {text!r}; correct the value."
            ) from None

    return read


def invocation_options(command: Callable[..., None]) -> Callable[..., None]:
    """The arguments that `reproduce` and `plan` share."""
    options = [
        click.argument("experiment"),
        click.option("--scale", default="demo", show_default=True, help="demo, small or paper."),
        click.option("--data", type=click.Path(), help="Folder of the real data sets."),
        click.option(
            "--download", is_flag=True, help="Fetch missing official files into --data first."
        ),
        click.option("--k", type=int, multiple=True, help="Labels a class in V; may be repeated."),
        click.option("--draws", type=int, help="Number of random V for every k."),
        click.option("--seed", type=int, help="Seed of all randomness."),
        click.option("--weights", help="What the trunk starts from: none, imagenet, or a file."),
        click.option("--partial", is_flag=True, help="Go on where photos or clips are missing."),
        click.option("--tables", callback=listed(int), help="Tables of the paper to make: 1,2."),
        click.option("--figures", callback=listed(int), help="Figures of the paper: 3,4."),
        click.option(
            "--studies", callback=listed(str), help="Beyond the paper: rho,hyper_validation."
        ),
        click.option(
            "--home", default="runs", show_default=True, help="Folder of everything written."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def one_line_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors that a user can mend into one line and exit code 2."""

    @wraps(command)
    def run(**arguments: Any) -> None:  # noqa: ANN401 - click's arguments
        try:
            command(**arguments)
        except KeyboardInterrupt:
            click.echo("gradmix: stopped; the same command goes on.", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS}:
                raise
            where = error.filename or "the home folder"
            raise OneLineError(
                f"expected to write {where}, found: {error.strerror}; make room or choose "
                "another folder with --home. What is finished is kept."
            ) from error
        except Exception as error:
            if not isinstance(error, mendable_errors()):
                raise
            raise OneLineError(str(error)) from error

    return run


def mendable_errors() -> tuple[type[Exception], ...]:
    """The errors that a user can mend."""
    # Here, not on top: the libraries behind these cost seconds, and most commands need none.
    from data.errors import DataError
    from flows.experiment_file import SettingsError
    from tasks.errors import StageError
    from tasks.home import HomeError
    from tasks.server import ServerError
    from tasks.tracking import TrackingError

    return (DataError, SettingsError, StageError, HomeError, ServerError, TrackingError)


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradmix")
def main() -> None:
    """GradMix: multi-source transfer across domains and tasks."""


@main.command(epilog="Example: gradmix reproduce digits --scale small --data DIR --k 3")
@invocation_options
@one_line_errors
def reproduce(home: str, **arguments: Any) -> None:  # noqa: ANN401 - click's arguments
    """Run an experiment from raw data to its report; what is finished is not done again."""
    from flows.commands import reproduce_command

    reproduce_command(home=home, **arguments)


@main.command(epilog="Example: gradmix plan digits --scale small --data DIR")
@invocation_options
@one_line_errors
def plan(home: str, **arguments: Any) -> None:  # noqa: ANN401 - click's arguments
    """Show every stage: cached, will run, or stale and because of what."""
    from flows.commands import plan_command

    plan_command(home=home, **arguments)


@main.command(epilog="Example: gradmix report digits-demo-4c53abc2")
@click.argument("run")
@click.option("--home", default="runs", show_default=True, help="Folder of the reproduction.")
@one_line_errors
def report(run: str, home: str) -> None:
    """Make the report of a finished RUN again: its name, or the MLflow id of its run."""
    from flows.commands import report_command

    report_command(run=run, home=home)


@main.command(epilog="Example: gradmix lineage 9d08a48c5f8a40e9832725c81c7cb774")
@click.argument("run_or_model")
@click.option("--home", default="runs", show_default=True, help="Folder of the reproduction.")
@click.option("--json", "as_json", is_flag=True, help="Nodes and edges as JSON.")
@one_line_errors
def lineage(run_or_model: str, home: str, as_json: bool) -> None:
    """Show the chain from an MLflow run or model back to the raw files."""
    from flows.commands import lineage_command

    lineage_command(run_or_model, home, as_json=as_json)


@main.command(epilog="Example: gradmix extract UCF-101/ --frames 10 --out frames/")
@click.argument("videos", type=click.Path())
@click.option(
    "--frames", type=click.IntRange(min=1), help="Of every clip, evenly spaced; 10 unless --every."
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    help="The n-th frame and its multiples, in place of --frames.",
)
@click.option("--out", required=True, type=click.Path(), help="Folder of the frames.")
@click.option(
    "--max-broken",
    type=click.FloatRange(0, 1),
    default=0.05,
    show_default=True,
    help="Share of clips that may be broken.",
)
@one_line_errors
def extract(
    videos: str, frames: int | None, every: int | None, out: str, max_broken: float
) -> None:
    """Extract frames of VIDEOS, a clip or a folder of clips; what is finished is not done again."""
    from flows.extract_command import extract_command

    extract_command(videos, frames, every, out, max_broken)


if __name__ == "__main__":
    sys.exit(main())
