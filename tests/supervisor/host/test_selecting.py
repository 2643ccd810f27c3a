"""Which systems names and patterns stand for."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.host.selecting import Selection, select, wanted

pytestmark = pytest.mark.pure
KNOWN = ("pump", "plc-2", "plc-1", "plc-10", "odd[1]", "*")


@pytest.mark.parametrize(
    ("those", "names", "unmatched"),
    [
        (("plc-1",), ("plc-1",), ()),
        (("plc-*",), ("plc-2", "plc-1", "plc-10"), ()),
        (("plc-?",), ("plc-2", "plc-1"), ()),
        (("plc-[1-3]",), ("plc-2", "plc-1"), ()),
        (("plc-1", "plc-*", "plc-1"), ("plc-1", "plc-2", "plc-10"), ()),
        (("nobody", "pump"), ("nobody", "pump"), ()),
        (("odd[1]",), ("odd[1]",), ()),
        (("*",), ("*",), ()),
        (("?*",), KNOWN, ()),
        (("PLC-*", "tank?"), (), ("PLC-*", "tank?")),
        ((), (), ()),
    ],
)
def test_names_and_patterns_are_told_apart(those, names, unmatched):
    assert select(those, KNOWN) == Selection(names, unmatched)


NAMES = st.text("ab*?[", min_size=1, max_size=4)


@given(st.lists(NAMES, max_size=6), st.lists(NAMES, max_size=6, unique=True))
def test_all_that_is_asked_for_is_answered_for_once(those, known):
    selection = select(those, known)
    assert len(set(selection.names)) == len(selection.names)
    for text in those:
        if text in known:
            assert text in selection.names
        elif set(text) & set("*?["):
            matching = {name for name in known if fnmatchcase(name, text)}
            assert matching <= set(selection.names)
            assert (text in selection.unmatched) == (not matching)
        else:
            assert text in selection.names


@pytest.mark.parametrize("wrong", [5, None, ["plc-1", 5]])
def test_what_is_no_name_is_a_clear_error(wrong):
    with pytest.raises(TypeError, match=r"meant by its name or a pattern, not (5|None)"):
        wanted(wrong)
    assert wanted("plc-*") == ("plc-*",)
    assert wanted(each for each in ("a", "b")) == ("a", "b")
