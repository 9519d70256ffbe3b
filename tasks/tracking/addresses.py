"""Addresses of MLflow's pages, behind that of its server.

MLflow 3 opens a page in its mode for traces and prompts of language models unless the address asks
for model training; an experiment's tags do not matter.
"""

from urllib.parse import quote

MODE = "?workflowType=machine_learning"


def runs_address(experiment: str) -> str:
    """The list of an experiment's training runs."""
    return f"#/experiments/{quote(experiment, safe='')}/runs{MODE}"


def run_address(experiment: str, run_id: str, file: str = "") -> str:
    """A run, or one of its files."""
    place = f"/artifacts/{quote(file)}" if file else ""
    return f"#/experiments/{quote(experiment, safe='')}/runs/{quote(run_id, safe='')}{place}{MODE}"


def model_address(experiment: str, model_id: str) -> str:
    """A logged model."""
    return f"#/experiments/{quote(experiment, safe='')}/models/{quote(model_id, safe='')}{MODE}"


def registered_address(name: str) -> str:
    """A registered model."""
    return f"#/models/{quote(name, safe='')}{MODE}"
