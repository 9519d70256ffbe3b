"""Process that runs the jobs of all slots of a host: `python -P -m deploy.host_runner SLOTS`.

It replaces one Prefect worker per slot. It requests as many flow runs from the work pool as it has
free slots, and runs each in its own thread, so that a flow run needs no process except its job's,
which is forked from a template on CPU cores. In Prefect, each slot is a worker, listed by its name.
"""

import json
import logging
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from uuid import UUID

from httpx import HTTPError, HTTPStatusError
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort, ObjectNotFound, Pause, PrefectException
from prefect.flow_engine import run_flow
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed, Pending, Scheduled
from prefect.utilities.engine import propose_state_sync

from deploy.pools import SLOTS
from flows.job import PLACE, EndedEarlyError, Place, job
from tasks.execution.launch import Launch
from tasks.execution.slots import Slot
from tasks.execution.template import Template

DECLARE = "declare pools and deployments with gradmix deploy."
JOB = "flows.job.job"
"""Entrypoint of the deployments whose runs are accepted."""
BUSY_POLL_S = 0.25
BUSY_S = 5.0
"""Seconds after the end of a job during which the next one is expected."""
WORKER_BEAT_S = 30.0
STOP_S = 8.0
"""Seconds for jobs to end after SIGTERM; the supervisor waits for ten."""

logger = logging.getLogger(__name__)


class HostRunner:
    """Takes flow runs for the free slots of a host, until it is stopped.

    Args:
        slots: slots of this host, with fleet-wide names.
        client: client of Prefect's server.
        launch: starts the processes of jobs.
        query_s: seconds between two requests for flow runs.
    """

    def __init__(
        self, slots: Sequence[Slot], client: SyncPrefectClient, launch: Launch, query_s: float
    ) -> None:
        self._slots, self._client, self._launch, self._query_s = slots, client, launch, query_s
        self._free = deque(slots)
        self._jobs: dict[UUID, _Job] = {}
        self._ended: SimpleQueue[_Job] = SimpleQueue()
        self._deployments: dict[UUID, bool] = {}
        self._next_beat = self._next_query = self._busy_until = 0.0
        self._reachable = True
        # Not a threading.Event: this thread may hold its lock when the signal arrives.
        self._stopping = False

    def stop(self) -> None:
        """Take no more flow runs, and end the running ones."""
        self._stopping = True

    def run(self) -> None:
        """Serve until `stop`."""
        while not self._stopping:
            self.poll()
            self._collect(wait_s=BUSY_POLL_S)
        for one in self._jobs.values():
            one.end(Crashed(message="The fleet on its host was stopped."))
        deadline = time.monotonic() + STOP_S
        for one in self._jobs.values():
            one.join(max(deadline - time.monotonic(), 0.0))

    def poll(self) -> None:
        """Collect finished jobs, and every `query_s` seconds poll the server."""
        self._collect()
        now = time.monotonic()
        if now < self._next_query:
            return
        with self._noting_outages():
            self._beat(now)
            self._end_unwanted()
            self._take_up()
        expects_work = bool(self._free) and now < self._busy_until
        self._next_query = now + (BUSY_POLL_S if expects_work else self._query_s)

    def _collect(self, wait_s: float = 0.0) -> None:
        """Free the slots of finished jobs; wait for one up to `wait_s` seconds."""
        with suppress(Empty):
            while True:
                one = self._ended.get(timeout=wait_s)
                one.join()
                del self._jobs[one.key]
                self._free.append(one.slot)
                self._next_query, self._busy_until = 0.0, time.monotonic() + BUSY_S
                wait_s = 0.0

    def _beat(self, now: float) -> None:
        """Send heartbeats, so that the server lists every slot as an online worker."""
        if now < self._next_beat:
            return
        for slot in self._slots:
            self._client.send_worker_heartbeat(SLOTS, slot.name, WORKER_BEAT_S)
        self._next_beat = now + WORKER_BEAT_S

    def _end_unwanted(self) -> None:
        """End the jobs whose runs were cancelled, closed or deleted on the server."""
        if not self._jobs:
            return
        chosen = FlowRunFilter.model_validate({"id": {"any_": list(self._jobs)}})
        found = {run.id: run.state for run in self._client.read_flow_runs(flow_run_filter=chosen)}
        for run, one in self._jobs.items():
            state = found.get(run)
            if state is None or state.is_cancelling() or state.is_final():
                one.end(Cancelled(message="It was cancelled on the server."))

    def _take_up(self) -> None:
        if not self._free:
            return
        waiting = self._client.get_scheduled_flow_runs_for_work_pool(
            SLOTS, scheduled_before=datetime.now(UTC)
        )
        for found in waiting:
            run = found.flow_run
            if self._free and self._is_job(run) and self._is_ours(run):
                started = _Job(run, self._free[0], self._launch, self._ended)
                try:
                    started.start()
                except RuntimeError as error:
                    logger.warning("expected a thread for a job, found: %s; its run waits", error)
                    self._client.set_flow_run_state(run.id, Scheduled(), force=True)
                    return
                self._jobs[run.id] = started
                self._free.popleft()

    def _is_job(self, run: FlowRun) -> bool:
        """Whether a run is of our flow, and its last attempt does not run here any more.

        Runs of other flows are left to other workers.
        """
        key = None if run.id in self._jobs else run.deployment_id
        if key is None:
            return False
        if key not in self._deployments:
            try:
                self._deployments[key] = self._client.read_deployment(key).entrypoint == JOB
            except ObjectNotFound:
                self._deployments[key] = False
        return self._deployments[key]

    def _is_ours(self, run: FlowRun) -> bool:
        """Claim a run; False if another host was faster."""
        try:
            state = propose_state_sync(self._client, Pending(), flow_run_id=run.id)
        except (Abort, Pause):
            return False
        return state.is_pending()

    @contextmanager
    def _noting_outages(self) -> Iterator[None]:
        """Continue without the server: jobs communicate with their reproduction through files."""
        try:
            yield
        # Whatever one answer of the server leads to must not end the jobs of a whole host.
        except Exception as error:
            if self._reachable:
                _report(error)
            self._reachable = False
            # A restarted server may have forgotten its workers.
            self._next_beat = 0.0
        else:
            self._reachable = True


