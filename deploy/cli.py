"""The whole command line: `flows.cli`, and the fleet's `gradmix up`, `down` and `deploy`."""

import sys

import click

from flows.cli.lazy import LazyCommand
from flows.cli.main import main
from flows.cli.options import HOME

COMMANDS = [
    LazyCommand(
        "up",
        "deploy.commands:up",
        [
            HOME,
            click.Option(
                ["--workers"],
                type=click.IntRange(min=0),
                help="Slots to use; by default every GPU, or every CPU core.",
            ),
            click.Option(
                ["--slots-per-gpu"],
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="Trainings at a time on each GPU; several small networks share one well.",
            ),
            click.Option(
                ["--host"],
                default="127.0.0.1",
                show_default=True,
                help="Address of Prefect's server; any but loopback needs a password.",
            ),
            click.Option(
                ["--prefect-port"],
                type=int,
                default=4200,
                show_default=True,
                help="Port of Prefect's server.",
            ),
            click.Option(
                ["--mlflow-port"],
                type=int,
                default=5000,
                show_default=True,
                help="Port of MLflow's server, on loopback.",
            ),
            click.Option(
                ["--join"], metavar="URL", help="Give this host's slots to the fleet of that API."
            ),
        ],
        summary="Start the servers and a slot per GPU or CPU core, and keep them running.",
        example="up --workers 2",
    ),
    LazyCommand(
        "down",
        "deploy.commands:down",
        [HOME],
        summary="Stop what `up` started on this host; a running reproduction can continue later.",
        example="down --home runs",
    ),
    LazyCommand(
        "deploy",
        "deploy.commands:deploy",
        [HOME],
        summary="Declare work pools, deployments and automations; `up` does so for its own server.",
        example="deploy --home runs",
    ),
]
for command in COMMANDS:
    main.add_command(command)


__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
