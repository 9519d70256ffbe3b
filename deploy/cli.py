"""The whole command line: `flows.cli`, and the fleet's `gradmix up`, `down` and `deploy`."""

import sys
from pathlib import Path

import click

from flows.cli.main import home_option, main, one_line_errors


@main.command(epilog="Example: gradmix up --workers 2")
@home_option
@click.option(
    "--workers", type=click.IntRange(min=0), help="Slots to use; every GPU, or every CPU core."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address of Prefect's server; another than loopback needs a password.",
)
@click.option("--prefect-port", type=int, default=4200, show_default=True, help="Of its server.")
@click.option("--mlflow-port", type=int, default=5000, show_default=True, help="On loopback.")
@click.option("--join", metavar="URL", help="Give this host's slots to the fleet of that API.")
@one_line_errors
def up(
    home: str,
    workers: int | None,
    host: str,
    prefect_port: int,
    mlflow_port: int,
    join: str | None,
) -> None:
    """Start the servers and one worker per GPU or CPU core, and keep them running."""
    from deploy.commands import up_command
    from deploy.options import Options

    folder = Path(home).expanduser().absolute()
    up_command(Options(folder, workers, host, prefect_port, mlflow_port, join))


@main.command(epilog="Example: gradmix down --home runs")
@home_option
@one_line_errors
def down(home: str) -> None:
    """Stop what `up` started on this host; a reproduction that was under way can go on later."""
    from deploy.commands import down_command

    down_command(Path(home))


@main.command(epilog="Example: gradmix deploy --home runs")
@home_option
@one_line_errors
def deploy(home: str) -> None:
    """Declare work pools, deployments and automations; `up` has done it for its own server."""
    from deploy.commands import deploy_command

    deploy_command(Path(home))


if __name__ == "__main__":
    sys.exit(main())
