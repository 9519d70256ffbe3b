"""What drawing embedded photos or clips is given."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DrawJob:
    """Name of the embedded reader, and the split."""

    reader: str
    split: str
