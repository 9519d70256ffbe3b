"""Hardware and cost of a reproduction, in a record."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HardwareRecord:
    """Processor, usable cores, memory and slots."""

    cpu: str
    cores: int
    memory_gib: float
    slots: tuple[str, ...]
    system: str = ""


@dataclass(frozen=True, kw_only=True)
class MemoryRecord:
    """Peaks over all processes: shared pages counted once (PSS), or in each of them (RSS)."""

    pss_mib: float
    rss_mib: float


@dataclass(frozen=True, kw_only=True)
class CountsRecord:
    """Number of trainings executed by the run, and of those reused from earlier runs."""

    trainings: int
    cached: int


@dataclass(frozen=True, kw_only=True)
class TrackingRecord:
    """MLflow's address, and the id of the experiment if known."""

    ui: str = ""
    experiment_id: str | None = None
    command: str | None = None
