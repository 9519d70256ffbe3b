"""What held-out labels prove about an ensemble's labels, for the record."""

from pathlib import Path

from data.tables.file_names import HELD_OUT, PSEUDO_LABELS
from flows.experiment.settings import Experiment
from flows.pipeline.futures import Ensemble
from tasks.codec import Json, encode
from tasks.labelling.certified import certify, known_by_held_out, read_labels_of_u
from tasks.reporting.records.labels import ShownPrecision


def shown_precision(experiment: Experiment, ensemble: Ensemble, home: Path) -> Json:
    """Precision of hard labels, and the threshold for the requested precision, as JSON.

    None if no precision was requested.

    Raises:
        DataError: if a table is damaged.
    """
    wanted = experiment.ensemble
    if ensemble.held_out is None or ensemble.pseudo is None or wanted.precision is None:
        return None
    of_u = read_labels_of_u(home / ensemble.pseudo.result().folder / PSEUDO_LABELS)
    held_out = home / ensemble.held_out.result().folder / HELD_OUT
    known = known_by_held_out(held_out, of_u.threshold)
    found = certify(of_u, known, wanted.precision, wanted.confidence)
    hard, threshold = found.hard, found.certificate.threshold
    return encode(
        ShownPrecision(
            confidence=wanted.confidence,
            held_out=found.certificate.held_out,
            agreed=hard.n,
            right=hard.right,
            bound=hard.bound,
            precision=wanted.precision,
            from_confidence=threshold,
            labelled=int(found.chosen.sum()),
        )
    )
