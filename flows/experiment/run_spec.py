"""What a user asked for, resolved and checked before anything runs."""

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
"""What an option says that asks for no output."""


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """The words of a command: an experiment, a scale, and what overrides them."""

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
        """The command that asks for the same again."""
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
    def parameters(self) -> dict[str, Any]:
        """The same as parameters of the flow."""
        listed = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }
        return {**listed, "k": list(self.k) or None}

    @property
    def _outputs(self) -> dict[str, tuple[Any, ...] | None]:
        """What is to be made, by option; None where the file decides."""
        return {"--tables": self.tables, "--figures": self.figures, "--studies": self.studies}

    def settings(self) -> Experiment:
        """The experiment's settings, the options put in.

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


@dataclass(frozen=True)
class Order:
    """An invocation with its settings read and its raw data found."""

    invocation: Invocation
    experiment: Experiment
    raw: RawData

    @property
    def identity(self) -> str:
        """Digest of the settings and the raw data."""
        raw: Mapping[str, Any] = {
            f"{name}/{split}": files for (name, split), files in self.raw.digests.items()
        }
        settings = self.experiment.model_dump(mode="json")
        # The bytes of weights decide, not where they lie.
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
        """Name of the reproduction: readable, and the same for the same order."""
        return f"{self.experiment.name}-{self.experiment.scale}-{self.identity[:8]}"


def place_order(invocation: Invocation, known: KnownDigests | None = None) -> Order:
    """Read the settings and find the raw data; classes that the files decide are looked up.

    Args:
        invocation: the words of a command.
        known: digests of raw files that were taken before.

    Raises:
        SettingsError: if the experiment file or an option is wrong, or the data do not fit it.
        DataError: if a raw file is missing.
        StageError: if the trunk or its weights are.
    """
    experiment = invocation.settings()
    root = None if invocation.data is None else Path(invocation.data)
    raw = find_raw(experiment, root, known or KnownDigests())
    if not experiment.classes_are_known:
        try:
            experiment = experiment.with_classes(raw.classes)
        except ValidationError as error:
            key, text = key_and_text(error.errors())
            where = raw.root or "embedded data"
            raise SettingsError(f"{experiment.name} on {where}: {dotted(key)}: {text}") from error
    check_apart(experiment, raw)
    return Order(invocation, experiment, raw)
