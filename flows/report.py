"""The flow `report`: `gradmix report` as a deployment."""

from prefect import flow

from flows.records.report_again import write_report_again
from tasks.storage.home import check_home, home_named


@flow(name="report", persist_result=False, log_prints=True)
def report(run: str, home: str | None = None) -> None:
    """Rewrite the report of a finished reproduction from its record.

    Args:
        run: the reproduction's name, or the MLflow id of its run.
        home: folder of the reproduction; by default GRADMIX_HOME or `runs`.

    Raises:
        HomeError: if there is no such reproduction.
    """
    for path in write_report_again(run, check_home(home_named(home))):
        print(path)  # noqa: T201 - Prefect logs it
