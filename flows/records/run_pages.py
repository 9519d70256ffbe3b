"""A reproduction's pages in Prefect and MLflow: first its champion and its table."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.artifacts import create_link_artifact, create_markdown_artifact

from tasks.reporting.record import PAGE, Record
from tasks.tracking.addresses import run_address
from tasks.tracking.lineage.publish import PAGE as LINEAGE
from tasks.tracking.tracker import MetricRow, Tracker

logger = logging.getLogger(__name__)


def announce_run(name: str, run_id: str, pages: Mapping[str, str]) -> None:
    """Link the flow run to the MLflow run, at the start."""
    link = mlflow_page(run_id, pages)
    if link is not None:
        words = f"{name} in MLflow"
        _try(create_link_artifact, link=link, key=_key(name, "mlflow"), link_text=words)


def mlflow_page(run_id: str, pages: Mapping[str, str]) -> str | None:
    """Address of a run's page in MLflow; None if MLflow is unreachable."""
    if "experiment_id" not in pages:
        return None
    return f"{pages['ui']}/{run_address(pages['experiment_id'], run_id)}"


def announce_results(name: str, record: Record, folder: Path) -> None:
    """Show the champion and the table of a finished reproduction on its page in Prefect."""
    # Imported only now: `announce_run` precedes the first training, which this would delay.
    from tasks.reporting.summary import champion_words, summary_table  # noqa: PLC0415

    parts = [champion_words(record), summary_table(record), f"Report: `{folder / PAGE}`"]
    text = "\n\n".join(part for part in parts if part) + "\n"
    _try(create_markdown_artifact, markdown=text, key=_key(name, "table"), description=name)


def track_summary(tracker: Tracker, run_id: str, record: Record) -> None:
    """Show the table and its figures on the run's page in MLflow, after its files are stored."""
    from tasks.reporting.summary import summary_figures, summary_table  # noqa: PLC0415

    tracker.log_metrics(run_id, [MetricRow(0, summary_figures(record))])
    table = summary_table(record, padding="&emsp;")
    tracker.log_results(run_id, table, [f"{record.name}/{PAGE}", LINEAGE])


def _key(name: str, what: str) -> str:
    """A name in Prefect's form: lower case, digits and dashes."""
    return re.sub("[^a-z0-9]+", "-", f"{name}-{what}".lower())


def _try(create: Any, **content: str) -> None:  # noqa: ANN401 - one of Prefect's functions
    """Write to the page; a failure must not stop the reproduction."""
    try:
        create(**content)
    except Exception:
        logger.warning("could not write to Prefect's page", exc_info=True)
