"""Automations of Prefect's server: they close dead runs and restart crashed ones."""

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture
from prefect.client.schemas.objects import StateType

RERUN = ("reproduce", "cell")
"""Flows that are restarted; other runs are resubmitted by the run that waits for them."""
RERUNS = 3
SILENCE = timedelta(seconds=180)
"""Six heartbeats; longer than a server takes to restart."""
SUBMISSION = timedelta(seconds=300)
"""Time limit between a worker taking a run and the run's first heartbeat."""
PAUSE = timedelta(seconds=10)
Match = dict[str, str | list[str]]
_ANY: Match = {}
_RUNS: Match = {"prefect.resource.id": "prefect.flow-run.*"}
_ENDS = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}
_HEARTBEAT = "prefect.flow-run.heartbeat"
_PENDING = "prefect.flow-run.Pending"
_AGAIN = "prefect.flow-run.AwaitingRetry"


def automations(deployments: Mapping[str, UUID]) -> list[AutomationCore]:
    """Automations for deployments, whose ids are given by flow name."""
    return [_close_silent(), _close_lost(), _run_again([deployments[name] for name in RERUN])]


def _close_silent() -> AutomationCore:
    return AutomationCore(
        name="gradmix: a run that fell silent has crashed",
        description="Its worker or host died; by heartbeats.",
        trigger=_missed({_HEARTBEAT, _AGAIN, *_ENDS}, after=_HEARTBEAT, within=SILENCE),
        actions=[_crash(f"No heartbeat for {SILENCE.seconds} s.")],
    )


def _close_lost() -> AutomationCore:
    # Waits for a heartbeat, which repeats; a single "running" event may be lost with a server.
    return AutomationCore(
        name="gradmix: a run that a worker took and never started has crashed",
        description="Its worker died in between.",
        trigger=_missed({_HEARTBEAT, _AGAIN, *_ENDS}, after=_PENDING, within=SUBMISSION),
        actions=[_crash(f"No heartbeat within {SUBMISSION.seconds} s of a worker's taking it.")],
    )


def _run_again(deployments: list[UUID]) -> AutomationCore:
    # Not at once: Prefect 3.8 on SQLite loses the event ("database is locked") if one automation
    # changes a state while another is still processing the events before it.
    trigger = _missed(
        {_AGAIN, _PENDING},
        after="prefect.flow-run.Crashed",
        within=PAUSE,
        match={**_RUNS, "prefect.run-count": [str(number + 1) for number in range(RERUNS)]},
        match_related={
            "prefect.resource.role": "deployment",
            "prefect.resource.id": [f"prefect.deployment.{key}" for key in deployments],
        },
    )
    again = ChangeFlowRunState(
        state=StateType.SCHEDULED,
        name="AwaitingRetry",
        message=f"Crashed; run again, at most {RERUNS} times.",
        force=False,
    )
    return AutomationCore(
        name="gradmix: a crashed reproduction or cell is run again",
        description="The same flow run; finished work is reused.",
        trigger=trigger,
        actions=[again],
    )


def _missed(
    expect: set[str],
    *,
    after: str,
    within: timedelta,
    match: Match = _RUNS,
    match_related: Match = _ANY,
) -> EventTrigger:
    """Trigger that fires for a run if none of the expected events follows in time."""
    return EventTrigger(
        match=match,
        match_related=match_related,
        after={after},
        expect=expect,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=within,
    )


def _crash(message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message, force=False)
