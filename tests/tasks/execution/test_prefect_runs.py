"""Flow runs on workers, asked for through Prefect's client; a real server: tests/flows."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock
from uuid import uuid4

import httpx
import pytest
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Completed, Crashed, Failed, Pending, Running, Scheduled

from tasks.errors import StageError
from tasks.execution.prefect_runs import UNFINISHED, PrefectDispatch, RunState

RUN = str(uuid4())


def answered(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://prefect/api")
    return httpx.HTTPStatusError(str(code), request=request, response=httpx.Response(code))


AWAY = [
    httpx.ConnectError("connection refused"),
    httpx.ReadTimeout("too slow"),
    answered(503),
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """In place of Prefect's `run_deployment`."""
    asked = MagicMock(return_value=SimpleNamespace(id=RUN))
    monkeypatch.setattr("prefect.deployments.run_deployment", asked)
    return asked


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """In place of Prefect's client."""
    client = MagicMock()
    monkeypatch.setattr("prefect.get_client", lambda sync_client: nullcontext(client))
    return client


def submit() -> str | None:
    return PrefectDispatch().submit({"name": "train"}, "key-1", "k=3 draw=0", ("digits", "x"))


def test_a_run_is_asked_for_by_its_key_and_not_waited_for(asked: MagicMock) -> None:
    assert submit() == RUN

    asked.assert_called_once_with(
        "job/gradmix",
        parameters={"name": "train"},
        idempotency_key="key-1",
        flow_run_name="k=3 draw=0",
        tags=["digits", "x"],
        timeout=0,
    )


@pytest.mark.parametrize("error", AWAY)
def test_a_server_that_is_away_is_no_error(
    asked: MagicMock, client: MagicMock, error: Exception
) -> None:
    asked.side_effect = client.read_flow_run.side_effect = error
    client.read_flow_runs.side_effect = error
    dispatch = PrefectDispatch()

    assert submit() is None
    assert dispatch.state(RUN) is None
    assert dispatch.unfinished(RUN) == []
    dispatch.close(RUN, "CRASHED", "lost")

    client.set_flow_run_state.assert_not_called()


def test_a_server_without_the_deployment_is_one_line(asked: MagicMock) -> None:
    asked.side_effect = ObjectNotFound(httpx.HTTPError("404"))

    with pytest.raises(StageError, match=r"^[^\n]*job/gradmix[^\n]*found none; [^\n]*$"):
        submit()


@pytest.mark.parametrize("code", [401, 409, 422])
def test_a_refusal_is_one_line_and_no_absence(asked: MagicMock, code: int) -> None:
    asked.side_effect = answered(code)

    with pytest.raises(StageError, match=rf"^k=3 draw=0: [^\n]*found {code} [^\n]*$"):
        submit()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Scheduled(), "SCHEDULED"),
        (Pending(), "PENDING"),
        (Running(), "RUNNING"),
        (Completed(), "COMPLETED"),
        (Failed(), "FAILED"),
        (Crashed(), "CRASHED"),
        (Cancelled(), "CANCELLED"),
        (None, None),
    ],
)
def test_a_state_is_its_type(client: MagicMock, state: Any, expected: str | None) -> None:
    client.read_flow_run.return_value = SimpleNamespace(state=state)

    found = PrefectDispatch().state(RUN)
    assert (found and found.type) == expected
    # What has not ended is exactly what Prefect does not call final.
    if state is not None:
        assert (expected in UNFINISHED) == (not state.is_final())


def test_a_run_that_was_deleted_is_cancelled(client: MagicMock) -> None:
    client.read_flow_run.side_effect = ObjectNotFound(httpx.HTTPError("404"))
    dispatch = PrefectDispatch()

    assert dispatch.state(RUN) == RunState("CANCELLED", "It was deleted.")
    dispatch.close(RUN, "CRASHED", "lost")


@pytest.mark.parametrize("end", ["CANCELLED", "CRASHED"])
@pytest.mark.parametrize(
    ("state", "closed"),
    [(Running(), True), (Scheduled(), True), (None, True), (Completed(), False), (Failed(), False)],
)
def test_only_what_has_not_ended_is_closed(
    client: MagicMock, state: Any, closed: bool, end: Any
) -> None:
    client.read_flow_run.return_value = SimpleNamespace(state=state)

    PrefectDispatch().close(RUN, end, "its process is gone")

    if closed:
        [call] = client.set_flow_run_state.call_args_list
        assert str(call.args[0]) == RUN
        assert (call.args[1].type.value, call.args[1].message) == (end, "its process is gone")
        assert call.kwargs == {"force": True}
    else:
        client.set_flow_run_state.assert_not_called()


def test_runs_of_a_driver_are_found_by_its_tag(client: MagicMock) -> None:
    client.read_flow_runs.return_value = [SimpleNamespace(id=name) for name in ("a", "b")]

    assert PrefectDispatch().unfinished("42") == ["a", "b"]

    chosen = client.read_flow_runs.call_args.kwargs["flow_run_filter"]
    assert chosen.tags.all_ == ["driver:42"]
    assert {kind.value for kind in chosen.state.type.any_} == set(UNFINISHED)


def test_what_a_state_says_is_one_line_or_nothing(client: MagicMock) -> None:
    client.read_flow_run.return_value.state = Failed(message="OSError:\n No space")
    assert PrefectDispatch().state(RUN) == RunState("FAILED", "OSError: No space")
    client.read_flow_run.return_value.state = Running(message=None)
    assert PrefectDispatch().state(RUN) == RunState("RUNNING", "")
