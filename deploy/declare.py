"""Declares work pools, deployments and automations; declaring them again is harmless."""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

import yaml
from httpx import HTTPError
from prefect.automations import AutomationCore
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import WorkerStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.flows import Flow, load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from deploy.automations import automations
from deploy.pools import POOLS, Pool
from tasks.execution.fleet_state import FleetError
from tasks.execution.parent_death import LAUNCHER, WORKER
from tasks.redaction import redacted

FILE = "prefect.yaml"
_PYTHON = ["python", "-P", "-m", LAUNCHER]
ENGINE = [*_PYTHON, "prefect.engine"]
TETHERED = shlex.join([*_PYTHON, "tasks.execution.parent_death", WORKER, *ENGINE])
"""Command by which a worker starts a flow run that dies with the worker."""


@dataclass(frozen=True)
class Declared:
    """Ids on the server: deployments by flow name, automations by name."""

    deployments: Mapping[str, UUID]
    automations: Mapping[str, UUID]


def read_deployments() -> list[dict[str, Any]]:
    """The deployments of prefect.yaml."""
    text = files("deploy").joinpath(FILE).read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)["deployments"]
    return found


def declare(deployments: Sequence[Mapping[str, Any]]) -> Declared:
    """Declare everything on the server of PREFECT_API_URL.

    What exists is updated under the same id. Schedules are left alone: whether they are active is
    up to the operator.

    Args:
        deployments: value of `read_deployments`.

    Raises:
        FleetError: if there is no server, or it rejects the request.
    """
    with _talking(_api_url()), get_client(sync_client=True) as client:
        for pool in POOLS:
            _declare_pool(client, pool)
        ids = dict(_declare_deployment(client, wanted) for wanted in deployments)
        return Declared(ids, _declare_automations(client, ids))


def online(since: datetime) -> set[str]:
    """Names of the workers, in both pools, that have sent a heartbeat since a time.

    Raises:
        FleetError: if the server cannot be reached.
    """
    with _talking(_api_url()), get_client(sync_client=True) as client:
        found = [w for pool in POOLS for w in client.read_workers_for_work_pool(pool.name)]
    return {
        worker.name
        for worker in found
        if worker.status == WorkerStatus.ONLINE
        and worker.last_heartbeat_time is not None
        and worker.last_heartbeat_time >= since
    }


def _api_url() -> str:
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        raise FleetError(
            "expected a running fleet or PREFECT_API_URL, found neither; start one with gradmix up."
        )
    return url


@contextmanager
def _talking(url: str) -> Iterator[None]:
    try:
        yield
    except (HTTPError, PrefectException) as error:
        raise FleetError(
            f"expected Prefect's server at {redacted(url)} to answer, found "
            f"{type(error).__name__}: {redacted(str(error))}; "
            "check that it runs, and PREFECT_API_AUTH_STRING."
        ) from error


def _declare_pool(client: SyncPrefectClient, pool: Pool) -> None:
    template = {}
    if pool.processes:
        template = ProcessWorker.get_default_base_job_template()
        template["variables"]["properties"]["command"]["default"] = TETHERED
    wanted = WorkPoolCreate(
        name=pool.name,
        description=pool.description,
        type=ProcessWorker.type,
        base_job_template=template,
        concurrency_limit=pool.limit,
    )
    client.create_work_pool(wanted, overwrite=True)


def _declare_deployment(client: SyncPrefectClient, wanted: Mapping[str, Any]) -> tuple[str, UUID]:
    # Without the flag, a module that cannot be imported would give an empty flow.
    flow: Flow[..., Any] = load_flow_from_entrypoint(
        wanted["entrypoint"], use_placeholder_flow=False
    )
    schedules = [_schedule(row) for row in wanted["schedules"]]
    there = _find(client, f"{flow.name}/{wanted['name']}")
    if there is not None:
        kept = {"schedule", "active", "max_scheduled_runs", "parameters", "slug"}
        schedules = [row.model_dump(include=kept) for row in there.schedules]
    key = client.create_deployment(
        flow_id=client.create_flow(flow),
        name=wanted["name"],
        entrypoint=wanted["entrypoint"],
        description=wanted["description"],
        tags=wanted["tags"],
        parameters=wanted["parameters"],
        parameter_openapi_schema=parameter_schema(flow).model_dump(),
        enforce_parameter_schema=True,
        work_pool_name=wanted["work_pool"]["name"],
        pull_steps=[],
        schedules=[DeploymentScheduleCreate.model_validate(row) for row in schedules],
    )
    return flow.name, key


def _find(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _schedule(row: Mapping[str, Any]) -> dict[str, Any]:
    """A schedule in the form of Prefect's API: its times, and whether it is active."""
    when = {key: value for key, value in row.items() if key != "active"}
    return {"schedule": when, "active": row["active"]}


def _declare_automations(
    client: SyncPrefectClient, deployments: Mapping[str, UUID]
) -> dict[str, UUID]:
    ids = {}
    for wanted in automations(deployments):
        # The most recently changed come first.
        found = client.read_automations_by_name(wanted.name)
        for twin in found[:-1]:
            client.delete_automation(twin.id)
        if not found:
            ids[wanted.name] = client.create_automation(wanted)
            continue
        there = found[-1]
        ids[wanted.name] = there.id
        # Only if necessary: an update makes Prefect forget which runs it waits for.
        if _facts(there) != _facts(wanted):
            # Whether it is enabled is up to the operator too.
            kept = wanted.model_copy(update={"enabled": there.enabled})
            client.update_automation(there.id, kept)
    return ids


def _facts(automation: AutomationCore) -> dict[str, Any]:
    """What an automation does, without its id and dates."""
    facts = automation.model_dump(
        mode="json", include={"description": True, "trigger": True, "actions": True}
    )
    for name in ("after", "expect", "for_each"):
        facts["trigger"][name] = sorted(facts["trigger"][name])
    return facts
