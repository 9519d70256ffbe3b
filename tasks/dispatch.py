"""Flow runs of the deployment `job`, on the workers of a fleet: asked for, looked at, closed."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol, cast
from uuid import UUID

from tasks.errors import StageError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

DEPLOYMENT = "job/gradmix"
DRIVER = "driver:"
"""Before the id of the flow run that asks, as a tag of the runs that it asks for."""

UNFINISHED = ["SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"]

End = Literal["CANCELLED", "CRASHED"]


class Dispatch(Protocol):
    """Where jobs are handed over to workers."""

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        """Ask for a run; the same key gives the same run. None while the server is away."""
        ...

    def state(self, run: str) -> str | None:
        """The type of a run's state, such as RUNNING; None while the server is away."""
        ...

    def said(self, run: str) -> str:
        """The message of a run's state; empty if there is none, or while the server is away."""
        ...

    def close(self, run: str, end: End, reason: str) -> None:
        """End a run that the server takes for unfinished."""
        ...


class PrefectDispatch:
    """The Prefect server of PREFECT_API_URL."""

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        """Ask for a run, as a child of the flow run that is under way.

        Raises:
            StageError: if the server knows no deployment of that name, or refuses.
        """
        # Here, not on top: a plan needs no Prefect, and a run configures it before its import.
        from httpx import HTTPError, HTTPStatusError  # noqa: PLC0415
        from prefect.deployments import run_deployment  # noqa: PLC0415
        from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

        try:
            run = cast(
                "FlowRun",
                run_deployment(
                    DEPLOYMENT,
                    parameters=dict(parameters),
                    idempotency_key=key,
                    flow_run_name=label,
                    tags=list(tags),
                    timeout=0,
                ),
            )
        except ObjectNotFound as error:
            raise StageError(
                f"expected the deployment {DEPLOYMENT} on Prefect's server, found none; declare it "
                "with gradmix deploy."
            ) from error
        except HTTPError as error:
            if isinstance(error, HTTPStatusError) and error.response.is_client_error:
                # A refusal: to ask again gives the same.
                raise StageError(
                    f"{label}: expected Prefect's server to take the job, found "
                    f"{error.response.status_code} {error.response.reason_phrase}; check "
                    "PREFECT_API_AUTH_STRING, and declare the deployments of this version with "
                    "gradmix deploy."
                ) from error
            return None
        return str(run.id)

    def state(self, run: str) -> str | None:
        """The type of a run's state; CANCELLED for a run that was deleted."""
        from httpx import HTTPError  # noqa: PLC0415
        from prefect import get_client  # noqa: PLC0415
        from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(UUID(run)).state
        except ObjectNotFound:
            return "CANCELLED"
        except HTTPError:
            return None
        return None if state is None else str(state.type.value)

    def said(self, run: str) -> str:
        """The message of a run's state; empty if there is none, or while the server is away."""
        from httpx import HTTPError  # noqa: PLC0415
        from prefect import get_client  # noqa: PLC0415
        from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

        try:
            with get_client(sync_client=True) as client:
                state = client.read_flow_run(UUID(run)).state
        except (HTTPError, ObjectNotFound):
            return ""
        return "" if state is None else " ".join((state.message or "").split())

    def close(self, run: str, end: End, reason: str) -> None:
        """End a run that the server takes for unfinished; without the server, nothing is done."""
        from httpx import HTTPError  # noqa: PLC0415
        from prefect import get_client  # noqa: PLC0415
        from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415
        from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

        with (
            contextlib.suppress(HTTPError, ObjectNotFound),
            get_client(sync_client=True) as client,
        ):
            state = client.read_flow_run(UUID(run)).state
            if state is None or not state.is_final():
                ending: State[None] = State(type=StateType(end), message=reason)
                client.set_flow_run_state(run, ending, force=True)

    def ask_to_stop(self, run: str) -> None:
        """Have the worker of a run stop it."""
        from httpx import HTTPError  # noqa: PLC0415
        from prefect import get_client  # noqa: PLC0415
        from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415
        from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

        with (
            contextlib.suppress(HTTPError, ObjectNotFound),
            get_client(sync_client=True) as client,
        ):
            state: State[None] = State(type=StateType.CANCELLING, name="Cancelling")
            client.set_flow_run_state(run, state)

    def unfinished(self, driver: str) -> list[str]:
        """The runs that a flow run has asked for and that have not ended; none without a server."""
        from httpx import HTTPError  # noqa: PLC0415
        from prefect import get_client  # noqa: PLC0415
        from prefect.client.schemas.filters import FlowRunFilter  # noqa: PLC0415

        chosen = FlowRunFilter.model_validate(
            {"tags": {"all_": [f"{DRIVER}{driver}"]}, "state": {"type": {"any_": UNFINISHED}}}
        )
        try:
            with get_client(sync_client=True) as client:
                return [str(run.id) for run in client.read_flow_runs(flow_run_filter=chosen)]
        except HTTPError:
            return []
