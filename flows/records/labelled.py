"""Record of a V given as labelled files, and of its corrections."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from data.errors import DataError
from data.tables.file_names import PSEUDO_LABELS
from data.tables.labelled_split import REJECTED
from data.tables.pseudo_labels import read_pseudo_labels
from flows.experiment.run_spec import RunSpec
from flows.pipeline.futures import Pipeline
from flows.records.stage_results import artifact_of, hyper_validation_sizes
from tasks.codec import CodecError
from tasks.reporting.records.inputs import ClassCorrections, LabelledRecord
from tasks.storage.artifacts import RESULT, read_artifact


def labelled_record(spec: RunSpec, stages: Pipeline, home: Path) -> LabelledRecord | None:
    """Labels, parts and corrections; None if V was drawn.

    Args:
        spec: the run specification.
        stages: futures of everything.
        home: home folder with the artifacts, including those of earlier runs.
    """
    (draw, *_) = stages.draws
    if draw.drawn:
        return None
    split, table = artifact_of(draw.split).summary, spec.raw.corrections_file
    return LabelledRecord(
        counts=tuple(split["labelled"]),
        unlabelled=split["clips"]["U"],
        parts=len(draw.parts),
        held_out=sum(hyper_validation_sizes(draw)),
        rejected=split["rejected"],
        corrections=_by_class(spec, home),
        files=None if spec.raw.files is None else str(spec.raw.files),
        corrections_file=None if table is None else str(table),
    )


def _by_class(spec: RunSpec, home: Path) -> tuple[ClassCorrections, ...]:
    """Corrections compared with earlier runs' labels of these files."""
    named = {name: label for name, label in spec.raw.corrections.items() if label != REJECTED}
    before = _earlier_labels(spec, home, named) if named else {}
    found = []
    for label in spec.experiment.target.classes:
        files = [name for name, one in named.items() if one == label]
        labelled = [before[name] for name in files if name in before]
        if files:
            found.append(
                ClassCorrections(
                    label=label,
                    corrected=len(files),
                    labelled=len(labelled),
                    otherwise=sum(one != label for one in labelled),
                )
            )
    return tuple(found)


def _earlier_labels(spec: RunSpec, home: Path, named: Mapping[str, str]) -> dict[str, str]:
    """Latest hard pseudo-labels of files by name, from earlier runs of the experiment."""
    found: dict[str, str] = {}
    for folder in _labels_made(spec, home):
        if named.keys() <= found.keys():
            break
        # A damaged file belongs to another run, and only costs a sentence of this report.
        with contextlib.suppress(DataError):
            table = read_pseudo_labels(folder / PSEUDO_LABELS)
            files = table.clip or [source.partition(":")[2] for source in table.source]
            here: dict[str, str] = {}
            for name, label, agreed in zip(files, table.hard_label, table.agreed, strict=True):
                if agreed and name in named:
                    here.setdefault(name, table.classes[label])
            found = here | found
    return found


def _labels_made(spec: RunSpec, home: Path) -> Iterator[Path]:
    """Folders of this experiment's pseudo-labels, latest first."""
    made = sorted(
        home.glob(f"artifacts/pseudo_label/*/{RESULT}"),
        key=lambda path: path.stat().st_mtime_ns,
        reverse=True,
    )
    for path in made:
        with contextlib.suppress(OSError, ValueError, TypeError, CodecError):
            if read_artifact(path).notes.get("scope") == spec.scope:
                yield path.parent
