"""A settings class takes what its fields allow, from a table and from Python alike."""

from __future__ import annotations

import collections
import enum
import traceback

import attrs
import pytest

from actors.errors import ActorSetupError
from actors.settings import (
    Mistake,
    MistakesError,
    flag,
    host_name,
    mistakes_in,
    one_of,
    read_details,
    read_table,
    seconds,
    table_of,
    tables_of,
    text,
    whole_number,
)

SECRET = "hunter2"


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


@attrs.frozen(kw_only=True)
class Nozzle:
    colour: Colour = attrs.field(validator=one_of(*Colour))
    width: int | None = attrs.field(default=None, validator=whole_number(1, 9).or_none())


@attrs.frozen(kw_only=True)
class Pump:
    host: str = attrs.field(validator=host_name())
    wait: float = attrs.field(default=1.0, validator=seconds(60))
    loud: bool = attrs.field(default=False, validator=flag())
    password: str = attrs.field(default="p", repr=False, validator=text("a password", bool))
    nozzle: Nozzle = attrs.field(default=Nozzle(colour=Colour.RED), validator=table_of(Nozzle))
    spares: tuple[Nozzle, ...] = attrs.field(default=(), validator=tables_of(Nozzle))
    bits: int = attrs.field(default=8, validator=one_of(7, 8))

    def __attrs_post_init__(self) -> None:
        if self.loud and self.bits == 7:
            raise ValueError("loud needs 8 bits")


def test_a_table_becomes_an_object():
    table = {
        "host": "pump",
        "wait": "500ms",
        "nozzle": {"colour": "green"},
        "spares": [{"colour": "red", "width": 3}],
    }
    pump = read_table(Pump, table)
    assert pump == Pump(
        host="pump",
        wait=0.5,
        nozzle=Nozzle(colour=Colour.GREEN),
        spares=(Nozzle(colour=Colour.RED, width=3),),
    )
    assert pump.nozzle.colour is Colour.GREEN


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5.0),
        (0.25, 0.25),
        ("500ms", 0.5),
        ("5s", 5.0),
        ("1.5s", 1.5),
        ("2m", 120.0),
        ("1h", 3600.0),
        (" 2 m ", 120.0),
    ],
)
def test_a_duration_is_seconds_or_says_its_unit(value, number):
    assert seconds().read(value) == number


@pytest.mark.parametrize(
    "value",
    [
        *("", "5", "s", "-5s", "5 min", "1m30s", "9" * 400 + "s", "\u0665s"),
        *(True, None, [5], float("nan"), float("inf"), 10**400, 0, -1),
    ],
)
def test_what_is_no_duration_is_refused(value):
    with pytest.raises(MistakesError, match="must be a finite number of seconds, more than 0"):
        seconds().read(value)


def test_all_mistakes_are_told_with_their_paths_and_without_values():
    table = {
        "wait": SECRET,
        "loud": 1,
        "password": 5,
        "nozzle": {"colour": "gren", "with": 1},
        "spares": [{"colour": "red"}, {"colour": SECRET}, SECRET],
        "bits": True,
        "hosts": SECRET,
    }
    assert mistakes_in(Pump, table) == [
        'hosts: is no known key; did you mean "host"?',
        "host: is missing; it must be a host name or an address",
        "wait: must be a finite number of seconds, more than 0, 60 at most, or a duration such "
        'as "500ms" or "2m", not a string',
        "loud: must be true or false, not a whole number",
        "password: must be a password, not a whole number",
        'nozzle.with: is no known key; did you mean "width"?',
        'nozzle.colour: must be one of red, green; did you mean "green"?',
        "spares[2].colour: must be one of red, green",
        "spares[3]: must be a table of keys (in Python a Nozzle), not a string",
        "bits: must be one of 7, 8, not a boolean",
    ]
    with pytest.raises(ActorSetupError, match=r"system 'p': wrong connection_details: hosts: "):
        read_details(Pump, "p", table)


def test_values_are_quoted_where_that_was_asked_for_but_never_those_that_do_not_print():
    with pytest.raises(MistakesError) as caught:
        read_table(
            Pump,
            {"host": "a b", "wait": 90, "password": "", "nozzle": {"colour": "blue", "width": "2"}},
            show_values=True,
        )
    assert [mistake.text.partition(", not ")[2] for mistake in caught.value.mistakes] == [
        "'a b'",
        "90",
        "",
        "'blue'",
        "the string '2'",
    ]


def test_values_are_quoted_in_inner_tables_but_not_in_what_does_not_print():
    @attrs.frozen
    class Plant:
        pumps: tuple[Pump, ...] = attrs.field(default=(), validator=tables_of(Pump))
        vault: Pump | None = attrs.field(
            default=None, repr=False, validator=table_of(Pump).or_none()
        )

    wrong = {"host": "a", "bits": 6, "spares": [{"colour": "red", "width": 70}, 3]}
    with pytest.raises(MistakesError) as caught:
        read_table(Plant, {"vault": wrong, "pumps": (wrong,)}, show_values=True)
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        "pumps[1].spares[1].width: must be a whole number from 1 to 9, not 70",
        "pumps[1].spares[2]: must be a table of keys (in Python a Nozzle), not the whole number 3",
        "pumps[1].bits: must be one of 7, 8, not 6",
        "vault.spares[1].width: must be a whole number from 1 to 9",
        "vault.spares[2]: must be a table of keys (in Python a Nozzle), not a whole number",
        "vault.bits: must be one of 7, 8",
    ]


