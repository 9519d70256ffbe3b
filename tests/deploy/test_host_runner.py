"""One process that runs the jobs of all slots of a host, with a stand-in for Prefect's server."""

import threading
from types import SimpleNamespace
from typing import NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest
from prefect.exceptions import Abort, ObjectNotFound
from prefect.states import Cancelled, Cancelling, Completed, Crashed, Pending, Running

from deploy import host_runner as module
from deploy.host_runner import HostRunner
from flows.job import PLACE, EndedEarlyError
from tasks.execution.launch import fresh
from tasks.execution.slots import Slot

SLOTS = [Slot("h-cpu:0"), Slot("h-cuda:0", "GPU-aa")]
OURS, THEIRS = uuid4(), uuid4()


class Run(NamedTuple):
    """A flow run that waits."""

    id: UUID
    deployment_id: UUID | None


class Server:
    """What a runner asks for, and what it is told."""

    def __init__(self):
        self.waiting, self.claimed, self.states, self.workers = [], {}, {}, []
        self.taken_elsewhere, self.error = set(), None

    def add(self, deployment=OURS):
        run = Run(uuid4(), deployment)
        self.waiting.append(run)
        return run

    def send_worker_heartbeat(self, pool, name, interval):
        if self.error:
            raise self.error
        assert (pool, interval) == ("gradmix-slots", 30.0)
        self.workers.append(name)

    def get_scheduled_flow_runs_for_work_pool(self, pool, scheduled_before):
        assert scheduled_before.tzinfo is not None
        if self.error:
            raise self.error
        assert pool == "gradmix-slots"
        return [SimpleNamespace(flow_run=run) for run in self.waiting]

    def read_deployment(self, key):
        if key not in (OURS, THEIRS):
            raise ObjectNotFound(httpx.HTTPError("gone"))
        return SimpleNamespace(entrypoint="flows.job.job" if key == OURS else "mine.py:flow")

    def set_flow_run_state(self, key, state, force):
        assert (state.is_scheduled(), force) == (True, True)
        self.waiting.append(self.claimed.pop(key))

    def read_flow_runs(self, flow_run_filter):
        if self.error:
            raise self.error
        states = {key: self.states.get(key, Running()) for key in flow_run_filter.id.any_}
        return [SimpleNamespace(id=k, state=state) for k, state in states.items() if state]


@pytest.fixture
def server(monkeypatch):
    server = Server()

    def propose(client, state, flow_run_id):
        assert client is server
        assert state.is_pending()
        if flow_run_id in server.taken_elsewhere:
            raise Abort("another host was quicker")
        (claimed,) = (run for run in server.waiting if run.id == flow_run_id)
        server.waiting.remove(claimed)
        server.claimed[flow_run_id] = claimed
        return Pending()

    monkeypatch.setattr(module, "propose_state_sync", propose)
    return server


@pytest.fixture
def jobs(monkeypatch):
    """Jobs that run until they are let go or ended, by run: where, and how they ended."""
    found = {}

    def run_flow(flow, flow_run, return_type):
        assert (flow, return_type) == (module.job, "state")
        mine = SimpleNamespace(place=PLACE.get(), go=threading.Event(), end=None)
        found[flow_run.id] = mine
        while not mine.go.wait(0.01):
            try:
                mine.place.check()
            except EndedEarlyError as error:
                mine.end = error.state
                return
        if mine.end == "error":
            raise RuntimeError("the server went away in the middle")

    monkeypatch.setattr(module, "run_flow", run_flow)
    yield found
    for mine in found.values():
        mine.go.set()


@pytest.fixture
def runner(server):
    return HostRunner(SLOTS, server, fresh, query_s=0.0)


def refusal(status):
    request = httpx.Request("GET", "http://h")
    return httpx.HTTPStatusError("no", request=request, response=httpx.Response(status))


def ended(runner):
    for one in list(runner._jobs.values()):
        one.join(10)
        assert not one.is_alive()


