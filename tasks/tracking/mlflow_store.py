"""The only module that imports MLflow: runs, metrics, files, and the lineage of data and models.

Every write takes only JSON values, raises on failure, and is harmless when repeated. ``tracker``
adds tolerance of outages; its pending ids are accepted everywhere.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from data.errors import UserError
from tasks.redaction import redacted
from tasks.tracking.mlflow_environment import check_variables, mlflow_command, set_defaults
from tasks.tracking.run_records import OUTPUT, DatasetRecord, ModelRecord, RunRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Run

STAGE = "gradmix.stage"
IDENTITY = "gradmix.identity"
DIGEST = "gradmix.sha256"
PARENT = "mlflow.parentRunId"
CONTEXT = "mlflow.data.context"
PENDING_RUN = "pending-run:"
PENDING_MODEL = "pending-model:"

METRICS_PER_BATCH, PARAMS_PER_BATCH, DIGEST_LENGTH = 1000, 100, 36  # MLflow's limits
NEWEST_FIRST = ["attributes.start_time DESC"]

Point = tuple[str, float, int, int]
"""One metric value: name, finite value, milliseconds since the epoch, step."""
Status = Literal["FINISHED", "FAILED", "KILLED"]
T = TypeVar("T")


def load_mlflow() -> None:
    """Import MLflow and its store of databases, which takes seconds, before they are needed."""
    set_defaults()
    # Whatever keeps it from being imported is reported when a tracker is opened.
    with contextlib.suppress(Exception):
        import_module("mlflow.store.tracking.sqlalchemy_store")


class TrackingError(UserError, RuntimeError):
    """The store cannot be used or read: one line with the cause and what to do."""


class MlflowStore:
    """One experiment of an MLflow store; writes of one instance must not overlap.

    Args:
        uri: tracking store; created if it is a database that does not exist yet.
        experiment: name of the experiment; created on first use.
        artifact_root: folder for the files of runs; None leaves it to the server.

    Raises:
        Exception: if the store cannot be opened.
    """

    def __init__(self, uri: str, experiment: str, artifact_root: Path | None) -> None:
        set_defaults()
        # Imported here: it takes seconds and 160 MB, and reads the settings above.
        from mlflow import MlflowClient, entities, environment_variables  # noqa: PLC0415

        check_variables(vars(environment_variables))

        self._address, self.uri = uri, redacted(uri)
        self._name = experiment
        self._root = artifact_root.absolute().as_uri() if artifact_root else None
        self._entities = entities
        # Models are registered where runs are recorded, unless the user names a registry.
        self._client = MlflowClient(uri, os.environ.get("MLFLOW_REGISTRY_URI") or uri)
        self._id: str | None = None
        self._real: dict[str, str] = {}
        self._held: dict[str, set[tuple[str, int, float]]] = {}

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client, for other modules of this package."""
        return self._client

    def experiment_id(self) -> str:
        """Id of the experiment, which is created if necessary.

        Raises:
            TrackingError: if it was deleted.
        """
        if self._id is None:
            found = self._client.get_experiment_by_name(self._name)
            if found and found.lifecycle_stage != "active":
                restore = mlflow_command(
                    self._address, "experiments", "restore", "-x", found.experiment_id
                )
                raise TrackingError(
                    f"expected experiment {self._name!r} to be active, found it deleted; restore "
                    f"it: {restore}"
                )
            new = None if found else self._client.create_experiment(self._name, self._root)
            self._id = str(found.experiment_id if found else new)
        return self._id

    # Writing

    def start_run(
        self,
        *,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, str],
        parent: str | None,
        time_ms: int,
    ) -> str:
        """Start a run, or continue the newest one left RUNNING with the same identity tag.

        Args:
            name: display name of the run.
            tags: tags, ``gradmix.identity`` among them.
            params: settings; a continued run keeps its own.
            parent: parent run, or None.
            time_ms: when a new run began.

        Returns:
            The run id; other runs left RUNNING with that identity are KILLED.
        """
        tags = {**tags, PARENT: self.resolve(parent)} if parent else dict(tags)
        where = f"tags.`{IDENTITY}` = '{tags[IDENTITY]}' AND attributes.status = 'RUNNING'"
        experiment = self.experiment_id()
        left = self._client.search_runs([experiment], where, order_by=NEWEST_FIRST)
        run = left[0] if left else self._client.create_run(experiment, time_ms, tags, name)
        run_id = str(run.info.run_id)
        for extra in left[1:]:
            self._client.set_terminated(extra.info.run_id, "KILLED")
        if left:
            texts = [self._entities.RunTag(key, value) for key, value in tags.items()]
            self._client.log_batch(run_id, tags=texts, synchronous=True)
            self._held[run_id] = self._points_of(run)
        new = [
            self._entities.Param(*item) for item in params.items() if item[0] not in run.data.params
        ]
        for batch in chunks(new, PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=batch, synchronous=True)
        self._real[PENDING_RUN + tags[IDENTITY]] = run_id
        return run_id

    def log_points(self, *, run: str, points: Sequence[Point]) -> None:
        """Add at most 1000 metric values, except those a continued run already holds."""
        run_id = self.resolve(run)
        held = self._held.get(run_id, set())
        metrics = [
            self._entities.Metric(key, value, time_ms, step)
            for key, value, time_ms, step in points
            if (key, step, value) not in held
        ]
        if metrics:
            self._client.log_batch(run_id, metrics=metrics, synchronous=True)

    def set_tags(self, *, run: str, tags: Mapping[str, str]) -> None:
        """Set tags on a run."""
        texts = [self._entities.RunTag(key, value) for key, value in tags.items()]
        self._client.log_batch(self.resolve(run), tags=texts, synchronous=True)

    def log_artifact(self, *, run: str, paths: Sequence[str], folder: str | None) -> None:
        """Copy a file or folder to a run's artifacts, from the first path that exists."""
        self._client.log_artifact(self.resolve(run), _present(paths), folder)

    def log_text(self, *, run: str, text: str, file: str) -> None:
        """Store text as a file of a run."""
        self._client.log_text(self.resolve(run), text, file)

    def log_dataset(self, *, run: str, name: str, digest: str, source: str, context: str) -> None:
        """Link a run to data; the same name and digest is linked once.

        MLflow keeps 36 digits of the digest; a tag of the edge holds the full digest.
        """
        remote = source.startswith(("http:", "https:"))
        dataset = self._entities.Dataset(
            name=name,
            digest=digest[:DIGEST_LENGTH],
            source_type="http" if remote else "local",
            source=json.dumps({"url" if remote else "uri": source}),
        )
        tags = {CONTEXT: context, DIGEST: digest}
        texts = [self._entities.InputTag(key, value) for key, value in tags.items()]
        edge = self._entities.DatasetInput(dataset, texts)
        self._client.log_inputs(self.resolve(run), datasets=[edge])

    def log_model_inputs(self, *, run: str, models: Sequence[str]) -> None:
        """Link a run to the models it read; each is linked once."""
        edges = [self._entities.LoggedModelInput(self.resolve(model)) for model in models]
        self._client.log_inputs(self.resolve(run), models=edges)

    def log_model(self, *, run: str, name: str, identity: str, paths: Sequence[str]) -> str:
        """Store a run's model as a plain file; a run has at most one model of a name.

        Returns:
            The model id.
        """
        run_id = self.resolve(run)
        maker = self._client.get_run(run_id)
        experiment = maker.info.experiment_id
        where = f"source_run_id = '{run_id}' AND name = '{name}'"
        found = self._client.search_logged_models([experiment], where)
        create, tags = self._client.create_logged_model, {IDENTITY: identity}
        model = found[0] if found else create(experiment, name, run_id, tags)
        self._client.log_model_artifact(model.model_id, _present(paths))
        linked = maker.outputs.model_outputs if maker.outputs else []
        if model.model_id not in [output.model_id for output in linked]:
            output = self._entities.LoggedModelOutput(model.model_id, step=0)
            self._client.log_outputs(run_id, [output])
        self._client.finalize_logged_model(model.model_id, "READY")
        self._real[PENDING_MODEL + identity] = model.model_id
        return str(model.model_id)

    def finish(self, *, run: str, status: Status, time_ms: int) -> None:
        """End a run."""
        run_id = self.resolve(run)
        self._client.set_terminated(run_id, status, time_ms)
        self._held.pop(run_id, None)

    # Reading

    def resolve(self, run_or_model_id: str) -> str:
        """The real id behind a pending one; a real id is returned unchanged.

        Raises:
            TrackingError: if no run or model of that identity is in the store.
        """
        if not run_or_model_id.startswith((PENDING_RUN, PENDING_MODEL)):
            return run_or_model_id
        if run_or_model_id not in self._real:
            self._real[run_or_model_id] = self._look_up(run_or_model_id)
        return self._real[run_or_model_id]

    def run_record(self, run_id: str) -> RunRecord:
        """Record of a run."""
        run = self._client.get_run(self.resolve(run_id))
        return RunRecord(
            run_id=run.info.run_id,
            name=run.info.run_name,
            status=run.info.status,
            stage=run.data.tags.get(STAGE, ""),
            identity=run.data.tags.get(IDENTITY, ""),
            datasets=_datasets(run),
            models=tuple(edge.model_id for edge in run.inputs.model_inputs) if run.inputs else (),
            experiment=run.info.experiment_id,
        )

    def model_record(self, model_id: str) -> ModelRecord:
        """Record of a model."""
        model = self._client.get_logged_model(self.resolve(model_id))
        maker, experiment = model.source_run_id or "", model.experiment_id
        return ModelRecord(model.model_id, model.name, maker, experiment)

    def producer(self, digest: str) -> str | None:
        """Id of the newest run that made the data of that digest, a finished one if possible."""
        # Without the context, every run that reads the data would be loaded too.
        where = f"dataset.digest = '{digest[:DIGEST_LENGTH]}' AND dataset.context = '{OUTPUT}'"
        made = [
            run
            for run in self.runs(where)
            if any(data.digest == digest and data.context == OUTPUT for data in _datasets(run))
        ]
        made.sort(key=lambda run: run.info.status != "FINISHED")
        return made[0].info.run_id if made else None

    def _look_up(self, pending: str) -> str:
        kind, identity = pending.split(":", 1)
        where = f"tags.`{IDENTITY}` = '{identity}'"
        models = self._client.search_logged_models
        if pending.startswith(PENDING_RUN):
            found = [str(run.info.run_id) for run in self.runs(where)]
        else:
            found = [str(model.model_id) for model in models(self.experiments(), where)]
        if not found:
            raise TrackingError(
                f"expected a {kind.removeprefix('pending-')} of identity {identity[:12]} in "
                f"{self.uri}, found none; if its writes wait in the spool, gradmix reproduce makes "
                "them."
            )
        return found[0]

    def runs(self, where: str) -> list["Run"]:
        """Runs of all experiments that match a filter, newest first."""
        return list(self._client.search_runs(self.experiments(), where, order_by=NEWEST_FIRST))

    def experiments(self) -> list[str]:
        """Ids of all experiments."""
        return [found.experiment_id for found in self._client.search_experiments()]

    def _points_of(self, run: "Run") -> set[tuple[str, int, float]]:
        history = self._client.get_metric_history
        run_id = run.info.run_id
        return {(m.key, m.step, m.value) for key in run.data.metrics for m in history(run_id, key)}


def _present(paths: Sequence[str]) -> str:
    """The first path that exists; if none does, the last, for the error message."""
    return next((path for path in paths if Path(path).exists()), paths[-1])


def chunks(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Consecutive pieces of at most ``size`` items."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _datasets(run: "Run") -> tuple[DatasetRecord, ...]:
    edges = run.inputs.dataset_inputs if run.inputs else []
    return tuple(sorted(map(_dataset, edges), key=lambda data: data.name))


def _dataset(edge: "DatasetInput") -> DatasetRecord:
    tags = {tag.key: tag.value for tag in edge.tags}
    source: dict[str, str] = json.loads(edge.dataset.source)
    return DatasetRecord(
        name=edge.dataset.name,
        digest=tags.get(DIGEST, edge.dataset.digest),
        context=tags.get(CONTEXT, ""),
        source=source.get("uri") or source.get("url") or "",
    )
