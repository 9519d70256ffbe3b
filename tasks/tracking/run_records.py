"""What a tracking store knows of a run: the data sets and models that it read and made."""

from dataclasses import dataclass

from tasks.tracking.addresses import model_address, run_address

RAW = "raw"
OUTPUT = "output"
TEST = "test"
"""Context of data that a finished model was scored on, not an ancestor of the model."""


@dataclass(frozen=True)
class DatasetRecord:
    """One dataset edge of a run; ``digest`` is the full SHA-256."""

    name: str
    digest: str
    context: str
    source: str


@dataclass(frozen=True)
class RunRecord:
    """Record of a run; ``models`` are the ids of the models it read."""

    run_id: str
    name: str
    status: str
    stage: str
    identity: str
    datasets: tuple[DatasetRecord, ...]
    models: tuple[str, ...]
    experiment: str = ""

    @property
    def page(self) -> str:
        """Its page in MLflow, relative to the server's address."""
        return run_address(self.experiment, self.run_id)

    def file_page(self, file: str) -> str:
        """Page of one of its files in MLflow, relative to the server's address."""
        return run_address(self.experiment, self.run_id, file)


@dataclass(frozen=True)
class ModelRecord:
    """A stored model and the run that made it ("" if unknown)."""

    model_id: str
    name: str
    run_id: str
    experiment: str = ""

    @property
    def page(self) -> str:
        """Its page in MLflow, relative to the server's address."""
        return model_address(self.experiment, self.model_id)