def started(jobs, count):
    deadline = threading.Event()
    for _ in range(1000):
        if len(jobs) == count:
            return
        deadline.wait(0.01)
    pytest.fail(f"expected {count} jobs, found {len(jobs)}")


def test_every_free_slot_takes_one_run_and_the_next_waits_for_a_free_one(server, jobs, runner):
    first, second, third = (server.add() for _ in range(3))
    runner.poll()
    started(jobs, 2)
    assert server.waiting == [third]
    assert {jobs[run.id].place.slot for run in (first, second)} == set(SLOTS)
    assert {mine.place.launch for mine in jobs.values()} == {fresh}

    jobs[second.id].go.set()
    runner._jobs[second.id].join(10)
    runner.poll()
    started(jobs, 3)
    assert jobs[third.id].place.slot == jobs[second.id].place.slot
    assert server.waiting == []


def test_the_end_of_a_job_is_seen_at_once(server, jobs, monkeypatch):
    runner = HostRunner(SLOTS[:1], server, fresh, query_s=1e6)
    monkeypatch.setattr(module, "BUSY_POLL_S", 1e6)
    first, second = (server.add() for _ in range(2))
    serving = threading.Thread(target=runner.run, daemon=True)
    serving.start()
    started(jobs, 1)
    jobs[first.id].go.set()
    started(jobs, 2)
    runner.stop()
    jobs[second.id].go.set()
    serving.join(10)
    assert not serving.is_alive()


def test_while_no_slot_is_free_the_server_is_asked_every_query_s_seconds_only(
    server, jobs, monkeypatch
):
    runner = HostRunner(SLOTS, server, fresh, query_s=1e6)
    monkeypatch.setattr(module, "BUSY_POLL_S", 0.0)
    first, *_ = [server.add() for _ in range(3)]
    runner.poll()
    started(jobs, 2)
    jobs[first.id].go.set()
    runner._jobs[first.id].join(10)
    runner.poll()
    started(jobs, 3)
    server.error = httpx.ConnectError("asked")
    runner.poll()
    assert runner._reachable


def test_a_run_whose_thread_cannot_start_waits_and_leaves_its_slot_free(
    server, jobs, runner, monkeypatch, caplog
):
    def fail(_):
        raise RuntimeError("can't start new thread")

    runs = [server.add() for _ in SLOTS]
    with monkeypatch.context() as patch:
        patch.setattr(module._Job, "start", fail)
        runner.poll()
    assert caplog.messages == [
        "expected a thread for a job, found: can't start new thread; its run waits"
    ]
    assert set(server.waiting) == set(runs)
    runner.poll()
    started(jobs, 2)
    assert set(jobs) == {run.id for run in runs}
    runner.stop()
    runner.run()


def test_prefect_knows_every_slot_as_a_worker(server, runner):
    runner.poll()
    runner.poll()
    assert server.workers == ["h-cpu:0", "h-cuda:0"]


def test_runs_of_other_flows_are_left_alone(server, jobs, runner):
    others = [server.add(THEIRS), server.add(None), server.add(uuid4())]
    ours = server.add()
    runner.poll()
    started(jobs, 1)
    assert list(jobs) == [ours.id]
    assert server.waiting == others


def test_a_run_that_another_host_has_taken_is_not_run_here(server, jobs, runner, monkeypatch):
    lost, ours = server.add(), server.add()
    server.taken_elsewhere = {lost.id}
    runner.poll()
    started(jobs, 1)
    assert list(jobs) == list(runner._jobs) == [ours.id]
    jobs[ours.id].go.set()
    ended(runner)

    monkeypatch.setattr(module, "propose_state_sync", lambda *_, **__: Running())
    server.add()
    runner.poll()
    assert not runner._jobs


