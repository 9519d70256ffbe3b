"""Where a reproduction ran and what it took, as a record has it."""

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
    """Trainings that the run made, and those that earlier runs had made."""

    trainings: int
    cached: int


@dataclass(frozen=True, kw_only=True)
class TrackingRecord:
    """Where MLflow's pages are: their address, and the id of the experiment if it was known."""

    ui: str = ""
    experiment_id: str | None = None
    command: str | None = None
