"""Addresses of MLflow's pages, relative to its server's.

MLflow 3 opens pages in its mode for traces and prompts of language models unless the address
specifies model training; an experiment's tags have no effect.
"""

from urllib.parse import quote

MODE = "?workflowType=machine_learning"


def runs_address(experiment: str) -> str:
    """Page with the training runs of an experiment."""
    return f"#/experiments/{quote(experiment, safe='')}/runs{MODE}"


def run_address(experiment: str, run_id: str, file: str = "") -> str:
    """Page of a run, or of one of its files."""
    place = f"/artifacts/{quote(file)}" if file else ""
    return f"#/experiments/{quote(experiment, safe='')}/runs/{quote(run_id, safe='')}{place}{MODE}"


def model_address(experiment: str, model_id: str) -> str:
    """Page of a logged model."""
    return f"#/experiments/{quote(experiment, safe='')}/models/{quote(model_id, safe='')}{MODE}"


def registered_address(name: str) -> str:
    """Page of a registered model."""
    return f"#/models/{quote(name, safe='')}{MODE}"
