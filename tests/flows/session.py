"""Several commands in one process against one server: `session.py HOME STEPS.json RESULTS.json`.

A step is {"run": [words], "remove": label of the training whose model is removed before}.
RESULTS.json gets the exit code and the output of each, what was executed and what is there after
it, and what MLflow knows in the end. This imports and starts once what every
command of its own process would import and start again.
"""

import json
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from flows.cli import main
from tasks.environment import configure
from tasks.lineage import boxes, gaps
from tasks.server import prefect_server


def runs_of(home: Path) -> list[dict[str, Any]]:
    """Every run in a home folder's store, with the chain behind it."""
    from mlflow import MlflowClient

    from tasks.tracker import open_tracker

    client, tracker = MlflowClient(), open_tracker(home, "gradmix")
    experiment = client.get_experiment_by_name("gradmix")
    runs = []
    for run in client.search_runs([experiment.experiment_id]):
        models = [output.model_id for output in run.outputs.model_outputs]
        chain = tracker.lineage(models[0]) if models else None
        runs.append(
            {
                "id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "tags": run.data.tags,
                "metrics": run.data.metrics,
                "params": run.data.params,
                "data": [used.dataset.name for used in run.inputs.dataset_inputs],
                "digests": [used.dataset.digest for used in run.inputs.dataset_inputs],
                "files": [file.path for file in client.list_artifacts(run.info.run_id)],
                "gaps": gaps(chain) if chain else None,
                "behind": [[b.kind, b.name, b.facts.get("context")] for b in boxes(chain)]
                if chain
                else [],
            }
        )
    return runs


def artifacts(home: Path) -> dict[str, Any]:
    """Results by label."""
    found = [json.loads(path.read_text()) for path in home.glob("artifacts/*/*/result.json")]
    return {result["label"]: result for result in found}


def step(what: dict[str, Any], home: Path) -> dict[str, Any]:
    """Run one command."""
    if what.get("remove"):
        (home / artifacts(home)[what["remove"]]["folder"] / "model.pt").unlink()
    result = CliRunner().invoke(main, what["run"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    out, err = result.stdout.splitlines(), result.stderr.splitlines()
    executed = (home / "executions.jsonl").read_text().splitlines()
    return {
        "code": result.exit_code,
        "out": out,
        "err": err,
        "executions": [json.loads(line) for line in executed],
        "artifacts": artifacts(home),
    }


if __name__ == "__main__":
    home, steps, results = map(Path, sys.argv[1:])
    configure(home)
    with prefect_server(home):
        done = [step(what, home) for what in json.loads(steps.read_text())]
    results.write_text(json.dumps({"steps": done, "runs": runs_of(home)}))
