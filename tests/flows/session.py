"""Several commands in one process against one server: `session.py HOME STEPS.json RESULTS.json`.

A step is {"run": [words], "remove": label of the training whose model is removed before, "spoil":
pattern of the files that are damaged before}. The word NAME stands for the reproduction's name.
RESULTS.json gets the exit code and the output of each, what was executed and what is there after
it, what MLflow and Prefect know in the end, and what becomes of jobs that are asked for. This
imports and starts once what every command of its own process would import and start again: also the
server, and the process from which jobs are forked.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from deploy.cli import main
from flows.cli.commands import reproduce
from tasks.execution.environment import configure
from tasks.execution.prefect_server import prefect_server
from tasks.execution.template import Template
from tasks.storage.home import open_home
from tasks.tracking.lineage.graph import boxes, gaps
from tasks.tracking.tracker import open_tracker

NAME = "NAME"


class Kept(Template):
    """A template that one command leaves to the next."""

    def __exit__(self, *_: object) -> None:
        """Keep it."""

    def end(self) -> None:
        """End it."""
        super().__exit__(None, None, None)


def runs_of(home: Path) -> list[dict[str, Any]]:
    """Every run in a home folder's store, with the chain behind it."""
    from mlflow import MlflowClient

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
                "models": [
                    used.model_id for used in client.get_run(run.info.run_id).inputs.model_inputs
                ],
                "made": models,
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
    for path in home.glob(what.get("spoil", "")) if "spoil" in what else ():
        path.write_text("{", encoding="utf-8")
    named = [path.name for path in (home / "reproductions").glob("*")]
    words = [named[0] if word == NAME else word for word in what["run"]]
    result = CliRunner().invoke(main, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    out, err = result.stdout.splitlines(), result.stderr.splitlines()
    # For the log that a failing test shows.
    sys.stderr.write("\n".join([f"gradmix {shlex.join(words)}: {result.exit_code}", *err, ""]))
    log = home / "executions.jsonl"
    executed = log.read_text().splitlines() if log.exists() else []
    return {
        "code": result.exit_code,
        "out": out,
        "err": err,
        "executions": [json.loads(line) for line in executed],
        "artifacts": artifacts(home),
    }


def flow_runs() -> list[list[Any]]:
    """Every flow run of a reproduction, oldest first: state, its message, tasks Prefect cached."""
    from prefect import get_client
    from prefect.client.schemas.filters import FlowFilter, FlowRunFilter, TaskRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    chosen = FlowFilter.model_validate({"name": {"any_": ["reproduce"]}})
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_filter=chosen, sort=FlowRunSort.START_TIME_ASC)
        cached = [
            client.read_task_runs(
                flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [run.id]}}),
                task_run_filter=TaskRunFilter.model_validate(
                    {"state": {"name": {"any_": ["Cached"]}}}
                ),
            )
            for run in runs
        ]
    return [
        [run.state.type.value, run.state.message, [task.name for task in tasks]]
        for run, tasks in zip(runs, cached, strict=True)
    ]


def jobs() -> dict[str, Any]:
    """Two jobs that no worker takes: asked for, asked for again, closed, deleted."""
    from prefect import flow, get_client

    from tasks.errors import StageError
    from tasks.execution.prefect_runs import PrefectDispatch

    dispatch, told = PrefectDispatch(), {}
    try:
        dispatch.submit({}, "key-0", "k=2 draw=0", [])
    except StageError as error:
        told["undeclared"] = str(error)
    with get_client(sync_client=True) as client:
        client.create_deployment(client.create_flow_from_name("job"), "gradmix")

    @flow(name="driver")
    def driver() -> list[str | None]:
        given = [("key-1", ["driver:1"]), ("key-1", ["driver:1"]), ("key-2", ["driver:1"])]
        return [dispatch.submit({"key": key}, key, "k=2 draw=0", tags) for key, tags in given]

    first, same, second = driver()
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(first)
        told["same"], told["others"] = first == same, first != second
        told["run"] = [run.name, run.tags, run.parameters, run.parent_task_run_id is not None]
        told["unfinished"] = sorted(dispatch.unfinished("1")) == sorted([first, second])
        told["waiting"] = dispatch.state(first)
        dispatch.close(first, "CRASHED", "lost")
        dispatch.close(first, "CANCELLED", "too late")
        told["closed"] = dispatch.state(first)
        told["left"] = dispatch.unfinished("1") == [second]
        client.delete_flow_run(second)
        dispatch.close(second, "CRASHED", "lost")
        told["deleted"] = [dispatch.state(second), dispatch.unfinished("1")]
    return told


if __name__ == "__main__":
    home, steps, results = map(Path, sys.argv[1:])
    configure(open_home(home))
    kept = Kept()
    reproduce.Template = lambda: kept
    with prefect_server(home):
        done = [step(what, home) for what in json.loads(steps.read_text())]
        known = {"flow_runs": flow_runs(), "jobs": jobs()}
    kept.end()
    champion = open_tracker(home, "gradmix").find("champion")
    told = {"steps": done, "runs": runs_of(home), "champion": champion, **known}
    results.write_text(json.dumps(told))
