"""A review of a finished run, without its server."""

import pytest

from flows.labelling.ensemble_run import find_ensemble
from flows.review.gallery import open_gallery
from tests.flows.finished_run import finished_run


@pytest.fixture(params=["photos", "arrays"])
def kind(request):
    return request.param


@pytest.fixture
def reviewed(tmp_path, kind):
    """Home, folder of the photos, and gallery."""
    home, _, photos = finished_run(tmp_path, photos=kind == "photos")
    return home, photos, open_gallery(find_ensemble(None, home, None, None))
