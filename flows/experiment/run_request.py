"""Run requests: the arguments of a command or the parameters of a deployment."""

import shlex
from dataclasses import dataclass
from typing import Any, Literal

Engine = Literal["local", "workers"]
"""Where trainings run: in slots of this machine, or on the workers of a fleet."""
NOTHING = "none"
"""Value of an output option for no outputs."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A request of a command or deployment: an experiment, a scale, and overrides.

    Attributes:
        experiment: a packaged experiment or the path of a TOML file.
        scale: a table under its `[scales]`; None for `demo`, or the only one.
        data: folder of the real data; None for the embedded data.
        k: labelled samples per class; empty for the file's.
        draws: number of random V; None for the file's.
        seed: random seed; None for the file's.
        weights: `none`, `imagenet`, `pretrained` or a file; None for the file's.
        partial: skip missing photos and clips.
        tables: numbers of the paper's tables to make; None for the file's.
        figures: numbers of the paper's figures to make; None for the file's.
        studies: `rho`, `hyper_validation`; None for the file's.
    """

    experiment: str = "digits"
    scale: str | None = None
    data: str | None = None
    k: tuple[int, ...] = ()
    draws: int | None = None
    seed: int | None = None
    weights: str | None = None
    partial: bool = False
    tables: tuple[int, ...] | None = None
    figures: tuple[int, ...] | None = None
    studies: tuple[str, ...] | None = None

    @property
    def command(self) -> str:
        """Command line of the same request."""
        words = ["gradmix", "reproduce", self.experiment]
        words += ["--scale", self.scale] if self.scale is not None else []
        words += ["--data", self.data] if self.data is not None else []
        words += [word for k in self.k for word in ("--k", str(k))]
        words += ["--draws", str(self.draws)] if self.draws is not None else []
        words += ["--seed", str(self.seed)] if self.seed is not None else []
        words += ["--weights", self.weights] if self.weights is not None else []
        words += ["--partial"] if self.partial else []
        for option, chosen in self.outputs.items():
            words += [option, ",".join(map(str, chosen)) or NOTHING] if chosen is not None else []
        return shlex.join(words)

    @property
    def outputs(self) -> dict[str, tuple[Any, ...] | None]:
        """Outputs by option; None for the file's."""
        return {"--tables": self.tables, "--figures": self.figures, "--studies": self.studies}
