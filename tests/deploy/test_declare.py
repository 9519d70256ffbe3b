"""Declarations on a real server: there once, however often they are made."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deploy.declare import FILE, read_deployments
from deploy.pools import DRIVERS, SLOTS
from tasks.execution.fleet_state import FleetError

ROOT = Path(__file__).parents[2]

# In a process of its own: Prefect's settings and threads are global to one.
MAIN = """
import json, os, subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from tasks.execution.environment import configure
home = Path(sys.argv[1])
configure(home)
from tasks.execution.prefect_server import prefect_server

def there(client):
    pools = {p.name: p for p in client.read_work_pools()}
    deployments = client.read_deployments()
    flows = {d.id: client.read_flow(d.flow_id).name for d in deployments}
    return {
        "pools": {name: [pool.type, pool.concurrency_limit, pool.base_job_template and
                         pool.base_job_template["variables"]["properties"]["command"]["default"]]
                  for name, pool in pools.items()},
        "deployments": {flows[d.id]: {
            "id": str(d.id), "entrypoint": d.entrypoint, "pool": d.work_pool_name,
            "parameters": d.parameters, "tags": d.tags, "description": d.description,
            "pull": d.pull_steps, "path": d.path,
            "asked": sorted(d.parameter_openapi_schema["properties"]),
            "schedules": [[s.schedule.cron, s.active] for s in d.schedules]} for d in deployments},
        "automations": {a["name"]: [a["id"], a["trigger"]["id"], a["enabled"]] for a in
                        client.request("POST", "/automations/filter", json={}).json()},
        "count": [len(deployments), len(client.read_automations())],
    }

with prefect_server(home):
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolUpdate
    from prefect.workers.process import ProcessWorker
    from deploy.automations import automations
    from deploy.declare import declare, online, read_deployments
    wanted = read_deployments()
    found = {"ids": []}
    with get_client(sync_client=True) as client:
        for turn in ("first", "second", "third"):
            declared = declare(wanted)
            found["ids"].append([str(i) for i in [*declared.deployments.values(),
                                                  *declared.automations.values()]])
            found[turn] = there(client)
            if turn == "first":
                reproduce = client.read_deployment_by_name("reproduce/gradmix")
                client.update_deployment_schedule(
                    reproduce.id, reproduce.schedules[0].id, active=True)
                client.pause_automation(client.read_automations()[0].id)
            if turn == "second":
                # Two declarations at the same moment make two: Prefect lets names occur twice.
                for twin in automations(declared.deployments):
                    client.create_automation(twin)
                client.update_work_pool("gradmix", WorkPoolUpdate(concurrency_limit=1))
                # As earlier versions declared it, and as a worker of Prefect's makes it.
                template = ProcessWorker.get_default_base_job_template()
                client.update_work_pool(
                    "gradmix-slots", WorkPoolUpdate(base_job_template=template))
        found["online"] = sorted(online(datetime.min.replace(tzinfo=UTC)))
        for yaml in sys.argv[2:]:
            done = subprocess.run(
                [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all",
                 "--prefect-file", yaml], cwd=home, capture_output=True, text=True)
            found["cli"] = [done.returncode, done.stdout[-2000:] + done.stderr[-2000:]]
            found["by prefect"] = there(client)
print(json.dumps(found))
"""


def declared(home, *files):
    """What is there after three declarations, and after Prefect's own command with the files."""
    hidden = ("PREFECT_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", MAIN, str(home), *map(str, files)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What is there after three declarations."""
    return declared(tmp_path_factory.mktemp("home"))


@pytest.mark.flow
def test_drivers_are_tethered_and_limited_and_the_pool_of_slots_has_no_job_template(found):
    tethered = (
        "python -P -m gradmix_launcher tasks.execution.parent_death worker "
        "python -P -m gradmix_launcher prefect.engine"
    )
    assert found["first"]["pools"] == {
        DRIVERS: ["process", 4, tethered],
        SLOTS: ["process", None, {}],
    }


@pytest.mark.flow
def test_deployments_import_installed_modules_and_pull_nothing(found):
    deployments = found["first"]["deployments"]
    assert {name: [d["entrypoint"], d["pool"]] for name, d in deployments.items()} == {
        "reproduce": ["flows.reproduce.reproduce", DRIVERS],
        "cell": ["flows.rerun.cell", DRIVERS],
        "extract": ["flows.extract.extract", DRIVERS],
        "report": ["flows.report.report", DRIVERS],
        "job": ["flows.job.job", SLOTS],
    }
    assert all((d["pull"], d["path"]) == ([], None) for d in deployments.values())
    assert {"experiment", "scale", "home"} <= set(deployments["reproduce"]["asked"])
    assert deployments["reproduce"]["schedules"] == [["0 3 * * 6", False]]


@pytest.mark.flow
def test_declaring_again_keeps_every_id_and_removes_twins(found):
    first, second, third = found["ids"]
    assert first == second == third
    assert [found[turn]["count"] for turn in ("first", "second", "third")] == [[5, 3]] * 3


@pytest.mark.flow
def test_an_automation_that_is_unchanged_goes_on_waiting_for_the_runs_that_it_knows(found):
    # An update gives the trigger another id, and what it has counted is gone.
    triggers = [
        {name: trigger for name, (_, trigger, _) in found[turn]["automations"].items()}
        for turn in ("first", "second", "third")
    ]
    assert triggers[0] == triggers[1] == triggers[2]


@pytest.mark.flow
def test_what_the_operator_has_switched_stays_and_limits_are_restored(found):
    for turn in ("second", "third"):
        assert found[turn]["deployments"]["reproduce"]["schedules"] == [["0 3 * * 6", True]]
        enabled = [on for *_, on in found[turn]["automations"].values()]
        assert sorted(enabled) == [False, True, True]
    assert found["third"]["pools"] == found["first"]["pools"]


@pytest.mark.flow
@pytest.mark.slow
def test_prefects_own_command_declares_the_same_deployments(tmp_path):
    found = declared(tmp_path, ROOT / "deploy" / FILE)
    assert found["cli"][0] == 0, found["cli"][1]
    told = ("id", "entrypoint", "pool", "parameters", "tags", "description", "asked")
    ours, theirs = (
        {name: [d[key] for key in told] for name, d in found[by]["deployments"].items()}
        for by in ("first", "by prefect")
    )
    assert theirs == ours
    assert found["by prefect"]["deployments"]["reproduce"]["schedules"] == [["0 3 * * 6", False]]


@pytest.mark.flow
def test_nobody_is_online_where_no_worker_runs(found):
    assert found["online"] == []


def test_every_schedule_is_inactive_until_somebody_switches_it_on():
    schedules = [schedule for row in read_deployments() for schedule in row["schedules"]]
    assert schedules
    assert not any(schedule["active"] for schedule in schedules)


def test_the_file_names_no_place_of_this_machine():
    text = (ROOT / "deploy" / FILE).read_text(encoding="utf-8")
    assert yaml.safe_load(text)["pull"] == []
    assert "/home" not in text
    assert str(ROOT) not in text


def test_without_a_server_one_line_says_what_to_do(monkeypatch):
    from deploy.declare import declare

    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    with pytest.raises(FleetError, match=r"PREFECT_API_URL, found neither; start one with"):
        declare([])
