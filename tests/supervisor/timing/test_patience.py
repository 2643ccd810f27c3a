"""How long a request is waited for, and what is said when that is over."""

import pytest

from actors.messages import ConnectSystem, DisconnectSystem, ReceiveData, ReceiveMany, SendData
from supervisor.specs.options import SupervisorOptions
from supervisor.timing.patience import patience_of, timed_out

OPTIONS = SupervisorOptions(request_timeout=30, connect_timeout=60)


@pytest.mark.parametrize(
    ("request_", "seconds"),
    [
        (SendData("plc", b""), 30),
        (DisconnectSystem("plc"), 30),
        (ConnectSystem("plc"), 60),
        (SendData("plc", b"", timeout=5), 5),
        (ConnectSystem("plc", timeout=5), 5),
        (ReceiveData("plc", 7), 37),
        (ReceiveMany("plc", 5, 7), 37),
        (ReceiveData("plc", None), 30),
        (ReceiveData("plc", 7, timeout=5), 5),
    ],
)
def test_who_names_no_time_waits_as_long_as_the_options_say_and_for_data(request_, seconds):
    assert patience_of(request_, OPTIONS) == seconds


def test_whether_it_was_sent_decides_what_is_known_of_a_request_that_ran_out():
    request = SendData("plc", b"")
    sent = timed_out(request, OPTIONS, was_sent=True)
    waiting = timed_out(request, OPTIONS, was_sent=False)
    assert (sent.code, sent.outcome) == ("timeout", "unknown")
    assert (waiting.code, waiting.outcome) == ("timeout", "not_sent")
    assert sent.text == "plc: no answer within 30 s"
    assert waiting.text == "plc: its turn did not come within 30 s"
