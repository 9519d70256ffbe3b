"""What a stage is executed for: its place in the experiment, whatever its inputs are."""

from collections.abc import Mapping
from dataclasses import dataclass

SHORT = {"learning_rate": "lr"}
"""Abbreviations of settings in labels."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A row of the table, a cell of the grid, a split of a data set, ...: equal in every run.

    By it a plan finds the result of an earlier run, a rerun finds its cell, and progress is
    counted. The label is made from it, and never read.

    Attributes:
        name: of a row of the table, of a split of a data set, or of what is made of these.
        k: labelled samples a class in V; None outside a draw.
        draw: number of V; None outside a draw.
        settings: of a cell of the grid, or of a candidate of a search, as pairs.
    """

    name: str
    k: int | None = None
    draw: int | None = None
    settings: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(
        cls, name: str, k: int, draw: int, settings: Mapping[str, float] | None = None
    ) -> "Subject":
        """The subject within a draw."""
        return cls(name=name, k=k, draw=draw, settings=tuple((settings or {}).items()))

    @property
    def label(self) -> str:
        """As it is displayed, such as `k=3 draw=0: GradMix beta=5 gamma=0.4`."""
        where = "" if self.k is None else f"k={self.k} draw={self.draw}: "
        values = [f"{SHORT.get(name, name)}={value:g}" for name, value in self.settings]
        return where + " ".join([self.name, *values])
