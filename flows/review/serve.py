"""Serve the review page of a run on the loopback interface until interrupted."""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvicorn

from data.atomic import sweep
from data.errors import UserError
from flows.labelling.ensemble_run import EnsembleRun
from flows.labelling.suggested import read_suggestions, suggestion_table, write_suggestions
from flows.review.access import HOST, Access
from flows.review.app import review_app
from flows.review.decisions import Decisions
from flows.review.gallery import Gallery, open_gallery
from flows.review.thumbnails import FOLDER, Thumbnails
from tasks.labelling.suggestions import Suggestion, suggestions
from tasks.storage.artifacts import SHORT


@dataclass(frozen=True, kw_only=True)
class ReviewSettings:
    """Settings of a review.

    Attributes:
        table: `corrections.csv`, to continue or create.
        port: port to serve on; 0 for any free one.
        count: number of suggested images, and of random ones.
        seed: seed of the random ones.
    """

    table: Path
    port: int = 0
    count: int = 20
    seed: int = 0


def serve(run: EnsembleRun, wanted: ReviewSettings, announce: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        run: run whose unlabelled images are reviewed.
        wanted: table, port and suggestions.
        announce: called with the address once the server answers.

    Raises:
        DataError: if the table of corrections exists and is invalid.
        UserError: if the port is taken.
    """
    sweep([wanted.table.parent])
    gallery = open_gallery(run)
    decisions = Decisions(gallery, wanted.table)
    chosen = _suggestions(gallery, decisions, wanted)
    kept = run.home / FOLDER / run.target.digest[:SHORT]
    with _listening(wanted.port) as listener:
        access = Access(port=listener.getsockname()[1])
        images = [one.sample for one in chosen]
        app = review_app(
            gallery, decisions, Thumbnails(gallery, kept), list(dict.fromkeys(images)), access
        )
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
        announce(access.address)
        uvicorn.Server(config).run(sockets=[listener])


def _suggestions(
    gallery: Gallery, decisions: Decisions, wanted: ReviewSettings
) -> Sequence[Suggestion]:
    """Images to label next: the previous suggestions until all are decided, then new ones."""
    path = suggestion_table(wanted.table)
    decided = {one.image for one in decisions.all}
    before = read_suggestions(path, gallery.names)
    if any(one.sample not in decided for one in before):
        return before
    known = np.zeros(len(gallery), bool)
    known[list(decided)] = True
    chosen = suggestions(gallery.probabilities, known, wanted.count, wanted.seed)
    write_suggestions([*before, *chosen], gallery.names, path)
    return chosen


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise UserError(
            f"--port: expected a free port, found {port}: {error.strerror}; name another, or none."
        ) from error
