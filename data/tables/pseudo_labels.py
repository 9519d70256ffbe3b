"""The pseudo-label table: an ensemble's predictions for every unlabelled sample, as Parquet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from data.errors import DataError, one_line
from data.fingerprint import canonical_json
from data.tables.columns import Floats, clips, flat, nested, texts, unnested
from data.tables.parquet import read_table, write_table

FORMAT_VERSION = 2
METADATA_KEY = b"gradmix"
NO_LABEL = -1
ROUNDING = 1e-5  # float32 means and quotients of probabilities may exceed 1 by an ulp or two
SCHEMA = pa.schema(
    [
        ("sample_id", pa.int64()),
        ("source", pa.string()),
        ("clip", pa.string()),
        ("hard_label", pa.int64()),
        ("agreed", pa.bool_()),
        ("min_confidence", pa.float32()),
        ("soft_label", pa.list_(pa.float32())),
        ("member_probabilities", pa.list_(pa.list_(pa.float32()))),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Member:
    """One model of the ensemble.

    Attributes:
        identity: identity of its training (SHA-256).
        run_id: ID of its tracking run; None if it has none.
    """

    identity: str
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class PseudoLabels:
    """The table in memory: N samples, R members, C classes.

    Attributes:
        sample_id: int64 [N], row numbers in the prepared target set.
        source: N names of the raw samples, such as "mnist/train:1234".
        clip: N names of the samples' clips; None if the samples are not frames.
        hard_label: int64 [N], indices into `classes`; -1 where the members disagree.
        agreed: bool [N], True where there is a hard label.
        min_confidence: float32 [N], see `min_confidence`.
        soft_label: float32 [N, C].
        member_probabilities: float32 [N, R, C].
        classes: the C class names, in order.
        threshold: confidence that every member had to exceed for a hard label.
        members: the R models, in the order of `member_probabilities`.
        digests: SHA-256 of the inputs of the labels, by name.
    """

    sample_id: npt.NDArray[np.int64]
    source: Sequence[str]
    hard_label: npt.NDArray[np.int64]
    agreed: npt.NDArray[np.bool_]
    min_confidence: Floats
    soft_label: Floats
    member_probabilities: Floats
    classes: tuple[str, ...]
    threshold: float
    members: tuple[Member, ...]
    digests: Mapping[str, str]
    clip: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Check that the columns match.

        Raises:
            DataError: if a shape is wrong, a probability is outside 0..1, or a hard label is not a
                class or does not match `agreed`.
        """
        _check_shapes(self)
        _check_values(self)


def min_confidence(probabilities: npt.NDArray[np.floating]) -> Floats:
    """Confidence of the least confident member in the class the members vote for.

    Each member votes for its most probable class; ties go to the class with the larger mean
    probability over members, then to the first class. If the members agree, it is their class.

    Args:
        probabilities: [R, N, C], one distribution per member and sample.

    Returns:
        float32 [N], the minimum over members of the probability of the voted class.
    """
    n_classes = probabilities.shape[2]
    votes = np.eye(n_classes)[probabilities.argmax(axis=2)].sum(axis=0)
    mean = probabilities.mean(axis=0)
    most = votes == votes.max(axis=1, keepdims=True)
    voted = np.where(most, mean, -1.0).argmax(axis=1)
    confidence: Floats = probabilities[:, np.arange(len(voted)), voted].min(axis=0)
    return confidence.astype(np.float32)


def write_pseudo_labels(labels: PseudoLabels, path: Path) -> None:
    """Write the table as one Parquet file; the same labels give the same bytes.

    The schema metadata key "gradmix" holds a JSON text with format, classes, threshold, r, members
    (identity, run_id) and digests.
    """
    metadata = {
        "format": FORMAT_VERSION,
        "classes": labels.classes,
        "threshold": labels.threshold,
        "r": len(labels.members),
        "members": [asdict(member) for member in labels.members],
        "digests": dict(labels.digests),
    }
    columns = [
        pa.array(labels.sample_id, pa.int64()),
        pa.array(list(labels.source), pa.string()),
        texts(labels.clip, len(labels.source)),
        pa.array(labels.hard_label, pa.int64(), mask=~labels.agreed),
        pa.array(labels.agreed, pa.bool_()),
        pa.array(labels.min_confidence, pa.float32()),
        nested(labels.soft_label),
        nested(labels.member_probabilities),
    ]
    schema = SCHEMA.with_metadata({METADATA_KEY: canonical_json(metadata)})
    write_table(pa.Table.from_arrays(columns, schema=schema), path)


