"""Flow runs of the deployment `job`, on the workers of a fleet: submitted, watched, closed."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeVar, cast
from uuid import UUID

from tasks.errors import StageError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

T = TypeVar("T")

DEPLOYMENT = "job/gradmix"
DRIVER = "driver:"
"""Prefix of the tag that names the flow run that submitted a run."""

UNFINISHED = ["SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"]

End = Literal["CANCELLED", "CRASHED"]


class RunState(NamedTuple):
    """State of a run: its type, such as RUNNING, and a one-line message."""

    type: str
    message: str = ""


class Dispatch(Protocol):
    """Submits jobs to workers."""

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        """Submit a run, once per key; None if the server is unreachable."""
        ...

    def state(self, run: str) -> "RunState | None":
        """The state of a run; None if the server is unreachable."""
        ...

    def close(self, run: str, end: End, reason: str) -> None:
        """End a run that the server considers unfinished."""
        ...


class PrefectDispatch:
    """The Prefect server of PREFECT_API_URL."""

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        """Submit a run as a child of the current flow run.

        Raises:
            StageError: if the server does not know the deployment, or rejects the run.
        """
        # Imported here: plans need no Prefect, and runs configure it before importing it.
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
                # Rejected: retrying would give the same answer.
                raise StageError(
                    f"{label}: expected Prefect's server to take the job, found "
                    f"{error.response.status_code} {error.response.reason_phrase}; check "
                    "PREFECT_API_AUTH_STRING, and declare the deployments of this version with "
                    "gradmix deploy."
                ) from error
            return None
        return str(run.id)

    def state(self, run: str) -> "RunState | None":
        """The state of a run; CANCELLED if it was deleted, None without a server."""

        def ask(client: "SyncPrefectClient") -> RunState | None:
            state = client.read_flow_run(UUID(run)).state
            if state is None:
                return None
            return RunState(str(state.type.value), " ".join((state.message or "").split()))

        return _asked(ask, away=None, deleted=RunState("CANCELLED", "It was deleted."))

    def close(self, run: str, end: End, reason: str) -> None:
        """End a run that the server considers unfinished; do nothing if it is unreachable."""
        from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415

        def ask(client: "SyncPrefectClient") -> None:
            state = client.read_flow_run(UUID(run)).state
            if state is None or not state.is_final():
                ending: State[None] = State(type=StateType(end), message=reason)
                client.set_flow_run_state(run, ending, force=True)

        _asked(ask, away=None, deleted=None)

    def ask_to_stop(self, run: str) -> None:
        """Ask a run's worker to stop it; do nothing if the server is unreachable."""
        from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415

        def ask(client: "SyncPrefectClient") -> None:
            state: State[None] = State(type=StateType.CANCELLING, name="Cancelling")
            client.set_flow_run_state(run, state)

        _asked(ask, away=None, deleted=None)

    def unfinished(self, driver: str) -> list[str]:
        """Unfinished runs submitted by a flow run; none if the server is unreachable."""
        from prefect.client.schemas.filters import FlowRunFilter  # noqa: PLC0415

        chosen = FlowRunFilter.model_validate(
            {"tags": {"all_": [f"{DRIVER}{driver}"]}, "state": {"type": {"any_": UNFINISHED}}}
        )

        def ask(client: "SyncPrefectClient") -> list[str]:
            return [str(run.id) for run in client.read_flow_runs(flow_run_filter=chosen)]

        return _asked(ask, away=[], deleted=[])


def _asked(ask: Callable[["SyncPrefectClient"], T], *, away: T, deleted: T) -> T:
    """The server's answer, or `away` if it is unreachable, or `deleted` if it knows no such run."""
    from httpx import HTTPError  # noqa: PLC0415
    from prefect import get_client  # noqa: PLC0415
    from prefect.exceptions import ObjectNotFound  # noqa: PLC0415

    try:
        with get_client(sync_client=True) as client:
            return ask(client)
    except ObjectNotFound:
        return deleted
    except HTTPError:
        return away
