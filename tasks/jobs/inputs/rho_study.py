"""What the study of rho is given."""

from dataclasses import dataclass
from pathlib import Path

from tasks.jobs.inputs.models import MethodInputs
from tasks.jobs.inputs.streams import StreamInputs


@dataclass(frozen=True, kw_only=True)
class RhoStudyJob(StreamInputs, MethodInputs):
    """Probes of mini-batches.

    trained: folder of the finished training to probe, along with its random start.
    probes: number of mini-batches to probe at each of the two.
    """

    trained: Path
    probes: int
