"""The table of held-out samples: true labels and an ensemble's predictions."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.errors import DataError, one_line
from data.fingerprint import canonical_json
from data.tables.columns import Floats, clips, flat, nested, texts, unnested
from data.tables.parquet import read_table, write_table

METADATA_KEY = b"gradmix"
SCHEMA = pa.schema(
    [
        ("sample_id", pa.int64()),
        ("clip", pa.string()),
        ("label", pa.int64()),
        ("member_probabilities", pa.list_(pa.list_(pa.float32()))),
    ]
)


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Labelled samples scored by the members that were not trained on them.

    Attributes:
        sample_id: int64 [N], row numbers in the prepared target set.
        label: int64 [N], indices into `classes`.
        member_probabilities: float32 [N, R, C]; NaN where a member was trained on the sample.
        classes: the C class names, in order.
        members: identities of the R trainings.
        clip: N names of the samples' clips; None if the samples are not frames.
    """

    sample_id: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    member_probabilities: Floats
    classes: tuple[str, ...]
    members: tuple[str, ...]
    clip: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Check that the columns match.

        Raises:
            DataError: if a shape is wrong, a label is not a class, or a sample is scored by no
                member or only in part.
        """
        n, r, c = len(self.sample_id), len(self.members), len(self.classes)
        found = (len(self.label), self.member_probabilities.shape)
        if found != (n, (n, r, c)):
            raise DataError(f"expected {n} labels and scores {[n, r, c]}, found {found}.")
        if ((self.label < 0) | (self.label >= c)).any():
            raise DataError(f"expected labels in 0..{c - 1}, found others.")
        unscored = np.isnan(self.member_probabilities)
        if unscored.all(axis=(1, 2)).any() or (unscored.any(2) != unscored.all(2)).any():
            raise DataError(
                "expected every sample scored in full by a member, found one that isn't."
            )


def write_held_out(held_out: HeldOut, path: Path) -> None:
    """Write the table as one Parquet file; the same samples give the same bytes."""
    metadata = {"classes": held_out.classes, "members": held_out.members}
    columns = [
        pa.array(held_out.sample_id, pa.int64()),
        texts(held_out.clip, len(held_out.sample_id)),
        pa.array(held_out.label, pa.int64()),
        nested(held_out.member_probabilities),
    ]
    schema = SCHEMA.with_metadata({METADATA_KEY: canonical_json(metadata)})
    write_table(pa.Table.from_arrays(columns, schema=schema), path)


def read_held_out(path: Path) -> HeldOut:
    """Read a table written by `write_held_out`.

    Raises:
        DataError: if the file is missing, damaged or inconsistent.
    """
    table = read_table(path, SCHEMA, "held-out samples")
    try:
        metadata = json.loads((table.schema.metadata or {})[METADATA_KEY])
        classes, members = tuple(metadata["classes"]), tuple(metadata["members"])
        shape = (table.num_rows, len(members), len(classes))
        return HeldOut(
            sample_id=flat(table, "sample_id"),
            label=flat(table, "label"),
            member_probabilities=unnested(table, "member_probabilities", shape),
            classes=classes,
            members=members,
            clip=clips(table),
        )
    except (DataError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"Expected held-out samples in {path}, found damaged ones ({one_line(error)}): remove "
            "the folder; they are recreated."
        ) from error
