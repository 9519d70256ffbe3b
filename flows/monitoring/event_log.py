"""What happened in a run: executed, cached and failed stages, times and memory."""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from flows.monitoring.counts import TRAIN
from tasks.events import Event
from tasks.subjects import Subject

logger = logging.getLogger(__name__)


class EventLog:
    """Collects the events of a run and forwards them.

    Args:
        listeners: called with every event after it is logged.
    """

    def __init__(self, listeners: Sequence[Callable[[Event], None]] = ()) -> None:
        self._listeners = tuple(listeners)
        self._lock = threading.Lock()
        self._last: dict[tuple[str, Subject], Event] = {}
        self._slots: set[str] = set()
        self.started = datetime.now(UTC)

    def listen(self, event: Event) -> None:
        """Log an event, from any thread."""
        with self._lock:
            known = self._last.get((event.stage, event.subject))
            # After an execution, the task's own cache check reports the stage again.
            if not (known and known.state == "finished" and event.state == "cached"):
                self._last[event.stage, event.subject] = event
            self._slots |= {event.slot} - {""}
        for listen in self._listeners:
            try:
                listen(event)
            except Exception:
                # An observer must not make a stage fail.
                logger.exception("a listener failed")

    @property
    def slots(self) -> list[str]:
        """Names of the slots used."""
        return sorted(self._slots)

    @property
    def failures(self) -> list[Event]:
        """The failed stages, in order."""
        return [event for event in self._last.values() if event.state == "failed"]

    @property
    def executed(self) -> int:
        """Number of distinct trainings executed in this run."""
        return len(self._identities("finished"))

    @property
    def reused(self) -> int:
        """Number of distinct trainings reused from earlier runs."""
        return len(self._identities("cached") - self._identities("finished"))

    def _identities(self, state: str) -> set[str]:
        return {
            event.artifact.identity
            for event in self._last.values()
            if event.stage == TRAIN and event.state == state and event.artifact is not None
        }

    def cells(self) -> list[dict[str, object]]:
        """Every training: label, state, MLflow run, accuracy; cached ones name the older run."""
        return [
            {
                "cell": event.label,
                "state": "executed" if event.state == "finished" else event.state,
                "run_id": event.artifact.notes.get("run_id", ""),
                "hyper_validation_accuracy": event.artifact.summary["accuracy"],
                "identity": event.artifact.identity,
            }
            for event in self._last.values()
            if event.stage == TRAIN and event.artifact is not None
        ]