def test_unknown_keys_are_told_in_the_order_of_the_table():
    unknown = ["zeta", "yotta", "alpha", "mu", "kilo"]
    told = mistakes_in(Pump, {**dict.fromkeys(unknown), "host": "a"})
    assert [text.partition(":")[0] for text in told] == unknown


def test_no_traceback_shows_a_value():
    with pytest.raises(ActorSetupError) as caught:
        read_details(Pump, "p", {"wait": SECRET, SECRET[:3]: 1, "spares": [{"colour": SECRET}]})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__.__context__ is None


NOTHING: dict[str, bool] = {}


def test_a_bug_in_a_check_is_no_mistake_of_who_wrote_the_table():
    @attrs.frozen
    class Buggy:
        key: str = attrs.field(validator=text("a key", lambda value: NOTHING[value]))

    with pytest.raises(KeyError):
        read_table(Buggy, {"key": SECRET})
    assert mistakes_in(Buggy, {}) == ["key: is missing; it must be a key"]


def test_annotations_need_not_be_importable():
    @attrs.frozen
    class Typed:
        size: NoSuchType = attrs.field(validator=whole_number())  # type: ignore[name-defined]  # noqa: F821
        plain: NoSuchType = 1  # type: ignore[name-defined]  # noqa: F821

    assert read_table(Typed, {"size": 3, "plain": "as it is"}) == Typed(3, "as it is")


def test_a_table_that_invents_keys_has_them_missing_all_the_same():
    table = collections.defaultdict(str)
    assert mistakes_in(Pump, table) == ["host: is missing; it must be a host name or an address"]
    assert not table


def test_what_does_not_go_together_is_a_mistake_of_the_table():
    assert mistakes_in(Pump, {"host": "a", "loud": True, "bits": 7}) == ["loud needs 8 bits"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host": 1}, "host must be a host name or an address, not a whole number"),
        ({"host": "a", "wait": "500ms"}, "wait must be a finite number of seconds"),
        ({"host": "a", "wait": float("nan")}, "wait must be a finite number of seconds"),
        ({"host": "a", "nozzle": {}}, r"nozzle must be .* \(in Python a Nozzle\), not a table"),
        ({"host": "a", "spares": [1]}, "spares must be an array of tables"),
    ],
)
def test_python_is_held_to_the_same(options, message):
    with pytest.raises(ValueError, match=message):
        Pump(**options)


def wrong(table, settings=Pump):
    with pytest.raises(MistakesError) as error:
        read_table(settings, table, show_values=True)
    return [str(mistake) for mistake in error.value.mistakes]


@pytest.mark.parametrize("host", ["x" * 64, "a b", "", "a\x00b"])
def test_what_cannot_be_looked_up_is_no_host(host):
    [mistake] = wrong({"host": host})
    assert mistake.startswith("host: must be a host name or an address")


def test_what_was_written_instead_is_told():
    assert wrong({"host": "h", "wait": False})[0].endswith(", not false")
    assert wrong({"host": "h", "wait": True})[0].endswith(", not true")
    [mistake] = wrong({"host": "h", "spares": 3})
    assert mistake.startswith("spares: must be an array of tables, not the whole number 3")


def test_who_writes_python_is_not_quoted():
    with pytest.raises(ValueError) as error:
        Pump(host="h", wait=SECRET)
    assert SECRET not in str(error.value)
    with pytest.raises(MistakesError) as mistakes:
        seconds().read(SECRET)
    assert SECRET not in str(mistakes.value)


def test_a_check_of_a_fields_own_tells_the_field():
    def check(_, __, value):
        if value == "bad":
            raise ValueError("must be good")

    @attrs.frozen
    class Own:
        field: str = attrs.field(validator=check)

    assert wrong({"field": "bad"}, Own) == ["field: must be good"]
    assert read_table(Own, {"field": "good"}) == Own("good")


def test_keys_that_nothing_is_known_by_are_passed_over_only_if_that_is_asked_for():
    table = {"host": "h", "colour": "red"}
    assert wrong(table)[0].startswith("colour: is no known key")
    assert read_table(Pump, table, ignore_unknown=True) == Pump(host="h")


def test_mistakes_that_a_class_finds_by_itself_are_all_told():
    @attrs.frozen
    class Own:
        field: int

        def __attrs_post_init__(self) -> None:
            raise MistakesError([Mistake(("field",), "is odd"), Mistake((), "is not right")])

    assert wrong({"field": 1}, Own) == ["field: is odd", "is not right"]
