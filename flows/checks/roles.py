"""The photos and clips of an experiment, by their purpose."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data.catalog import list_files, list_unlabelled
from data.errors import DataError
from data.listing import Listing, Media
from data.paths import expanded
from flows.experiment.datasets import Dataset, Source
from flows.experiment.experiment_file import own_base
from flows.experiment.issues import Finding
from flows.experiment.own_data import TARGET, found_at
from flows.experiment.run_request import RunRequest
from flows.experiment.settings import Experiment
from flows.experiment.toml_lines import Key

Kind = Literal["labelled", "unlabelled", "test", "source"]


@dataclass(frozen=True, kw_only=True)
class Role:
    """Files used for one purpose.

    Attributes:
        name: name in messages: `labelled`, `unlabelled`, `test`, or the name of a source.
        kind: purpose of the files. The training split of a target that V is drawn from is
            `labelled`.
        key: key of the experiment file that names them.
        media: photos or clips.
        listing: the files.
        classes: classes in use; None for all.
    """

    name: str
    kind: Kind
    key: Key
    media: Media
    listing: Listing
    classes: tuple[str, ...] | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """Names of the classes in use, in the listing's order."""
        known = self.listing.classes
        return tuple(name for name in known if self.classes is None or name in self.classes)


@dataclass
class Roles:
    """The roles found, and problems with those that could not be listed.

    Attributes:
        found: roles in the order labelled, unlabelled, test, sources.
        wrong: problems with the others.
    """

    found: list[Role] = field(default_factory=list)
    wrong: list[Finding] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Role]:
        """Roles of a kind."""
        return [role for role in self.found if role.kind == kind]


def find_roles(experiment: Experiment, request: RunRequest) -> Roles:
    """List the files of an experiment; embedded data and arrays have none."""
    roles, places = Roles(), _Places(experiment, request)
    dataset = experiment.datasets[experiment.target.dataset]
    if places.is_listed(dataset):
        for kind, key, listing in places.of_target(dataset):
            _add(roles, (kind, kind, key), dataset, listing, experiment.target.classes)
    for place, source in enumerate(experiment.sources):
        dataset = experiment.datasets[source.dataset]
        if places.is_listed(dataset):
            key = places.key_of(source, place)
            listing = places.lister(dataset, "train")
            classes = experiment.target.classes if source.classes == TARGET else source.classes
            _add(roles, (source.name, "source", key), dataset, listing, classes)
    return roles


def _add(
    roles: Roles,
    named: tuple[str, Kind, Key],
    dataset: Dataset,
    listing: Callable[[], Listing],
    classes: Sequence[str] | str,
) -> None:
    name, kind, key = named
    media: Media = "clips" if dataset.media == "clips" else "photos"
    chosen = None if isinstance(classes, str) or kind == "unlabelled" else tuple(classes)
    try:
        role = Role(name=name, kind=kind, key=key, media=media, listing=listing(), classes=chosen)
    except DataError as error:
        roles.wrong += [Finding(key, _small(line)) for line in str(error).splitlines()]
    except OSError as error:
        text = f"expected to read {error.filename}, found: {error.strerror}; check it."
        roles.wrong.append(Finding(key, text))
    else:
        roles.found.append(role)


def _small(line: str) -> str:
    return line[:1].lower() + line[1:] if line.startswith("Expected") else line


@dataclass(frozen=True)
class _Places:
    """Locations of an experiment's files, and the keys that name them."""

    experiment: Experiment
    request: RunRequest

    def is_listed(self, dataset: Dataset) -> bool:
        """Whether a data set consists of existing files, rather than drawn ones."""
        return dataset.media != "arrays" and (dataset.own or self.request.data is not None)

    def key_of(self, source: Source, place: int) -> Key:
        """Key that names the files of a source."""
        return ("sources", place, "data") if source.data else ("datasets", source.dataset)

    def lister(self, dataset: Dataset, split: str) -> Callable[[], Listing]:
        """Function that lists a split of a data set."""
        root, partial = self._root(dataset), self.experiment.partial
        return lambda: list_files(dataset.reader, root, split, partial=partial)

    def of_target(self, dataset: Dataset) -> Iterator[tuple[Kind, Key, Callable[[], Listing]]]:
        """Roles of the target's files."""
        target, partial = self.experiment.target, self.experiment.partial
        if target.labelled is None:
            key: Key = ("datasets", target.dataset)
            yield "labelled", key, self.lister(dataset, "train")
            yield "test", key, self.lister(dataset, "test")
            return
        yield "labelled", (TARGET, "labelled"), self.lister(dataset, "train")
        places = [found_at(self._base, path) for path in target.unlabelled]
        media: Media = "clips" if dataset.media == "clips" else "photos"
        yield (
            "unlabelled",
            (TARGET, "unlabelled"),
            lambda: list_unlabelled(places, media=media, partial=partial),
        )
        if target.test is not None:
            root = found_at(self._base, target.test)
            yield (
                "test",
                (TARGET, "test"),
                lambda: list_files(dataset.reader, root, "test", partial=partial),
            )

    @property
    def _base(self) -> Path:
        return own_base(self.request.experiment, self.request.data)

    def _root(self, dataset: Dataset) -> Path:
        if dataset.own:
            return found_at(self._base, dataset.folder)
        return expanded(self.request.data or ".").absolute() / dataset.folder


def counts_of(role: Role, counts: Mapping[str, int]) -> dict[str, int]:
    """Counts of the classes in use."""
    return {name: counts[name] for name in role.used}
