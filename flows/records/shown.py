"""What held-out labels show of an ensemble's labels, for the record."""

from pathlib import Path

from data.tables.held_out import FILE as HELD_OUT
from data.tables.pseudo_labels import FILE
from flows.experiment.settings import Experiment
from flows.pipeline.futures import Ensemble
from tasks.codec import Json, encode
from tasks.labelling.certified import certified_labels
from tasks.reporting.record import ShownPrecision


def shown_precision(experiment: Experiment, ensemble: Ensemble, home: Path) -> Json:
    """The precision of the hard labels, and from where on the one asked for is shown; as JSON.

    None where no precision was asked for.

    Raises:
        DataError: if a table is damaged.
    """
    wanted = experiment.ensemble
    if ensemble.held_out is None or ensemble.pseudo is None or wanted.precision is None:
        return None
    found = certified_labels(
        home / ensemble.pseudo.result().folder / FILE,
        home / ensemble.held_out.result().folder / HELD_OUT,
        wanted.precision,
        wanted.confidence,
    )
    of_the_file, threshold = found.of_the_file, found.certificate.threshold
    return encode(
        ShownPrecision(
            confidence=wanted.confidence,
            held_out=found.certificate.held_out,
            agreed=of_the_file.n,
            right=of_the_file.right,
            bound=of_the_file.bound,
            precision=wanted.precision,
            from_confidence=threshold,
            labelled=int(found.chosen.sum()),
        )
    )
