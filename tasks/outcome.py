"""What a stage or its job reports besides the files in its output folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """Figures of an execution.

    Attributes:
        summary: figures that are part of the result, in plain JSON types.
        notes: figures that may differ between equal results: run ids, times.
        contents: digests that replace the hashes of files that also hold notes.
    """

    summary: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
