"""What a reproduction would do: every stage cached, to run, or stale, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.experiment.run_spec import RunSpec
from flows.pipeline.graph import pipeline
from tasks.engine.stage import Stage
from tasks.storage.artifacts import RESULT, Artifact, Request, Store, read_artifact
from tasks.storage.remote import Storage

State = Literal["cached", "will run", "stale"]


@dataclass(frozen=True)
class PlanEntry:
    """One stage of a plan.

    Attributes:
        label: for people.
        stage: its name.
        state: `cached`; `will run`: never made, or waits for one that was not; `stale`: made
            before, from something else.
        reason: why it will run or is stale; empty if it is there already, or the stage that
            makes the same.
        seconds: how long it is expected to take in a slot; None if nothing is known.
        uses: labels of the stages whose results it reads.
        artifact: its result, if it is there.
    """

    label: str
    stage: str
    state: State
    reason: str
    seconds: float | None = None
    uses: tuple[str, ...] = ()
    artifact: Artifact | None = None


def make_plan(spec: RunSpec, home: Path, storage: Storage | None = None) -> list[PlanEntry]:
    """Walk the pipeline without executing anything; the home folder need not exist.

    Args:
        spec: the run specification.
        home: the home folder.
        storage: where results may be that are not in the home folder: these are brought here.
    """
    planner = _Planner(Store(home, storage), spec.scope)
    pipeline(spec.experiment, spec.raw, planner)
    return planner.entries


@dataclass(frozen=True)
class _Planned:
    """Stands for an artifact: the artifact, or the label of the stage that has yet to make it."""

    label: str
    artifact: Artifact | None


class _Planner:
    """A `Submit` that looks instead of executing."""

    def __init__(self, store: Store, scope: str) -> None:
        self.entries: list[PlanEntry] = []
        self._store = store
        self._known: dict[tuple[str, str], Artifact] = {}
        self._seconds: dict[str, list[float]] = {}
        self._planned: dict[str, str] = {}
        for path in sorted(store.home.glob(f"artifacts/*/*/{RESULT}"), key=_modified):
            self._remember(path, scope)

    def __call__(
        self, stage: Stage, /, after: Sequence[_Planned] = (), **inputs: object
    ) -> _Planned:
        label = str(inputs["label"])
        uses = tuple(planned.label for planned in _planned([inputs]))
        missing = next((p.label for p in _planned([inputs, list(after)]) if not p.artifact), None)
        if missing is not None:
            self._add(label, stage, ("will run", f"waits for {missing}"), uses)
            return _Planned(label, None)
        request = stage.describe(**_resolved(inputs))
        artifact = self._store.find(request)
        if artifact is not None:
            self._add(label, stage, ("cached", ""), uses, artifact)
        elif request.identity in self._planned:
            reason = f"the same as {self._planned[request.identity]}"
            self._add(label, stage, ("cached", reason), uses)
        else:
            self._planned[request.identity] = label
            self._add(label, stage, self._why(request), uses)
        return _Planned(label, artifact)

    def _add(
        self,
        label: str,
        stage: Stage,
        state_and_reason: tuple[State, str],
        uses: tuple[str, ...],
        artifact: Artifact | None = None,
    ) -> None:
        state, reason = state_and_reason
        known = self._seconds.get(stage.name)
        seconds = sum(known) / len(known) if known and state != "cached" else None
        self.entries.append(PlanEntry(label, stage.name, state, reason, seconds, uses, artifact))

    def _why(self, request: Request) -> tuple[State, str]:
        folder = self._store.folder(request)
        if folder.exists():
            return "stale", self._store.damage(folder) or "its result is damaged"
        before = self._known.get((request.stage, request.label))
        if before is None:
            return "will run", "never made"
        return "stale", "; ".join(differences(before.document, request.document))

    def _remember(self, path: Path, scope: str) -> None:
        try:
            artifact = read_artifact(path)
        except (OSError, ValueError, TypeError):
            return
        if artifact.notes.get("scope") != scope:
            return
        stage = path.parent.parent.name
        self._known[stage, artifact.label] = artifact
        if "seconds" in artifact.notes:
            self._seconds.setdefault(stage, []).append(float(artifact.notes["seconds"]))


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What changed between two documents, in words."""
    found = []
    for key in sorted({*before, *now}):
        old, new, name = before.get(key), now.get(key), f"{prefix}{key}"
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{name}.")
        elif prefix == "inputs.":
            found.append(f"{name} changed")
        else:
            found.append(f"{name}: {old} -> {new}")
    return found


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns


def _planned(value: object) -> Iterator[_Planned]:
    """The stages that a nested value holds."""
    if isinstance(value, _Planned):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _planned(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _planned(item)


def _resolved(value: Any) -> Any:  # noqa: ANN401 - JSON with artifacts
    """A nested value with artifacts in place of what stands for them."""
    if isinstance(value, _Planned):
        return value.artifact
    if isinstance(value, Mapping):
        return {key: _resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    return value
