"""A run specification: what a user asked for, resolved and checked before anything runs."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data.digest_cache import KnownDigests
from data.fingerprint import digest_json
from flows.experiment.experiment_file import SettingsError, load_experiment
from flows.experiment.inputs import check_apart, find_raw
from flows.experiment.issues import dotted, key_and_text
from flows.experiment.raw_data import RawData
from flows.experiment.settings import Experiment
from flows.experiment.toml_lines import Key

NOTHING = "none"
"""The value of an output option that asks for none."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a command or a deployment asks for: an experiment, a scale, and overrides.

    Attributes:
        experiment: a packaged experiment or the path of a TOML file.
        scale: a table under its `[scales]`.
        data: folder of the real data; None for the embedded data.
        k: labelled samples a class; the file's if empty.
        draws: number of random V; None for the file's.
        seed: None for the file's.
        weights: `none`, `imagenet` or a file; None for the file's.
        partial: leave out photos and clips that are missing.
        tables: numbers of the paper's tables to make; None for the file's.
        figures: numbers of the paper's figures to make; None for the file's.
        studies: `rho`, `hyper_validation`; None for the file's.
    """

    experiment: str = "digits"
    scale: str = "demo"
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
        """The command that makes the same request."""
        words = ["gradmix", "reproduce", self.experiment, "--scale", self.scale]
        words += ["--data", self.data] if self.data is not None else []
        words += [word for k in self.k for word in ("--k", str(k))]
        words += ["--draws", str(self.draws)] if self.draws is not None else []
        words += ["--seed", str(self.seed)] if self.seed is not None else []
        words += ["--weights", self.weights] if self.weights is not None else []
        words += ["--partial"] if self.partial else []
        for option, chosen in self._outputs.items():
            words += [option, ",".join(map(str, chosen)) or NOTHING] if chosen is not None else []
        return shlex.join(words)

    @property
    def _outputs(self) -> dict[str, tuple[Any, ...] | None]:
        """Outputs by option; None where the file decides."""
        return {"--tables": self.tables, "--figures": self.figures, "--studies": self.studies}

    def settings(self) -> Experiment:
        """The experiment's settings with the overrides applied.

        Raises:
            SettingsError: if the file or an option is wrong.
        """
        given: dict[Key, tuple[str, Any]] = {
            ("target", "k"): ("--k", list(self.k) or None),
            ("target", "draws"): ("--draws", self.draws),
            ("seed",): ("--seed", self.seed),
            ("network", "weights"): ("--weights", self.weights),
            ("partial",): ("--partial", self.partial or None),
        }
        for option, chosen in self._outputs.items():
            given["outputs", option.removeprefix("--")] = (option, chosen)
        options = {key: option for key, option in given.items() if option[1] is not None}
        return load_experiment(self.experiment, self.scale, options)


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A request with its settings read and its raw data found: all that a run depends on.

    Attributes:
        request: what was asked for.
        experiment: its settings, with every class named.
        raw: its raw files and weights, with their digests.
    """

    request: RunRequest
    experiment: Experiment
    raw: RawData

    @property
    def identity(self) -> str:
        """Digest of the settings and the raw data."""
        raw: Mapping[str, Any] = {
            f"{name}/{split}": files for (name, split), files in self.raw.digests.items()
        }
        settings = self.experiment.model_dump(mode="json")
        # The identity depends on the bytes of the weights, not on their path.
        del settings["network"]["weights"]
        outside = [self.raw.weights_digest, self.raw.code_digest]
        embedded = self.raw.root is None
        return digest_json(
            {"settings": settings, "raw": raw, "embedded": embedded, "network": outside}
        )

    @property
    def scope(self) -> str:
        """Experiment, scale and kind of data."""
        kind = "embedded" if self.raw.root is None else "real"
        return f"{self.experiment.name}/{self.experiment.scale}/{kind}"

    @property
    def name(self) -> str:
        """Name of the reproduction: readable, and the same for the same settings and data."""
        return f"{self.experiment.name}-{self.experiment.scale}-{self.identity[:8]}"


def resolve(request: RunRequest, known: KnownDigests) -> RunSpec:
    """Read the settings and find the raw data; look up the classes that the files define.

    Args:
        request: what was asked for.
        known: digests of raw files taken earlier; new ones are added.

    Raises:
        SettingsError: if the experiment file or an option is wrong, or the data do not fit it.
        DataError: if a raw file is missing.
        StageError: if the trunk or its weights are.
    """
    experiment = request.settings()
    root = None if request.data is None else Path(request.data)
    raw = find_raw(experiment, root, known)
    if not experiment.classes_are_known:
        try:
            experiment = experiment.with_classes(raw.classes)
        except ValidationError as error:
            key, text = key_and_text(error.errors())
            where = raw.root or "embedded data"
            raise SettingsError(f"{experiment.name} on {where}: {dotted(key)}: {text}") from error
    check_apart(experiment, raw)
    return RunSpec(request=request, experiment=experiment, raw=raw)
