"""Run specifications: requests, resolved and checked before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data.catalog import OWN_READERS
from data.digest_cache import KnownDigests
from data.fingerprint import digest_json
from flows.experiment.corrected import check_labelled
from flows.experiment.experiment_file import own_base, settings_of
from flows.experiment.fields import telling
from flows.experiment.inputs import check_apart, find_raw
from flows.experiment.raw_data import RawData
from flows.experiment.run_request import RunRequest
from flows.experiment.settings import Experiment
from flows.experiment.toml_file import problem, settings_error
from flows.experiment.validation import findings_in


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """A request with its settings and raw data: everything a run depends on.

    Attributes:
        request: the request.
        experiment: its settings, with all classes named.
        raw: its raw files and weights, with digests.
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
        if self.raw.corrections:
            raw = {**raw, "corrections": dict(self.raw.corrections)}
        settings = telling(self.experiment)
        _forget_paths(settings)
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


def _forget_paths(settings: dict[str, Any]) -> None:
    """Remove paths of the user's own files, which are identified by their digests."""
    if "labelled" in settings["target"]:
        for name in ("labelled", "unlabelled", "test", "corrections"):
            settings["target"].pop(name, None)
    for part in (*settings["sources"], *settings["datasets"].values()):
        part.pop("data", None)
        if part.get("reader") in OWN_READERS.values():
            del part["folder"]


def resolve(request: RunRequest, known: KnownDigests) -> RunSpec:
    """Like `located`, and check that the raw data may be used together.

    Raises:
        SettingsError: see `located`.
        DataError: see `located`; also if a file would leak what is to be predicted, or the target
            has too few labels.
        StageError: see `located`.
    """
    spec = located(request, known)
    check_apart(spec.experiment, spec.raw)
    check_labelled(spec.experiment, spec.raw)
    return spec


def located(
    request: RunRequest, known: KnownDigests, experiment: Experiment | None = None
) -> RunSpec:
    """Read the settings and find the raw data; look up the classes that the files define.

    Args:
        request: the request.
        known: known digests of raw files; new ones are added.
        experiment: its settings, if they have been read.

    Raises:
        SettingsError: if the experiment file or an option is wrong, or the data do not match it.
        DataError: if a raw file is missing.
        StageError: if the trunk or its weights are missing.
    """
    if experiment is None:
        experiment = settings_of(request)
    root = None if request.data is None else Path(request.data)
    raw = find_raw(experiment, root, known, own_base(request.experiment, request.data))
    if not experiment.classes_are_known:
        try:
            experiment = experiment.with_classes(raw.classes)
        except ValidationError as error:
            where = f"{experiment.name} on {raw.root or 'embedded data'}"
            found = [problem(where, entry.key, entry.text) for entry in findings_in(error.errors())]
            raise settings_error(found) from error
    # Store the scale explicitly, as the default may change.
    request = replace(request, scale=experiment.scale)
    return RunSpec(request=request, experiment=experiment, raw=raw)
