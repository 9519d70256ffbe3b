"""Defaults of an experiment file that depend on its name and its other values.

Other defaults are in the types of the settings. Values written by the user never change.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from data.catalog import FILE_READERS, READERS, media_of

OWN_FIRST_STAGE: Mapping[str, bool] = MappingProxyType({"v_trains_trunk": True})
"""Settings of the first stage for the user's own files: the reading of the paper that was best on
hyper-validation (docs/results.md)."""


def with_defaults(values: Mapping[str, Any], file: str) -> dict[str, Any]:
    """Add missing values to a file's: name, title, names of sources, images, tables, first stage.

    Args:
        values: values by key, unchecked; wrong types are left to the checks.
        file: path of the file, after which the experiment is named.
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
            # For clips, table 3 shows what tables 1 and 2 show for images.
            given["outputs"] = {"tables": [3], **outputs}
    if isinstance(target, Mapping) and "labelled" in target:
        given["first_stage"] = _own_first_stage(values.get("first_stage", {}))
    return given


def _own_first_stage(stage: Any) -> Any:  # noqa: ANN401 - unchecked
    settings = stage.get("settings", {}) if isinstance(stage, Mapping) else None
    if not isinstance(settings, Mapping):
        return stage
    return {**stage, "settings": {**OWN_FIRST_STAGE, **settings}}


def _media(datasets: object) -> dict[str, str]:
    """Kind of data by data set, for known readers."""
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
