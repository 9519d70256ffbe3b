"""The chain from a model back to the raw files: records, the walk, and its display.

A dataset's producer is the run that logged the same digest with context ``output``. The chain may
end at a dataset logged with context ``raw``; every other end is a gap and is named.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from tasks.tracking.run_records import OUTPUT, RAW, TEST, DatasetRecord, ModelRecord, RunRecord


class Records(Protocol):
    """Source of records for the walk; lookups raise if the id is unknown."""

    def run_record(self, run_id: str) -> RunRecord:
        """Record of a run."""
        ...

    def model_record(self, model_id: str) -> ModelRecord:
        """Record of a model."""
        ...

    def producer(self, digest: str) -> str | None:
        """Id of the run that produced a dataset, by its full digest, or None."""
        ...


@dataclass(frozen=True)
class Node:
    """One box of the chain; ``inputs`` are the boxes it was made from.

    Attributes:
        kind: kind of the box.
        id: run id, model id, or full digest of a dataset.
        name: display name.
        facts: stage, identity, status, context or source, if known.
        inputs: what it was made from; shared boxes are the same object.
        gap: why the chain breaks here; "" if it does not.
        page: its page in MLflow, relative to the server's address. A dataset has none and uses that
            of the run that made it, or for raw data of a run that read it.
    """

    kind: Literal["model", "run", "dataset"]
    id: str
    name: str
    facts: dict[str, str] = field(default_factory=dict)
    inputs: tuple["Node", ...] = ()
    gap: str = ""
    page: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Key that identifies the box."""
        return self.kind, self.id


def walk(records: Records, start: str) -> Node:
    """Build the whole chain behind a run or model.

    Args:
        records: source of runs, models and producers.
        start: a run id, or a model id (``m-...``).

    Returns:
        Box of ``start`` with everything it was made from.
    """
    walker = _Walker(records)
    return walker.model(start) if start.startswith("m-") else walker.run(start)


class _Walker:
    """Visits each box once, so that many members sharing their data stay cheap."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._runs: dict[str, Node] = {}
        self._producers: dict[str, str | None] = {}
        self._open: set[str] = set()

    def model(self, model_id: str) -> Node:
        record = self._records.model_record(model_id)
        page = record.page
        if not record.run_id:
            return Node("model", model_id, record.name, gap="the model names no run", page=page)
        return Node("model", model_id, record.name, inputs=(self.run(record.run_id),), page=page)

    def run(self, run_id: str) -> Node:
        if run_id in self._open:
            return Node("run", run_id, run_id, gap="the run is among its own inputs")
        if run_id not in self._runs:
            self._open.add(run_id)
            self._runs[run_id] = self._visit(self._records.run_record(run_id))
            self._open.discard(run_id)
        return self._runs[run_id]

    def _visit(self, record: RunRecord) -> Node:
        read = (data for data in record.datasets if data.context not in (OUTPUT, TEST))
        datasets = (self.dataset(data, record.page) for data in read)
        inputs = (*datasets, *(self.model(model_id) for model_id in record.models))
        facts = {"stage": record.stage, "status": record.status, "identity": record.identity}
        gap = "" if inputs else "the run names no input"
        return Node("run", record.run_id, record.name, facts, inputs, gap, record.page)

    def dataset(self, record: DatasetRecord, reader: str) -> Node:
        facts = {"context": record.context, "source": record.source}
        if record.context == RAW:
            return Node("dataset", record.digest, record.name, facts, page=reader)
        if record.digest not in self._producers:
            self._producers[record.digest] = self._records.producer(record.digest)
        producer = self._producers[record.digest]
        if producer is None:
            gap = f"no run produced a dataset of digest {record.digest[:12]}"
            return Node("dataset", record.digest, record.name, facts, gap=gap, page=reader)
        run = self.run(producer)
        return Node("dataset", record.digest, record.name, facts, (run,), page=run.page)


def boxes(node: Node) -> Iterator[Node]:
    """Yield every box of the chain once, the given one first."""
    seen: set[tuple[str, str]] = set()
    stack = [node]
    while stack:
        box = stack.pop()
        if box.key not in seen:
            seen.add(box.key)
            yield box
            stack.extend(reversed(box.inputs))


def narrowed(node: Node, models: Collection[str]) -> Node:
    """The same box with only these models, and all data, as inputs."""
    kept = (box for box in node.inputs if box.kind != "model" or box.id in models)
    return replace(node, inputs=tuple(kept))


def gaps(node: Node) -> list[str]:
    """One line per break in the chain; empty if it always reaches raw data."""
    return [f"{box.kind} {box.name} ({box.id}): {box.gap}" for box in boxes(node) if box.gap]


def graph(node: Node) -> dict[str, list[dict[str, object]]]:
    """The chain as JSON values: ``nodes``, and ``edges`` that point from an input to its user."""
    found = list(boxes(node))
    nodes: list[dict[str, object]] = [
        {
            "kind": box.kind,
            "id": box.id,
            "name": box.name,
            **box.facts,
            "gap": box.gap,
            "page": box.page,
        }
        for box in found
    ]
    edges: list[dict[str, object]] = [
        {"from": used.id, "to": box.id} for box in found for used in box.inputs
    ]
    return {"nodes": nodes, "edges": edges}


def tree(node: Node) -> list[str]:
    """The chain as lines of text; repeated boxes are named but not expanded."""
    shown: set[tuple[str, str]] = set()
    lines: list[str] = []

    def show(box: Node, lead: str, indent: str) -> None:
        again = box.key in shown and bool(box.inputs)
        lines.append(f"{lead}{_title(box)}{' (see above)' if again else ''}")
        shown.add(box.key)
        for number, used in enumerate(() if again else box.inputs, start=1):
            last = number == len(box.inputs)
            show(used, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))

    show(node, "", "")
    return lines


def _title(box: Node) -> str:
    label = f"sha256 {box.id[:12]}" if box.kind == "dataset" else box.id
    facts = [box.facts.get(key, "") for key in ("stage", "status", "context", "source")]
    text = " ".join([f"{box.kind} {box.name} [{label}]", *(f for f in facts if f)])
    return f"{text}  GAP: {box.gap}" if box.gap else text
