"""Flow run of `gradmix reproduce`; imports Prefect, unlike the command itself."""

from pathlib import Path

from httpx import HTTPError
from prefect.exceptions import PrefectException

from flows.experiment.run_request import Engine
from flows.experiment.run_spec import RunSpec
from flows.monitoring.counts import Observer
from flows.reproduce import start
from tasks.errors import first_line
from tasks.execution.prefect_server import ServerError
from tasks.execution.template import Template


def run_flow(
    spec: RunSpec, home: Path, engine: Engine, observer: Observer, template: Template
) -> Path:
    """Run a specification in a new flow run; returns the folder of its record.

    Raises:
        ServerError: if Prefect's server stops answering.
    """
    try:
        return start(spec, home, engine, observer, template)
    except (HTTPError, PrefectException) as error:
        raise ServerError(
            f"expected Prefect's server to answer, found {type(error).__name__}: "
            f"{first_line(error)}; its log is {home / 'prefect' / 'server.log'}; the same command "
            "continues."
        ) from error