@pytest.mark.parametrize("end", [Cancelling(), Cancelled(), Crashed(), None])
def test_a_run_that_is_cancelled_on_the_server_ends_as_cancelled_and_alone(
    server, jobs, runner, end
):
    cancelled, other = server.add(), server.add()
    runner.poll()
    started(jobs, 2)
    server.states[cancelled.id] = end
    runner.poll()
    runner._jobs[cancelled.id].join(10)
    assert jobs[cancelled.id].end.is_cancelled()
    assert jobs[other.id].end is None


def test_at_its_end_the_runs_have_crashed_and_none_is_taken(server, jobs, runner):
    run = server.add()
    runner.poll()
    started(jobs, 1)
    server.add()
    runner.stop()
    runner.run()
    assert jobs[run.id].end.is_crashed()
    assert "stopped" in jobs[run.id].end.message
    assert len(server.waiting) == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (httpx.ConnectError("away"), "does not answer (away); it is tried again"),
        (refusal(401), "found 401 Unauthorized; check PREFECT_API_AUTH_STRING"),
        (refusal(503), "does not answer"),
        (ObjectNotFound(httpx.HTTPError("404")), "found none; declare pools and deployments"),
        (ValueError("no such field"), "was not understood"),
    ],
)
def test_while_the_server_is_away_jobs_go_on_and_it_says_so_once(
    server, jobs, runner, caplog, error, says
):
    run = server.add()
    runner.poll()
    started(jobs, 1)
    server.error = error
    for _ in range(3):
        runner.poll()
    (record,) = caplog.records
    assert says in record.getMessage()
    assert runner._jobs[run.id].is_alive()

    server.error, server.workers = None, []
    server.add()
    runner.poll()
    started(jobs, 2)
    assert server.workers == ["h-cpu:0", "h-cuda:0"]


def test_a_flow_run_that_breaks_off_frees_its_slot(server, jobs, runner, caplog):
    run = server.add()
    runner.poll()
    started(jobs, 1)
    jobs[run.id].end = "error"
    jobs[run.id].go.set()
    ended(runner)
    for _ in range(2):
        server.add()
    runner.poll()
    started(jobs, 3)
    assert f"the flow run {run.id} broke off" in caplog.text


def test_a_run_that_comes_again_waits_until_its_first_attempt_has_ended(server, jobs, runner):
    run = server.add()
    runner.poll()
    started(jobs, 1)
    server.waiting = [run]
    runner.poll()
    assert server.waiting == [run]
    assert len(runner._free) == 1

    jobs[run.id].go.set()
    ended(runner)
    jobs.clear()
    runner.poll()
    started(jobs, 1)
    assert server.waiting == []
    assert len(runner._free) == 1


def test_a_run_that_the_server_has_closed_is_told_in_one_line(
    server, jobs, runner, monkeypatch, caplog
):
    def closed(*_, **__):
        raise Abort("it is in a terminal state already")

    monkeypatch.setattr(module, "run_flow", closed)
    caplog.set_level("INFO")
    run = server.add()
    runner.poll()
    ended(runner)
    assert f"the flow run {run.id} was closed on the server: it is in a" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("state", [Cancelling(), Completed(), None])
def test_only_a_run_that_was_cancelled_before_it_began_is_closed_here(
    server, runner, monkeypatch, state
):
    closed = []

    class Client:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def set_flow_run_state(self, key, end, force):
            closed.append((key, end.type.value, force))

    monkeypatch.setattr(module, "run_flow", lambda *_, **__: state)
    monkeypatch.setattr(module, "get_client", lambda sync_client: Client())
    run = server.add()
    runner.poll()
    ended(runner)
    cancelled = state is not None and state.is_cancelling()
    assert closed == ([(run.id, "CANCELLED", True)] if cancelled else [])


def test_what_is_taken_are_the_deployments_runs():
    from deploy.declare import read_deployments

    slots = [row for row in read_deployments() if row["work_pool"]["name"] == module.SLOTS]
    assert [row["entrypoint"] for row in slots] == [module.JOB]
