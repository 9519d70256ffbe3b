"""Files of one's own, written as paths: the data sets that they stand for.

`[target] labelled = PATH` and `[[sources]] data = PATH` are a data set each, which is named after
its path and read by a reader of its kind. What follows is the same as for data sets with names.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.catalog import OWN_READERS, find_media
from data.errors import DataError, ProblemsError, UserError
from data.listing import Media
from data.paths import expanded
from flows.experiment.datasets import RESERVED
from flows.experiment.issues import Finding, said
from flows.experiment.toml_lines import Key

TARGET = "target"
_LONGEST_NAME = 40


@dataclass
class OwnData:
    """The values of an experiment file with its paths as data sets.

    Attributes:
        values: by key, unchecked.
        wrong: paths that lead nowhere, at the keys that the user has written.
        written: the key that the user has written, by the key that stands for it.
    """

    values: dict[str, Any]
    wrong: list[Finding] = field(default_factory=list)
    written: dict[Key, Key] = field(default_factory=dict)


def with_own_data(values: Mapping[str, Any], base: Path) -> OwnData:
    """The values of a file, with a data set for every path in it.

    Args:
        values: by key, unchecked; what is of a wrong type is left to the checks.
        base: folder that relative paths start from.
    """
    own = OwnData(dict(values))
    datasets = values.get("datasets", {})
    if isinstance(datasets, Mapping):
        known: dict[str, Any] = dict(datasets)
        _add_target(own, known, base)
        _add_sources(own, known, base)
        if known or "datasets" in values:
            own.values["datasets"] = known
    return own


def found_at(base: Path, written: str) -> Path:
    """Where a path of an experiment file leads: absolute, without `..`, links as they are."""
    # Not `resolve`: names are those that people see, links or not.
    return Path(os.path.abspath(base / expanded(written)))  # noqa: PTH100


def _add_target(own: OwnData, known: dict[str, Any], base: Path) -> None:
    target = own.values.get("target")
    if not isinstance(target, Mapping) or not isinstance(target.get("labelled"), str):
        return
    target = dict(target)
    if isinstance(target.get("unlabelled"), str):
        target["unlabelled"] = [target["unlabelled"]]
    if "dataset" in target:
        text = said("labelled or dataset", "both", "remove one")
        own.wrong.append(Finding(("target", "dataset"), text))
    target.setdefault("hyper_validation", "cross")
    name = _add(own, known, base, (TARGET, ("target", "labelled"), target["labelled"]))
    for key, path in _other_paths(target):
        _place(own, base, key, path)
    own.values["target"] = {**target, "dataset": name}
    own.written["target", "dataset"] = ("target", "labelled")


def _other_paths(target: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    unlabelled = target.get("unlabelled")
    for place, path in enumerate(unlabelled if isinstance(unlabelled, list) else ()):
        if isinstance(path, str):
            yield ("target", "unlabelled", place), path
    if isinstance(target.get("test"), str):
        yield ("target", "test"), target["test"]


def _add_sources(own: OwnData, known: dict[str, Any], base: Path) -> None:
    sources = own.values.get("sources")
    if not isinstance(sources, list):
        return
    own.values["sources"] = sources = list(sources)
    taken = {source["name"] for source in sources if isinstance(source, Mapping) and _named(source)}
    for place, source in enumerate(sources):
        if not isinstance(source, Mapping) or not isinstance(source.get("data"), str):
            continue
        key = ("sources", place, "data")
        if "dataset" in source:
            text = said("data or dataset", "both", "remove one")
            own.wrong.append(Finding(("sources", place, "dataset"), text))
        called = _free(_slug(source["data"]), {*taken, *RESERVED})
        name = _add(own, known, base, (called, key, source["data"]))
        taken.add(source.get("name", called))
        sources[place] = {"name": called, **source, "dataset": name}
        own.written["sources", place, "dataset"] = key


def _named(source: Mapping[str, Any]) -> bool:
    return isinstance(source.get("name"), str)


def _add(own: OwnData, known: dict[str, Any], base: Path, named: tuple[str, Key, str]) -> str:
    """Add the data set of a path, unless it is there; returns its name.

    Args:
        own: gets what is wrong.
        known: the data sets so far.
        base: folder that relative paths start from.
        named: the name that it should have, the key of its path, and the path.
    """
    wanted, key, path = named
    dataset = {"reader": OWN_READERS[_media(own, base, key, path)], "folder": path}
    same = [name for name, other in known.items() if other == dataset]
    name = same[0] if same else _free(wanted, known)
    known[name] = dataset
    own.written["datasets", name] = key
    return name


def _media(own: OwnData, base: Path, key: Key, path: str) -> Media:
    """What lies at a path; photos, where that cannot be told."""
    place = _place(own, base, key, path)
    try:
        return "photos" if place is None else find_media(place)
    except ProblemsError:
        # Of a table; all of them are reported, with their rows, when it is listed.
        return "photos"
    except DataError as error:
        text = str(error)
        own.wrong.append(Finding(key, text[:1].lower() + text[1:]))
        return "photos"


def _place(own: OwnData, base: Path, key: Key, path: str) -> Path | None:
    """Where a path leads; None if that is nowhere."""
    try:
        place = found_at(base, path)
        if place.exists():
            return place
        found = f"nothing at {place}"
    except UserError as error:
        own.wrong.append(Finding(key, str(error)))
        return None
    except OSError as error:
        found = f"{error.strerror} at {path}"
    expected = "a folder or a table of files"
    own.wrong.append(Finding(key, said(expected, found, "correct the path")))
    return None


def _slug(path: str) -> str:
    """A name made from the last part of a path."""
    last = re.sub(r"\.[A-Za-z]+$", "", Path(path).name)
    return re.sub(r"[^A-Za-z0-9]+", "-", last).strip("-")[:_LONGEST_NAME] or "source"


def _free(name: str, taken: Any) -> str:  # noqa: ANN401 - any container of names
    """The name, with a number if it is taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
