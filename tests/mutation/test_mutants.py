"""What is changed in a module, and what is not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.mutation.mutants import mutants_of


@pytest.fixture
def mutants(tmp_path):
    def of(text):
        path = tmp_path / "module.py"
        path.write_text(textwrap.dedent(text))
        return list(mutants_of(str(path)))

    return of


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("a < b <= c", ["< becomes <=", "<= becomes <"]),
        ("a == b", ["== becomes !="]),
        ("a not in b", ["not in becomes in"]),
        ("a and b", ["and becomes or"]),
        ("not a", ["not a, without the not"]),
        ("a + b - 3", ["- becomes +", "+ becomes -", "3 becomes 4"]),
        ("True", ["True becomes False"]),
        ("call(a)", ["without call(a)"]),
        ("del a[b]", ["without del a[b]"]),
        ("if a: b", ["always", "never"]),
        ("[a for a in b if a]", ["always", "never"]),
        ("return a", ["None for a"]),
        ("a = b", ["None for b"]),
        ("return 1", ["1 becomes 2"]),
        ("return None", []),
        ("'text'", []),
        ("assert a == 1", []),
        ("a: int = b", ["None for b"]),
        ("f'{a + 1}'", []),
    ],
)
def test_one_small_thing_is_changed_at_a_time(mutants, line, changes):
    found = mutants(f"def f(a, b, c):\n    {line}\n")
    assert sorted(each.change for each in found) == sorted(changes)
    assert {each.where for each in found} <= {"f"}
    assert {each.text for each in found} <= {line}


def test_a_mutant_is_the_module_but_for_the_change(mutants):
    found = mutants("def f(a):\n    return a > 3 if a else ''\n")
    [mutant] = [each for each in found if each.change == "> becomes >="]
    space: dict = {}
    exec(mutant.code, space)
    assert [space["f"](n) for n in (0, 2, 3)] == ["", False, True]


def test_what_is_run_on_import_is_in_no_function(mutants):
    found = mutants("""
    A = 1

    class B:
        c = 2

        def d(self, e=3):
            def f(g=4):
                return [5]
    """)
    assert [(each.where, each.change) for each in found] == [
        ("", "1 becomes 2"),
        ("", "2 becomes 3"),
        ("", "3 becomes 4"),
        ("B.d", "4 becomes 5"),
        ("B.d", "None for [5]"),
        ("B.d", "5 becomes 6"),
    ]


def test_a_share_is_the_same_one_each_time_and_about_as_large_as_asked_for():
    path = str(Path(__file__).with_name("mutants.py"))
    all_of_it = list(mutants_of(path))
    half = [each.key for each in all_of_it if each.is_in_share(0.5)]
    assert half == [each.key for each in mutants_of(path) if each.is_in_share(0.5)]
    assert 0.3 < len(half) / len(all_of_it) < 0.7
    assert all(each.is_in_share(1.0) for each in all_of_it)
