"""A precision is recommended only if the labels at hand show it."""

import numpy as np
import pytest

from flows.labelling.advice import PRECISIONS, advice_from
from tasks.labelling.certified import Known, LabelsOfU, certify
from tasks.labelling.opinions import opinions, units


def of_u(n=40):
    sure = np.linspace(0.99, 0.51, n).astype(np.float32)
    scores = np.stack([sure, 1 - sure], axis=1)[:, None]
    return LabelsOfU(
        names=("",) * n, opinions=opinions(scores), units=units(scores, None), rows=(0,) * n,
        classes=("a", "b"), threshold=0.8,
    )  # fmt: skip


def known(right, n):
    return Known(
        confidence=np.linspace(0.99, 0.51, n).astype(np.float32),
        right=np.arange(n) < right,
        agreed=0,
        agreed_right=0,
    )


def test_twenty_labels_cannot_show_97_per_cent():
    # 0.05^(1/20) = 86.1 %: 85 % is the highest of the list, if all are right and all count.
    found = advice_from(of_u(), known(20, 20))
    assert found.precision == 0.85
    assert certify(of_u(), known(20, 20), 0.97, 0.95).certificate.threshold is None


@pytest.mark.parametrize(("right", "n"), [(20, 20), (59, 60), (300, 300), (280, 300)])
def test_what_is_recommended_is_shown(right, n):
    found = advice_from(of_u(), known(right, n))
    assert found.precision in PRECISIONS
    assert certify(of_u(), known(right, n), found.precision, 0.95).certificate.threshold


def test_where_nothing_is_shown_the_number_that_could_is_told():
    # 14 labels, all right, show 80 %: 0.05^(1/14) = 80.7 %, and 13 do not.
    found = advice_from(of_u(), known(13, 13))
    assert (found.precision, found.known, found.total) == (None, 13, 14)
    none = advice_from(of_u(), known(0, 0))
    assert (none.precision, none.total) == (None, 14)
    assert advice_from(of_u(), known(1, 20)).total is None
