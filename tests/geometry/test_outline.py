"""A change turns a known outline into the new one, or is refused."""

import numpy as np
import pytest

from deepscribble.errors import InvalidInput
from deepscribble.geometry import Change, Polygon

TRIANGLE = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
OLD = tuple(Polygon(TRIANGLE + 10 * number) for number in range(4))
CAME = tuple(Polygon(TRIANGLE + 100 * number) for number in range(1, 3))


@pytest.mark.parametrize(
    "new",
    [
        (),
        OLD,
        (CAME[0], *OLD),
        (OLD[1], CAME[0], OLD[3], CAME[1]),
        (*OLD[:2], *CAME),
        CAME,
    ],
)
def test_what_changed_between_two_outlines_leads_from_one_to_the_other(new):
    change = Change.between("known", OLD, new)
    assert change.applied(OLD, [new[index] for index in change.added]) == new
    assert change.gone == tuple(polygon for polygon in OLD if polygon not in new)


@pytest.mark.parametrize(
    ("removed", "added"),
    [((4,), (0, 1)), ((-1,), (0, 1)), ((), (0,)), ((), (0, 6)), ((), (-1, 0)), ((), (2, 2))],
)
def test_a_change_that_does_not_fit_is_refused(removed, added):
    with pytest.raises(InvalidInput, match="does not fit"):
        Change("known", removed, added).applied(OLD, CAME)
