"""The command line, less what `deploy.cli` adds: from `gradmix reproduce` to `extract`."""

import errno
import sys
from collections.abc import Callable
from functools import wraps
from typing import IO, Any

import click

from tasks.storage.home import USUAL, VARIABLE

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


home_option = click.option(
    "--home",
    default=USUAL,
    show_default=True,
    envvar=VARIABLE,
    help="Folder of everything written.",
)

engine_option = click.option(
    "--engine",
    type=click.Choice(["local", "workers"]),
    default="local",
    show_default=True,
    help="Where trainings run: in slots of this machine, or on the workers of a fleet.",
)


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
        home_option,
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
    from flows.experiment.experiment_file import SettingsError
    from tasks.errors import StageError
    from tasks.execution.prefect_server import ServerError
    from tasks.storage.home import HomeError
    from tasks.tracking.mlflow_store import TrackingError

    return (DataError, SettingsError, StageError, HomeError, ServerError, TrackingError)


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gradmix")
def main() -> None:
    """GradMix: multi-source transfer across domains and tasks."""


@main.command(epilog="Example: gradmix reproduce digits --scale small --data DIR --k 3")
@invocation_options
@engine_option
@one_line_errors
def reproduce(home: str, **arguments: Any) -> None:  # noqa: ANN401 - click's arguments
    """Run an experiment from raw data to its report; what is finished is not done again."""
    from flows.cli.reproduce import reproduce_command

    reproduce_command(home=home, **arguments)


@main.command(epilog="Example: gradmix plan digits --scale small --data DIR")
@invocation_options
@one_line_errors
def plan(home: str, **arguments: Any) -> None:  # noqa: ANN401 - click's arguments
    """Show every stage: cached, will run, or stale and because of what."""
    from flows.cli.reproduce import plan_command

    plan_command(home=home, **arguments)


@main.command(epilog="Example: gradmix rerun digits --cell beta=10,gamma=0.6,k=3,draw=0 --force")
@invocation_options
@engine_option
@click.option("--cell", required=True, help="beta=B,gamma=G and, if wanted, k=K,draw=D.")
@click.option("--force", is_flag=True, help="Do it again although it is finished.")
@one_line_errors
def rerun(home: str, cell: str, force: bool, engine: Any, **arguments: Any) -> None:  # noqa: ANN401
    """Run one cell of the grid and exactly what is made from it; lists what ran."""
    from flows.cli.rerun import rerun_command

    rerun_command(home, cell, force=force, engine=engine, **arguments)


@main.command(epilog="Example: gradmix status --watch")
@home_option
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Once, as JSON.")
@one_line_errors
def status(home: str, watch: bool, as_json: bool) -> None:
    """Show what runs: cells, slots, steps, times left, and the fleet."""
    from flows.cli.status import status_command

    status_command(home, as_json=as_json, watch=watch)


@main.command(epilog="Example: gradmix cancel digits-demo-4c53abc2")
@click.argument("name", required=False)
@home_option
@one_line_errors
def cancel(name: str | None, home: str) -> None:
    """Stop the reproduction of that NAME, or all; what is finished is kept."""
    from flows.cli.status import cancel_command

    cancel_command(home, name)


@main.command(epilog="Example: gradmix report digits-demo-4c53abc2")
@click.argument("run")
@home_option
@one_line_errors
def report(run: str, home: str) -> None:
    """Make the report of a finished RUN again: its name, or the MLflow id of its run."""
    from flows.cli.reproduce import report_command

    report_command(run=run, home=home)


@main.command(epilog="Example: gradmix lineage gradmix-digits-demo@champion --html chain.html")
@click.argument("what")
@home_option
@click.option("--json", "as_json", is_flag=True, help="Nodes and edges as JSON.")
@click.option("--html", type=click.Path(), help="File for the graph as a page.")
@click.option("--row", help="Of a reproduction: the row of its table that is asked for.")
@click.option("--k", type=int, help="With --row: labels a class.")
@click.option("--draw", type=int, help="With --row: number of the draw.")
@one_line_errors
def lineage(
    what: str,
    home: str,
    as_json: bool,
    html: str | None,
    row: str | None,
    k: int | None,
    draw: int | None,
) -> None:
    """Show the chain from WHAT back to the raw files.

    WHAT is an MLflow run or model id or its first digits, a registered model (NAME, NAME@champion,
    or champion if there is one), a pseudo_labels.parquet file, or the name of a reproduction: with
    --row for one number of its report.
    """
    from flows.cli.lineage import Number, lineage_command

    if row is None and (k, draw) != (None, None):
        raise OneLineError("--k, --draw: expected --row with them, found none; name the row.")
    number = None if row is None else Number(row, k, draw)
    lineage_command(what, home, as_json=as_json, html=html, number=number)


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
    from flows.cli.extract import extract_command

    extract_command(videos, frames, every, out, max_broken)
