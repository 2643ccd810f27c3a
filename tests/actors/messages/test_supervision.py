"""Why something ended, as data."""

import pytest

from actors.messages import Reason
from actors.messages.supervision import NORMAL_EXIT


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (SystemExit(), NORMAL_EXIT),
        (SystemExit(0), NORMAL_EXIT),
        (SystemExit(3), "SystemExit"),
        (OSError("it broke"), "OSError"),
    ],
)
def test_only_who_exits_without_an_error_has_ended_in_order(error, kind):
    assert Reason.of(error).kind == kind
