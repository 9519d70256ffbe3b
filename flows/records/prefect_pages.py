"""A reproduction's page in Prefect: its link to MLflow, and its table."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from tasks.reporting.record import Record

logger = logging.getLogger(__name__)


def announce_run(name: str, run_id: str, pages: Mapping[str, str]) -> None:
    """Link the flow run to the MLflow run, at the start."""
    if "experiment_id" not in pages:
        return
    link = f"{pages['ui']}/#/experiments/{pages['experiment_id']}/runs/{run_id}"
    _try(create_link_artifact, link=link, key=_key(name, "mlflow"), link_text=f"{name} in MLflow")


def announce_results(name: str, record: Record, folder: Path) -> None:
    """Show the table of a finished reproduction."""
    # Imported only now: scipy and matplotlib would delay the first training by seconds.
    from tasks.reporting.report import result_table, table_text  # noqa: PLC0415

    table = table_text(result_table(record))
    text = f"```\n{table}\n```\n\nReport: `{folder / 'report.html'}`\n"
    _try(create_markdown_artifact, markdown=text, key=_key(name, "table"), description=name)


def _key(name: str, what: str) -> str:
    """A name in Prefect's form: lower case, digits and dashes."""
    return re.sub("[^a-z0-9]+", "-", f"{name}-{what}".lower())


def _try(create: Any, **content: str) -> None:  # noqa: ANN401 - one of Prefect's functions
    """Write to the page; a failure must not stop the reproduction."""
    try:
        create(**content)
    except Exception:
        logger.warning("could not write to Prefect's page", exc_info=True)
