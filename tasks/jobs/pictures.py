"""Photos, or frames of clips, as squares of one size, as they are made inside a slot process."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data.broken_files import check_share
from data.errors import DataError
from data.frames.store import open_frames
from data.images.crop import Pixels, read_photo, square
from data.images.npy_writer import ImageFile
from data.raw_files import about, listed
from data.reader import RawImages, Samples
from data.tables.prepared import IMAGES, save_prepared

BROKEN = "broken.json"
"""Of photos: why each of those was left out that could not be decoded."""


class Picture(NamedTuple):
    """One image: what it is called, the clip and the recording that it is from, what it shows."""

    name: str
    clip: str
    group: str
    label: int
    pixels: Pixels


def run(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Decode everything into a prepared set, in `output`; broken photos are left out and listed."""
    return _from_frames(job, folder) if job["frames"] else _from_photos(job, folder)


def _from_frames(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    store = open_frames(Path(job["frames"]), sealed=job["split"] == "test")
    classes = job["about"]["classes"]
    columns = store.manifest.select(["clip", "frame", "group", "class"]).to_pydict()

    def pictures() -> Iterator[Picture]:
        for row, (clip, frame, group, name) in enumerate(zip(*columns.values(), strict=True)):
            picture = store.picture(row)
            picture.draft("RGB", (job["side"], job["side"]))
            pixels = square(picture, job["side"])
            yield Picture(f"{clip}#{frame}", clip, group, classes.index(name), pixels)

    raw = _stored(job, folder, pictures(), len(store), job["about"])
    return {"summary": _summary(raw) | {"clips": len({*columns["clip"]})}}


def _from_photos(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    listing = listed(
        job["reader"],
        job["split"],
        job["root"],
        job["raw"],
        partial=job["partial"],
        home=Path(job["home"]),
        drawn=folder / "drawn",
    )
    total, broken = len(listing.files), dict[str, str]()

    def pictures() -> Iterator[Picture]:
        for file in listing.files:
            try:
                pixels = read_photo(listing.root / file.path, job["side"])
            except DataError as error:
                broken[file.path] = str(error)
            else:
                yield Picture(file.path, file.path, file.group, file.label, pixels)
        check_share(broken, total, job["max_broken"], "photos")

    raw = _stored(job, folder, pictures(), total, about(listing))
    (folder / "output" / BROKEN).write_text(json.dumps(broken, indent=1) + "\n", encoding="ascii")
    return {"summary": _summary(raw) | {"skipped": dict(listing.skipped), "broken": len(broken)}}


def _stored(
    job: dict[str, Any],
    folder: Path,
    pictures: Iterable[Picture],
    most: int,
    about: dict[str, Any],
) -> RawImages:
    """Write pictures, of which there are at most so many, one by one to a prepared set."""
    file = ImageFile(folder / "output" / IMAGES, most, (job["side"], job["side"], 3))
    rows = []
    for picture in pictures:
        file.append(picture.pixels[np.newaxis])
        rows.append(picture[:-1])
    names, clips, groups, labels = zip(*rows, strict=True)
    raw = RawImages(
        images=file.close(),
        labels=np.array(labels, np.int64),
        classes=tuple(about["classes"]),
        origin=about["origin"],
        official=about["official"],
        samples=Samples(names=names, clips=clips, groups=groups),
    )
    save_prepared(raw, folder / "output", sealed=job["split"] == "test", stored=True)
    return raw


def _summary(raw: RawImages) -> dict[str, Any]:
    return {
        "origin": raw.origin,
        "official": raw.official,
        "samples": len(raw.labels),
        "classes": list(raw.classes),
        "per_class": [int((raw.labels == c).sum()) for c in range(len(raw.classes))],
    }