def _report(error: Exception) -> None:
    """Log why the server cannot be used, and what to do."""
    if isinstance(error, ObjectNotFound):
        logger.error(
            "expected the work pool %s on Prefect's server, found none; %s", SLOTS, DECLARE
        )
    elif isinstance(error, HTTPStatusError) and error.response.is_client_error:
        status = f"{error.response.status_code} {error.response.reason_phrase}"
        logger.error(
            "expected Prefect's server to answer, found %s; check PREFECT_API_AUTH_STRING, and %s",
            status,
            DECLARE,
        )
    elif isinstance(error, HTTPError | PrefectException):
        logger.warning("Prefect's server does not answer (%s); it is tried again.", error)
    else:
        logger.error("an answer of Prefect's server was not understood", exc_info=error)


class _Job(threading.Thread):
    """A flow run in its own thread."""

    def __init__(
        self, run: FlowRun, slot: Slot, launch: Launch, ended: "SimpleQueue[_Job]"
    ) -> None:
        super().__init__(name=slot.name, daemon=True)
        self.slot, self.key = slot, run.id
        self._flow_run, self._ended = run, ended
        self._place = Place(slot=slot, launch=launch, check=self._check)
        self._end: State[None] | None = None

    def end(self, state: State[None]) -> None:
        """End the job soon, and its run with a state."""
        self._end = state

    def run(self) -> None:
        """Run the flow, which reports its own errors to the server."""
        name = f"{self.slot.name}: the flow run {self.key}"
        try:
            PLACE.set(self._place)
            state = run_flow(job, flow_run=self._flow_run, return_type="state")
            if isinstance(state, State) and not state.is_final():
                self._close()
        except Abort as refusal:
            logger.info("%s was closed on the server: %s", name, refusal)
        except Exception:
            # Its reproduction will notice the missing heartbeats.
            logger.exception("%s broke off", name)
        finally:
            self._ended.put(self)

    def _close(self) -> None:
        """Close a run that was cancelled before it began, which Prefect leaves to its worker."""
        end = self._end or Cancelled(message="It was cancelled before it began.")
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(self._flow_run.id, end, force=True)

    def _check(self) -> None:
        if self._end is not None:
            raise EndedEarlyError(self._end)


def main(text: str) -> int:
    """Run jobs until SIGTERM; returns the exit code."""
    slots = [Slot(**fields) for fields in json.loads(text)]
    with ExitStack() as stack:
        client = stack.enter_context(get_client(sync_client=True))
        template = stack.enter_context(Template())
        if not all(slot.device for slot in slots):
            template.start()
        query_s = get_current_settings().worker.query_seconds
        runner = HostRunner(slots, client, template, query_s)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: runner.stop())
        runner.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
