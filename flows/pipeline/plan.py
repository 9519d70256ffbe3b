"""Plans of a reproduction: which stages are cached, will run, or are stale, and why."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from flows.experiment.run_spec import RunSpec
from flows.pipeline.durations import Measured, TrainingWork, measured, training_time, work_of
from flows.pipeline.graph import pipeline
from tasks.codec import CodecError, decode, leaves, replace_leaves
from tasks.engine.stage import Future, Stage, StageInputs
from tasks.stages import train
from tasks.storage.artifacts import RESULT, SUBJECT, Artifact, Request, Store, read_artifact
from tasks.storage.remote import Storage
from tasks.subjects import Subject

State = Literal["cached", "will run", "stale"]
MOST_TOLD = 4
"""Number of differences that a reason lists."""
LONGEST_TOLD = 60
"""Characters of a value in a reason."""


@dataclass(frozen=True)
class PlanEntry:
    """One stage of a plan.

    Attributes:
        subject: subject of the execution.
        stage: name of the stage.
        state: `cached`; `will run` if never made, or waiting for one that was not; `stale` if made
            before from something else.
        reason: why it will run or is stale; for a cached stage, the other stage with the same
            result, if any.
        seconds: expected time in a slot; None if unknown, or for other stages than trainings.
        work: what a training computes; None for other stages.
        uses: subjects of the stages whose results it reads.
        artifact: its result, if it exists.
    """

    subject: Subject
    stage: str
    state: State
    reason: str
    seconds: float | None = None
    work: TrainingWork | None = None
    uses: tuple[Subject, ...] = ()
    artifact: Artifact | None = None

    @property
    def label(self) -> str:
        """The subject's label."""
        return self.subject.label


def make_plan(spec: RunSpec, home: Path, storage: Storage | None = None) -> list[PlanEntry]:
    """Walk the pipeline without executing anything; the home folder need not exist.

    Args:
        spec: the run specification.
        home: the home folder.
        storage: storage with further results, which are fetched.
    """
    planner = _Planner(Store(home, storage), spec.scope)
    pipeline(spec.experiment, spec.raw, planner)
    return planner.entries


@dataclass(frozen=True)
class _Planned:
    """A future in a plan, whose artifact exists or is yet to be made."""

    subject: Subject
    artifact: Artifact | None

    def result(self) -> Artifact:
        if self.artifact is None:
            raise LookupError(f"{self.subject.label} is only planned.")
        return self.artifact


class _Planner:
    """A `Submit` that looks artifacts up instead of executing stages."""

    def __init__(self, store: Store, scope: str) -> None:
        self.entries: list[PlanEntry] = []
        self._store, self._scope = store, scope
        self._planned: dict[str, Subject] = {}

    @cached_property
    def _known(self) -> "_Known":
        """Earlier results, read only if something is unfinished."""
        return _Known(self._store.home, self._scope)

    def __call__(
        self, stage: Stage[Any], inputs: StageInputs, after: Sequence[Future] = ()
    ) -> _Planned:
        del after  # It decides when a stage runs, not what it makes.
        subject, read = inputs.subject, leaves(inputs, _Planned)
        work = work_of(inputs) if isinstance(inputs, train.TrainInputs) else None
        uses = tuple(planned.subject for planned in read)
        missing = next((planned.subject for planned in read if not planned.artifact), None)
        if missing is not None:
            self._add(subject, stage, ("will run", f"waits for {missing.label}"), uses, work=work)
            return _Planned(subject, None)
        request = stage.describe(replace_leaves(inputs, _Planned, _Planned.result))
        artifact = self._store.find(request)
        if artifact is not None:
            self._add(subject, stage, ("cached", ""), uses, artifact=artifact)
        elif request.identity in self._planned:
            reason = f"the same as {self._planned[request.identity].label}"
            self._add(subject, stage, ("cached", reason), uses)
        else:
            self._planned[request.identity] = subject
            self._add(subject, stage, self._why(request), uses, work=work)
        return _Planned(subject, artifact)

    def _add(
        self,
        subject: Subject,
        stage: Stage[Any],
        state_and_reason: tuple[State, str],
        uses: tuple[Subject, ...],
        *,
        artifact: Artifact | None = None,
        work: TrainingWork | None = None,
    ) -> None:
        state, reason = state_and_reason
        seconds = None if work is None else self._known.seconds(work)
        self.entries.append(
            PlanEntry(subject, stage.name, state, reason, seconds, work, uses, artifact)
        )

    def _why(self, request: Request) -> tuple[State, str]:
        folder = self._store.folder(request)
        if folder.exists():
            return "stale", self._store.damage(folder) or "its result is damaged"
        before = self._known.latest(request)
        if before is None:
            return "will run", "never made"
        found = differences(before.document, request.document)
        more = [f"and {len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else []
        return "stale", "; ".join([*found[:MOST_TOLD], *more])


class _Known:
    """Results of earlier runs of the same experiment and scale."""

    def __init__(self, home: Path, scope: str) -> None:
        self._latest: dict[tuple[str, Subject], Artifact] = {}
        # Artifacts of version 0.1 have a label and no subject.
        self._by_label: dict[tuple[str, str], Artifact] = {}
        self._measured: list[Measured] = []
        self._seconds: dict[TrainingWork, float | None] = {}
        for path in sorted(home.glob(f"artifacts/*/*/{RESULT}"), key=_modified):
            with contextlib.suppress(OSError, ValueError, TypeError, CodecError):
                artifact = read_artifact(path)
                # Of other experiments too: a step takes as long.
                if path.parent.parent.name == train.STAGE.name and (one := measured(artifact)):
                    self._measured.append(one)
                if artifact.notes.get("scope") == scope:
                    self._add(path.parent.parent.name, artifact)

    def _add(self, stage: str, artifact: Artifact) -> None:
        if SUBJECT in artifact.notes:
            self._latest[stage, decode(Subject, artifact.notes[SUBJECT])] = artifact
        else:
            self._by_label[stage, artifact.label] = artifact

    def latest(self, request: Request) -> Artifact | None:
        """Latest result of the stage for the same subject."""
        found = self._latest.get((request.stage, request.subject))
        return found or self._by_label.get((request.stage, request.label))

    def seconds(self, work: TrainingWork) -> float | None:
        """Expected time of a training in a slot; None if nothing is known of its network."""
        if work not in self._seconds:
            self._seconds[work] = training_time(work, self._measured)
        return self._seconds[work]


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Describe what changed between two documents."""
    found = []
    for key in sorted({*before, *now}):
        old, new, name = before.get(key), now.get(key), f"{prefix}{key}"
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += differences(old, new, f"{name}.")
        elif prefix == "inputs.":
            found.append(f"{key}: other content")
        else:
            found.append(f"{name.removeprefix('config.')}: {_change(old, new)}")
    return found


def _change(old: object, new: object) -> str:
    texts = ["not set" if value is None else str(value) for value in (old, new)]
    # Long values are shown from where they differ.
    long = max(map(len, texts)) > LONGEST_TOLD
    equal = takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False))
    start = len(list(equal)) if long else 0
    return ", now ".join(_cut(text, start) for text in texts)


def _cut(text: str, start: int) -> str:
    rest = f"...{text[start:]}" if start else text
    return rest if len(rest) <= LONGEST_TOLD else f"{rest[: LONGEST_TOLD - 3]}..."


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns
