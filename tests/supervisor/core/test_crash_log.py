"""A crash loop is logged once with a count."""

from hypothesis import given
from hypothesis import strategies as st

from actors.messages import Reason
from supervisor.core.crash_log import FULL_EVERY, QUIET, SUMMARY_EVERY, CrashLog, crash_text
from supervisor.messages.crashes import CrashReport, with_newest


def report(incarnation=1, text="ZeroDivisionError: division by zero", **fields):
    reason = Reason(text.split(":")[0], text, "Traceback...")
    fields = {"uptime": 1.5, **fields}
    return CrashReport(reason=reason, incarnation=incarnation, time=0.0, **fields)


def test_the_log_says_what_is_known_of_a_crash():
    assert crash_text("plc", report(7, in_progress="SendData")) == (
        "plc: incarnation 7 crashed: ZeroDivisionError: division by zero "
        "(up 1.5 s, busy with SendData)\nTraceback..."
    )


def test_the_last_reports_are_kept():
    kept: tuple[CrashReport, ...] = ()
    for number in range(1, 5):
        kept = with_newest(kept, report(number), 2)
    assert [each.incarnation for each in kept] == [3, 4]
    assert with_newest(kept, report(5), 0) == ()


def test_a_crash_loop_is_logged_once_and_then_counted_once_a_minute():
    log = CrashLog()
    assert log.crashed("plc", report(1), 0.0) == crash_text("plc", report(1))
    assert [log.crashed("plc", report(n), float(n)) for n in range(2, 59)] == [None] * 57
    assert log.next_due() == SUMMARY_EVERY
    assert log.due(59.9) == []
    assert log.due(60.0) == [
        "plc: crashed 57 times more in the last 60 s, the last (incarnation 58): "
        "ZeroDivisionError: division by zero"
    ]
    assert log.due(120.0) == []
    assert log.next_due() is None


def test_a_new_reason_is_logged_in_full_but_not_too_often():
    log = CrashLog()
    log.crashed("plc", report(1), 0.0)
    assert log.crashed("plc", report(2, "KeyError: 1"), FULL_EVERY - 0.1) is None
    assert "KeyError: 1" in log.crashed("plc", report(3, "KeyError: 1"), FULL_EVERY)
    assert log.crashed("plc", report(4), FULL_EVERY * 2) is None


def test_a_crash_after_a_quiet_minute_is_logged_in_full():
    log = CrashLog()
    log.crashed("plc", report(1), 0.0)
    log.crashed("plc", report(2), 1.0)
    text = log.crashed("plc", report(3), 1.0 + QUIET)
    assert text.startswith("plc: crashed once more")
    assert text.endswith(crash_text("plc", report(3)))


def test_quarantine_ends_a_loop_with_its_count():
    log = CrashLog()
    log.crashed("plc", report(1), 0.0)
    log.crashed("plc", report(2), 0.5)
    assert log.ended("plc", 1.0).startswith("plc: crashed once more in the last 1 s")
    assert log.ended("plc", 1.0) is None
    assert log.crashed("plc", report(3), 2.0) is not None


def crashes_in(lines):
    """How many crashes these texts tell of."""
    total = 0
    for line in "\n".join(lines).splitlines():
        if " more in the last " in line:
            times = line.split("crashed ")[1].split()[0]
            total += 1 if times == "once" else int(times)
        elif " crashed: " in line:
            total += 1
    return total


@given(
    st.lists(
        st.tuples(st.sampled_from([0.01, 1.0, 9.0, 30.0, 70.0]), st.integers(0, 30), st.booleans()),
        max_size=150,
    )
)
def test_every_crash_is_told_of_once_in_a_bounded_number_of_lines(history):
    log, lines, now = CrashLog(), [], 0.0
    for pause, cause, punctual in history:
        now += pause
        if punctual:
            lines += log.due(now)
        text = log.crashed("plc", report(text=f"Error{cause}: x"), now)
        lines += [text] if text is not None else []
    while (due := log.next_due()) is not None:
        now = max(now, due)
        lines += log.due(now)
    assert crashes_in(lines) == len(history)
    assert not log._loops
    told = [line for line in "\n".join(lines).splitlines() if line.startswith("plc: ")]
    assert len(told) <= 2 + now / FULL_EVERY + now / SUMMARY_EVERY


def test_a_loop_with_a_new_reason_each_time_has_a_bounded_number_of_lines():
    log = CrashLog()
    texts = [log.crashed("plc", report(n, f"Error{n}: x"), n / 10) for n in range(600)]
    assert 0 < sum(text is not None for text in texts) <= 60 / FULL_EVERY + 1


def test_what_is_not_known_of_a_crash_is_left_out():
    bare = CrashReport(reason=Reason("OSError", "it broke", ""), incarnation=1, time=0.0, uptime=0)
    assert crash_text("plc", bare) == "plc: incarnation 1 crashed: it broke"


def test_a_reason_of_a_loop_is_logged_in_full_the_first_time_only():
    log = CrashLog()
    other = report(text="OSError: no route")
    log.crashed("plc", report(), 0.0)
    assert log.crashed("plc", other, FULL_EVERY) is not None
    assert log.crashed("plc", other, 2 * FULL_EVERY) is None
    assert log.crashed("plc", report(), 3 * FULL_EVERY) is None


def test_a_loop_goes_on_after_its_count_was_logged_and_is_counted_anew():
    log = CrashLog()
    log.crashed("plc", report(), 0.0)
    for number in range(1, 6):
        log.crashed("plc", report(), 10.0 * number)
    [line] = log.due(SUMMARY_EVERY)
    assert line.startswith("plc: crashed 5 times more in the last 60 s")
    assert log.crashed("plc", report(), 70.0) is None
    [line] = log.due(2 * SUMMARY_EVERY)
    assert line.startswith("plc: crashed once more in the last 60 s")
