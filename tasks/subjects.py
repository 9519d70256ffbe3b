"""Subjects: the place of a stage's execution in the experiment, independent of its inputs."""

from collections.abc import Mapping
from dataclasses import dataclass

SHORT = {"learning_rate": "lr"}
"""Abbreviations of settings in labels."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A row of the table, a grid cell, a split of a data set, and so on; the same in every run.

    Plans use it to find results of earlier runs, reruns to find a cell, and progress displays to
    count. The label is derived from it and never parsed.

    Attributes:
        name: name of a table row, a split of a data set, or something made from these.
        k: labelled samples per class in V; None outside a draw.
        draw: number of V; None outside a draw.
        settings: settings of a grid cell or a search candidate, as pairs.
    """

    name: str
    k: int | None = None
    draw: int | None = None
    settings: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(
        cls, name: str, k: int, draw: int, settings: Mapping[str, float] | None = None
    ) -> "Subject":
        """Subject within a draw."""
        return cls(name=name, k=k, draw=draw, settings=tuple((settings or {}).items()))

    @property
    def label(self) -> str:
        """Display form, such as `k=3 draw=0: GradMix beta=5 gamma=0.4`."""
        where = "" if self.k is None else f"k={self.k} draw={self.draw}: "
        values = [f"{SHORT.get(name, name)}={value:g}" for name, value in self.settings]
        return where + " ".join([self.name, *values])
