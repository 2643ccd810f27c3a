"""Specs and options that are built from Python are checked as those of a file are."""

import pickle

import pytest

from actors.resilience.backoff import BackoffPolicy
from supervisor.specs.options import LogLevel, SupervisorOptions
from supervisor.specs.policies import RestartPolicy, RestartType, Strategy
from supervisor.specs.spec import GroupSpec, SystemSpec, seal_details


def spec(**options):
    return SystemSpec("plc", "mock", **options)


@pytest.mark.parametrize(
    ("build", "field", "value"),
    [
        (BackoffPolicy, "backoff_min", 0),
        (BackoffPolicy, "backoff_max", float("inf")),
        (RestartPolicy, "max_restarts", 1.5),
        (RestartPolicy, "max_restarts", -1),
        (RestartPolicy, "max_restarts", True),
        (RestartPolicy, "period", float("nan")),
        (RestartPolicy, "period", "5s"),
        (SupervisorOptions, "request_timeout", "soon"),
        (SupervisorOptions, "request_timeout", float("inf")),
        (SupervisorOptions, "connect_timeout", None),
        (SupervisorOptions, "max_payload_bytes", 1e6),
        (SupervisorOptions, "log_level", "loud"),
        (spec, "connect", "yes"),
        (spec, "connection_details", [("host", "plc")]),
        (spec, "restart", {"max_restarts": 3}),
        (spec, "reconnect", None),
        (spec, "start_timeout", 10**400),
        (spec, "shutdown", -1),
        (spec, "mailbox_size", 0),
        (spec, "snapshot", "text"),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(build, field, value):
    with pytest.raises(ValueError, match=f"^{field} must be "):
        build(**{field: value})


def test_a_kind_is_a_string():
    with pytest.raises(ValueError, match=r"^kind must be a string, not a type"):
        SystemSpec("plc", str)


def test_connection_details_do_not_print():
    with pytest.raises(ValueError) as caught:
        spec(connection_details="tcp://user:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_a_log_level_may_be_its_name():
    assert SupervisorOptions(log_level="info").log_level is LogLevel.INFO


# ---- groups ------------------------------------------------------------------------


def group(name="line", *children, **options):
    return GroupSpec(name, children, **options)


def named(name, **options):
    return SystemSpec(name, "mock", **options)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strategy", "simple_one_for_one"),
        ("give_up", "never"),
        ("on_start_failure", True),
        ("auto_shutdown", "always"),
        ("restart_type", "forever"),
        ("max_restarts", -1),
        ("period", 0),
        ("restart", {}),
        ("significant", 1),
        ("shutdown", -1),
    ],
)
def test_a_wrong_value_of_a_group_is_refused_with_its_field(field, value):
    with pytest.raises(ValueError, match=f"^{field} must be "):
        group(**{field: value})


def test_a_choice_may_be_its_word():
    assert group(strategy="rest_for_one").strategy is Strategy.REST_FOR_ONE
    assert spec(restart_type="transient").restart_type is RestartType.TRANSIENT


def test_a_permanent_child_is_never_significant():
    for build in (spec, group):
        with pytest.raises(ValueError, match='set restart_type to "transient" or "temporary"'):
            build(significant=True)


@pytest.mark.parametrize("restart_type", ["transient", "temporary"])
def test_a_significant_child_needs_a_group_that_heeds_it(restart_type):
    child = named("a", significant=True, restart_type=restart_type)
    with pytest.raises(ValueError, match=r'a is significant.*group line is "never"; choose'):
        group("line", child)
    for auto_shutdown in ("any_significant", "all_significant"):
        assert group("line", child, auto_shutdown=auto_shutdown).children == (child,)


@pytest.mark.parametrize(
    "children",
    [
        [named("a"), named("a")],
        [named("line")],
        [named("a"), GroupSpec("inner", [named("a")])],
        [GroupSpec("a", [GroupSpec("b")]), GroupSpec("c", [GroupSpec("b")])],
    ],
)
def test_a_name_is_unique_in_the_whole_tree(children):
    with pytest.raises(ValueError, match="is the name of two; rename one"):
        group("line", *children)


@pytest.mark.parametrize("children", [7, None, ["a"], "ab", [None]])
def test_children_are_specs(children):
    with pytest.raises(ValueError, match="children must be SystemSpecs and GroupSpecs"):
        GroupSpec("line", children)


def test_a_shared_budget_must_be_within_reach_of_all_children_together():
    slow = RestartPolicy(max_restarts=1, period=5, backoff_min=60, backoff_max=60)
    one, two = named("a", restart=slow), named("b", restart=slow)
    limits = {"give_up": "escalate", "max_restarts": 3, "period": 5}
    with pytest.raises(ValueError, match=r"max_restarts \(3\) within period \(5 s\) can never"):
        group("line", one, **limits)
    assert group("line", one, two, **limits)
    assert group("line", one, max_restarts=3, period=5)  # a budget that nobody uses


def test_a_temporary_child_uses_no_budget():
    slow = RestartPolicy(max_restarts=1, period=5, backoff_min=60, backoff_max=60)
    never = named("b", restart_type="temporary")
    limits = {"give_up": "escalate", "max_restarts": 3, "period": 5}
    with pytest.raises(ValueError, match="can never be exceeded"):
        group("line", named("a", restart=slow), never, **limits)
    assert group("line", never, give_up="escalate", max_restarts=10**9)


def test_systems_come_in_the_order_of_their_start():
    tree = group("root", group("one", named("a"), group("two", named("b"))), named("c"))
    assert [each.name for each in tree.systems] == ["a", "b", "c"]
    assert [each.name for each in tree.walk()] == ["root", "one", "a", "two", "b", "c"]


def test_a_tree_survives_its_way_to_another_process_and_prints_no_secret():
    tree = group("root", SystemSpec("a", "mock", {"password": "hunter2"}))
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert "hunter2" not in repr(tree)
    assert "hunter2" not in repr(seal_details(tree))
