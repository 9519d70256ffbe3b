"""Defaults of an experiment file that depend on its name and on other values of it.

The others are those of the settings' own types. What the user has written is never changed.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data.catalog import FILE_READERS, READERS, media_of


def with_defaults(values: Mapping[str, Any], file: str) -> dict[str, Any]:
    """The values of a file with what is not given: name, title, names of sources, images, tables.

    Args:
        values: by key, unchecked; what is of a wrong type is left to the checks.
        file: the path of the file, after which the experiment is named.
    """
    name = values.get("name", re.sub(r"[^A-Za-z0-9_-]+", "-", Path(file).stem).strip("-"))
    given = {"name": name, "title": name, **values}
    if isinstance(values.get("sources"), list):
        given["sources"] = [
            {"name": f"S{place}", **source} if isinstance(source, Mapping) else source
            for place, source in enumerate(values["sources"], start=1)
        ]
    media = _media(values.get("datasets"))
    if set(media.values()) & {"photos", "clips"}:
        given.setdefault("images", {})
    target, outputs = values.get("target"), values.get("outputs", {})
    if isinstance(target, Mapping) and isinstance(outputs, Mapping):
        dataset = target.get("dataset")
        if isinstance(dataset, str) and media.get(dataset) == "clips":
            # Of clips, table 3 shows what tables 1 and 2 show of images.
            given["outputs"] = {"tables": [3], **outputs}
    return given


def _media(datasets: object) -> dict[str, str]:
    """Kind of data by data set, of those with a known reader."""
    if not isinstance(datasets, Mapping):
        return {}
    readers = {
        name: dataset.get("reader")
        for name, dataset in datasets.items()
        if isinstance(dataset, Mapping)
    }
    return {
        name: media_of(reader)
        for name, reader in readers.items()
        if isinstance(reader, str) and reader in {**READERS, **FILE_READERS}
    }