def read_pseudo_labels(path: Path) -> PseudoLabels:
    """Read a table written by `write_pseudo_labels`.

    Raises:
        DataError: if the file is missing, damaged, in another format version, has other columns,
            or contains inconsistent values.
    """
    table = read_table(path, SCHEMA, "pseudo-labels")
    metadata = _metadata(table.schema.metadata or {}, path)
    rows, r, c = table.num_rows, metadata.r, len(metadata.classes)
    hard = table.column("hard_label").fill_null(NO_LABEL)
    try:
        return PseudoLabels(
            sample_id=flat(table, "sample_id"),
            source=table.column("source").to_pylist(),
            hard_label=np.array(hard.to_numpy()),
            agreed=flat(table, "agreed"),
            min_confidence=flat(table, "min_confidence"),
            soft_label=unnested(table, "soft_label", (rows, c)),
            member_probabilities=unnested(table, "member_probabilities", (rows, r, c)),
            classes=metadata.classes,
            threshold=metadata.threshold,
            members=metadata.members,
            digests=metadata.digests,
            clip=clips(table),
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class _Metadata:
    format: int
    classes: tuple[str, ...]
    threshold: float
    r: int
    members: tuple[Member, ...]
    digests: dict[str, str]


def _metadata(entries: Mapping[bytes, bytes], path: Path) -> _Metadata:
    try:
        fields = json.loads(entries[METADATA_KEY])
        version = fields["format"]
        if version == FORMAT_VERSION:
            fields["classes"] = tuple(fields["classes"])
            fields["members"] = tuple(Member(**member) for member in fields["members"])
            return _Metadata(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}: expected the metadata 'gradmix' of a pseudo-label table, found none or "
            f"damaged metadata ({one_line(error)}): create the pseudo-labels again."
        ) from error
    raise DataError(
        f"{path}: expected pseudo-label format {FORMAT_VERSION}, found {version}: create the "
        "pseudo-labels again with this version."
    )


def _check_shapes(labels: PseudoLabels) -> None:
    n, r, c = len(labels.sample_id), len(labels.members), len(labels.classes)
    expected = {
        "sample_id": (n,),
        "source": (n,),
        "hard_label": (n,),
        "agreed": (n,),
        "min_confidence": (n,),
        "soft_label": (n, c),
        "member_probabilities": (n, r, c),
        **({} if labels.clip is None else {"clip": (n,)}),
    }
    for name, shape in expected.items():
        found = np.shape(getattr(labels, name))
        if found != shape:
            raise DataError(f"expected {name} of shape {list(shape)}, found {list(found)}.")


def _check_values(labels: PseudoLabels) -> None:
    for name in ("min_confidence", "soft_label", "member_probabilities"):
        values = getattr(labels, name)
        if not ((values >= 0) & (values <= 1 + ROUNDING)).all():
            raise DataError(f"expected every {name} in 0..1, found one outside or NaN.")
    hard, agreed = labels.hard_label, labels.agreed
    if ((hard < NO_LABEL) | (hard >= len(labels.classes))).any():
        raise DataError(
            f"expected every hard_label in 0..{len(labels.classes) - 1} or {NO_LABEL}, "
            f"found {hard.min()}..{hard.max()}."
        )
    if not np.array_equal(agreed, hard != NO_LABEL):
        row = int(np.argmax(agreed != (hard != NO_LABEL)))
        raise DataError(
            f"expected a hard_label exactly where the members agreed, found {hard[row]} with "
            f"agreed={agreed[row]} in row {row}."
        )
