"""Which processes make up a fleet."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from deploy import services as module
from deploy.options import Options
from deploy.services import servers, workers
from tasks.execution.slots import Slot, SlotPool

HOST = socket.gethostname()
HOME = Path("/srv/runs")


@pytest.fixture
def gpus(monkeypatch):
    pool = SlotPool([Slot("cuda:0", "GPU-aa"), Slot("cuda:1", "GPU-bb")])
    monkeypatch.setattr(module.SlotPool, "of_this_machine", lambda limit, per_gpu: pool)


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in ("MLFLOW_BACKEND_STORE_URI", "PREFECT_UI_API_URL"):
        monkeypatch.delenv(name, raising=False)


def test_one_worker_for_reproductions_and_one_for_all_slots(gpus):
    driver, slots = workers(Options(HOME))

    assert (driver.name, driver.pool, driver.slots) == (f"{HOST}-driver", "gradmix", ())
    assert driver.command[driver.command.index("--limit") + 1] == "4"
    assert (slots.name, slots.pool) == (f"{HOST}-slots", "gradmix-slots")
    wanted = [Slot(f"{HOST}-cuda:0", "GPU-aa"), Slot(f"{HOST}-cuda:1", "GPU-bb")]
    assert list(slots.slots) == wanted
    module_name, told = slots.command[-2:]
    assert module_name == "deploy.host_runner"
    assert [Slot(**fields) for fields in json.loads(told)] == wanted
    # Each job's process sees its own device; the workers themselves see all.
    assert not {"CUDA_VISIBLE_DEVICES"} & {*driver.variables, *slots.variables}


def test_a_core_slot_sees_no_gpu():
    _, worker = workers(Options(HOME, workers=1))

    assert worker.slots == (Slot(f"{HOST}-cpu:0"),)


def test_several_slots_share_a_gpu_if_asked_to(monkeypatch):
    monkeypatch.setattr("tasks.execution.slots.usable_devices", lambda: ["GPU-aa", "GPU-bb"])
    _, worker = workers(Options(HOME, workers=3, slots_per_gpu=2))

    # Every GPU has a slot before one has two.
    assert [(slot.name.removeprefix(f"{HOST}-"), slot.device) for slot in worker.slots] == [
        ("cuda:0.0", "GPU-aa"),
        ("cuda:1.0", "GPU-bb"),
        ("cuda:0.1", "GPU-aa"),
    ]


def test_no_slots_no_worker_for_them():
    assert [worker.pool for worker in workers(Options(HOME, workers=0))] == ["gradmix"]


def test_workers_know_home_servers_and_python(gpus):
    for worker in workers(Options(HOME, prefect_port=4201, mlflow_port=5001)):
        assert worker.variables["GRADMIX_HOME"] == "/srv/runs"
        assert worker.variables["PREFECT_API_URL"] == "http://127.0.0.1:4201/api"
        assert worker.variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5001"
        assert worker.variables["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
        # Prefect takes no shorter one; the zombie automation waits for six.
        assert worker.variables["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"


def test_a_host_that_joins_has_slots_only(gpus):
    options = Options(HOME, join="http://other:4200")

    assert servers(options) == []
    found = workers(options)
    assert [worker.pool for worker in found] == ["gradmix-slots"]
    assert {worker.variables["PREFECT_API_URL"] for worker in found} == {"http://other:4200/api"}
    assert all("MLFLOW_TRACKING_URI" not in worker.variables for worker in found)


def test_mlflow_stays_on_loopback_and_takes_no_files(monkeypatch):
    _, mlflow = servers(Options(HOME, host="10.0.0.1"))

    assert mlflow.command[mlflow.command.index("--host") + 1] == "127.0.0.1"
    assert mlflow.health.startswith("http://127.0.0.1:5000/")
    assert mlflow.variables["_MLFLOW_SERVER_FILE_STORE"] == "sqlite:////srv/runs/mlflow.db"
    assert mlflow.variables["_MLFLOW_SERVER_ARTIFACT_ROOT"] == "file:///srv/runs/mlartifacts"
    assert "_MLFLOW_SERVER_SERVE_ARTIFACTS" not in mlflow.variables
    hosts = mlflow.variables["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {host.partition(":")[0] for host in hosts} == {"localhost", "127.0.0.1"}

    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", "postgresql://db/mlflow")
    _, mlflow = servers(Options(HOME))
    assert mlflow.variables["_MLFLOW_SERVER_FILE_STORE"] == "postgresql://db/mlflow"


def test_mlflow_reads_the_variables_that_we_set():
    pytest.importorskip("mlflow")
    from mlflow import environment_variables as public
    from mlflow.server import constants

    assert constants.BACKEND_STORE_URI_ENV_VAR == "_MLFLOW_SERVER_FILE_STORE"
    assert constants.ARTIFACT_ROOT_ENV_VAR == "_MLFLOW_SERVER_ARTIFACT_ROOT"
    assert constants.SERVE_ARTIFACTS_ENV_VAR == "_MLFLOW_SERVER_SERVE_ARTIFACTS"
    assert public.MLFLOW_SERVER_ALLOWED_HOSTS.name == "MLFLOW_SERVER_ALLOWED_HOSTS"
    assert public.MLFLOW_SERVER_ENABLE_JOB_EXECUTION.name == "MLFLOW_SERVER_ENABLE_JOB_EXECUTION"
    assert public._MLFLOW_SGI_NAME.name == "_MLFLOW_SGI_NAME"


def test_prefect_listens_where_it_is_told_and_calls_nobody():
    prefect, _ = servers(Options(HOME, host="10.0.0.1", prefect_port=4201))

    assert prefect.command[prefect.command.index("--host") + 1] == "10.0.0.1"
    assert prefect.command[prefect.command.index("--port") + 1] == "4201"
    assert prefect.health == "http://10.0.0.1:4201/api/health"
    assert prefect.variables["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert prefect.variables["DO_NOT_TRACK"] == "1"
    # What a single local run switches off, a fleet needs: schedules, triggers, events.
    services = [name for name in prefect.variables if name.startswith("PREFECT_SERVER_SERVICES")]
    assert services == ["PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED"]


def test_events_are_not_held_back_for_those_that_a_dead_server_saw():
    # Prefect's own ordering would wait 15 minutes for them.
    import asyncio
    from datetime import UTC, datetime
    from uuid import uuid4

    from prefect.server.events.ordering import get_triggers_causal_ordering
    from prefect.server.events.schemas.events import ReceivedEvent
    from prefect.settings import PREFECT_SERVER_EVENTS_CAUSAL_ORDERING, temporary_settings

    prefect, _ = servers(Options(HOME))
    named = prefect.variables["PREFECT_SERVER_EVENTS_CAUSAL_ORDERING"]
    event = ReceivedEvent(
        id=uuid4(),
        occurred=datetime.now(UTC),
        event="prefect.flow-run.Crashed",
        resource={"prefect.resource.id": "prefect.flow-run.1"},
        follows=uuid4(),
    )
    handled = []

    async def handle():
        async with get_triggers_causal_ordering().preceding_event_confirmed(None, event):
            handled.append(event.id)

    with temporary_settings({PREFECT_SERVER_EVENTS_CAUSAL_ORDERING: named}):
        asyncio.run(handle())

    assert handled == [event.id]
