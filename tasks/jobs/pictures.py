"""Job: turn photos, or frames of clips, into squares of one size."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.broken_files import check_share
from data.errors import DataError
from data.frames.store import open_frames
from data.images.crop import Pixels, read_photo, square
from data.images.npy_writer import ImageFile
from data.listing import UNLABELLED
from data.raw_files import About, about, listed
from data.reader import RawImages, Samples
from data.tables.prepared import IMAGES, save_prepared
from tasks.jobs.inputs.pictures import BROKEN, PicturesJob
from tasks.outcome import Outcome


class Picture(NamedTuple):
    """One image: pixels, name, clip, recording and label."""

    name: str
    clip: str
    group: str
    label: int
    pixels: Pixels


def run(job: PicturesJob, folder: Path) -> Outcome:
    """Decode everything into a prepared set, in `output`; broken photos are left out and listed."""
    if job.frames and job.about:
        return _from_frames(job, job.frames, job.about, folder)
    return _from_photos(job, folder)


def _from_frames(job: PicturesJob, frames: Path, said: About, folder: Path) -> Outcome:
    store = open_frames(frames, sealed=job.split == "test")
    classes = said.classes
    columns = store.manifest.select(["clip", "frame", "group", "class"]).to_pydict()

    def pictures() -> Iterator[Picture]:
        for row, (clip, frame, group, name) in enumerate(zip(*columns.values(), strict=True)):
            picture = store.picture(row)
            picture.draft("RGB", (job.side, job.side))
            pixels = square(picture, job.side)
            label = classes.index(name) if name else UNLABELLED
            yield Picture(f"{clip}#{frame}", clip, group, label, pixels)

    raw = _stored(job, folder, pictures(), len(store), said)
    return Outcome(_summary(raw) | {"clips": len({*columns["clip"]})})


def _from_photos(job: PicturesJob, folder: Path) -> Outcome:
    listing = listed(
        job.reader,
        job.split,
        job.root,
        job.raw,
        partial=job.partial,
        home=job.home,
        drawn=folder / "drawn",
        unlabelled=job.unlabelled,
    )
    total, broken = len(listing.files), dict[str, str]()

    def pictures() -> Iterator[Picture]:
        for file in listing.files:
            try:
                pixels = read_photo(listing.root / file.path, job.side)
            except DataError as error:
                broken[file.path] = str(error)
            else:
                yield Picture(file.path, file.path, file.group, file.label, pixels)
        check_share(broken, total, job.max_broken, "photos")

    raw = _stored(job, folder, pictures(), total, about(listing))
    (folder / "output" / BROKEN).write_text(json.dumps(broken, indent=1) + "\n", encoding="ascii")
    return Outcome(_summary(raw) | {"skipped": dict(listing.skipped), "broken": len(broken)})


def _stored(
    job: PicturesJob,
    folder: Path,
    pictures: Iterable[Picture],
    most: int,
    said: About,
) -> RawImages:
    """Write pictures, at most `most`, one by one to a prepared set."""
    file = ImageFile(folder / "output" / IMAGES, most, (job.side, job.side, 3))
    rows = []
    for picture in pictures:
        file.append(picture.pixels[np.newaxis])
        rows.append(picture[:-1])
    names, clips, groups, labels = zip(*rows, strict=True)
    raw = RawImages(
        images=file.close(),
        labels=np.array(labels, np.int64),
        classes=said.classes,
        origin=said.origin,
        official=said.official,
        samples=Samples(names=names, clips=clips, groups=groups),
    )
    save_prepared(raw, folder / "output", sealed=job.split == "test", stored=True)
    return raw


def _summary(raw: RawImages) -> dict[str, object]:
    unlabelled = int((raw.labels == UNLABELLED).sum())
    return {
        **({"unlabelled": unlabelled} if unlabelled else {}),
        "origin": raw.origin,
        "official": raw.official,
        "samples": len(raw.labels),
        "classes": list(raw.classes),
        "per_class": [int((raw.labels == c).sum()) for c in range(len(raw.classes))],
    }
