"""Data sets for the user's own files, which are given as paths.

`[target] labelled = PATH` and `[[sources]] data = PATH` each stand for a data set, named after its
path and read by a reader of its kind. Everything else is the same as for named data sets.
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
    """The values of an experiment file, with paths replaced by data sets.

    Attributes:
        values: values by key, unchecked.
        wrong: invalid paths, at the keys written by the user.
        written: key written by the user, by the key that replaces it.
    """

    values: dict[str, Any]
    wrong: list[Finding] = field(default_factory=list)
    written: dict[Key, Key] = field(default_factory=dict)


def with_own_data(values: Mapping[str, Any], base: Path) -> OwnData:
    """Replace every path in a file's values by a data set.

    Args:
        values: values by key, unchecked; wrong types are left to the checks.
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
    """Resolve a path of an experiment file: absolute, without `..`, keeping links."""
    # Not `resolve`, which would replace the links that the user sees.
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
    """Add the data set of a path, unless it exists; returns its name.

    Args:
        own: receives problems.
        known: the data sets so far.
        base: folder that relative paths start from.
        named: preferred name, key of the path, and the path.
    """
    wanted, key, path = named
    dataset = {"reader": OWN_READERS[_media(own, base, key, path)], "folder": path}
    same = [name for name, other in known.items() if other == dataset]
    name = same[0] if same else _free(wanted, known)
    known[name] = dataset
    own.written["datasets", name] = key
    return name


def _media(own: OwnData, base: Path, key: Key, path: str) -> Media:
    """Kind of the files at a path; photos if unknown."""
    place = _place(own, base, key, path)
    try:
        return "photos" if place is None else find_media(place)
    except ProblemsError:
        # Problems of a table are all reported, with their rows, when it is listed.
        return "photos"
    except DataError as error:
        text = str(error)
        own.wrong.append(Finding(key, text[:1].lower() + text[1:]))
        return "photos"


def _place(own: OwnData, base: Path, key: Key, path: str) -> Path | None:
    """Resolve a path; None if it does not exist."""
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
    """The name, with a number appended if it is taken."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
