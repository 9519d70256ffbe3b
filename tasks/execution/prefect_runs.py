"""Flow runs of the deployment `job`, on the workers of a fleet: asked for, looked at, closed."""

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
"""Before the id of the flow run that asks, as a tag of the runs that it asks for."""

UNFINISHED = ["SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"]

End = Literal["CANCELLED", "CRASHED"]


class RunState(NamedTuple):
    """The state of a run: its type, such as RUNNING, and what it says, in one line."""

    type: str
    message: str = ""


class Dispatch(Protocol):
    """Where jobs are handed over to workers."""

    def submit(
        self, parameters: dict[str, str], key: str, label: str, tags: Sequence[str]
    ) -> str | None:
        """Ask for a run; the same key gives the same run. None while the server is away."""
        ...

    def state(self, run: str) -> "RunState | None":
        """The state of a run; None while the server is away."""
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

    def state(self, run: str) -> "RunState | None":
        """The state of a run; CANCELLED for one that was deleted, None while the server is away."""

        def ask(client: "SyncPrefectClient") -> RunState | None:
            state = client.read_flow_run(UUID(run)).state
            if state is None:
                return None
            return RunState(str(state.type.value), " ".join((state.message or "").split()))

        return _asked(ask, away=None, deleted=RunState("CANCELLED", "It was deleted."))

    def close(self, run: str, end: End, reason: str) -> None:
        """End a run that the server takes for unfinished; without the server, nothing is done."""
        from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415

        def ask(client: "SyncPrefectClient") -> None:
            state = client.read_flow_run(UUID(run)).state
            if state is None or not state.is_final():
                ending: State[None] = State(type=StateType(end), message=reason)
                client.set_flow_run_state(run, ending, force=True)

        _asked(ask, away=None, deleted=None)

    def ask_to_stop(self, run: str) -> None:
        """Have the worker of a run stop it; without the server, nothing is done."""
        from prefect.client.schemas.objects import State, StateType  # noqa: PLC0415

        def ask(client: "SyncPrefectClient") -> None:
            state: State[None] = State(type=StateType.CANCELLING, name="Cancelling")
            client.set_flow_run_state(run, state)

        _asked(ask, away=None, deleted=None)

    def unfinished(self, driver: str) -> list[str]:
        """The runs that a flow run has asked for and that have not ended; none without a server."""
        from prefect.client.schemas.filters import FlowRunFilter  # noqa: PLC0415

        chosen = FlowRunFilter.model_validate(
            {"tags": {"all_": [f"{DRIVER}{driver}"]}, "state": {"type": {"any_": UNFINISHED}}}
        )

        def ask(client: "SyncPrefectClient") -> list[str]:
            return [str(run.id) for run in client.read_flow_runs(flow_run_filter=chosen)]

        return _asked(ask, away=[], deleted=[])


def _asked(ask: Callable[["SyncPrefectClient"], T], *, away: T, deleted: T) -> T:
    """The server's answer, or what stands for it while it is away, or knows no such run."""
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
