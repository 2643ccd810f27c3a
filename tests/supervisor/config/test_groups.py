"""Groups in a configuration become a tree, or mistakes with their places."""

import re
import textwrap

import pytest

from supervisor.config.file import ConfigError, parse_config
from supervisor.specs.policies import AutoShutdown, GiveUp, OnStartFailure, RestartType, Strategy
from supervisor.views.status import spec_as_tree

PLANT = """
[supervisor]
request_timeout = "10s"
strategy = "rest_for_one"
give_up = "escalate"
max_restarts = 4
period = "1m"
on_start_failure = "fail"
auto_shutdown = "any_significant"
order = ["db", "line-1", "web"]

[[system]]
name = "web"
kind = "mock"
restart_type = "transient"
significant = true

[[system]]
name = "db"
kind = "mock"
shutdown = "infinity"
hang_timeout = "infinity"

[[group]]
name = "line-1"
strategy = "one_for_all"
restart = { stable_after = "1m" }
shutdown = "brutal_kill"

[[group.system]]
name = "plc-1"
kind = "mock"

[[group.group]]
name = "cell"
order = ["robot-2", "robot-1"]

[[group.group.system]]
name = "robot-1"
kind = "mock"
connection_details = { host = "${HOST}" }

[[group.group.system]]
name = "robot-2"
kind = "mock"
"""


def parse(text, **options):
    return parse_config(textwrap.dedent(text).encode(), **{"environ": {}, **options})


def mistakes(text, **options):
    with pytest.raises(ConfigError) as caught:
        parse(text, **options)
    return str(caught.value).splitlines()


def test_a_file_becomes_a_tree_in_the_order_of_the_start():
    config = parse(PLANT, environ={"HOST": "192.0.2.1"})
    assert spec_as_tree(config.tree).splitlines() == [
        "root: group, rest_for_one",
        "  db: mock",
        "  line-1: group, one_for_all",
        "    plc-1: mock",
        "    cell: group, one_for_one",
        "      robot-2: mock",
        "      robot-1: mock",
        "  web: mock",
    ]
    assert [spec.name for spec in config.systems] == ["db", "plc-1", "robot-2", "robot-1", "web"]


def test_every_option_of_a_group_is_read():
    config = parse(PLANT, environ={"HOST": "192.0.2.1"})
    tree = config.tree
    assert config.options.request_timeout == 10.0
    assert (tree.strategy, tree.give_up) == (Strategy.REST_FOR_ONE, GiveUp.ESCALATE)
    assert (tree.max_restarts, tree.period) == (4, 60.0)
    assert tree.on_start_failure is OnStartFailure.FAIL
    assert tree.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT
    db, line, web = tree.children
    assert (db.shutdown, db.hang_timeout) == ("infinity", "infinity")
    assert (line.shutdown, line.restart.stable_after) == ("brutal_kill", 60.0)
    assert (web.restart_type, web.significant) == (RestartType.TRANSIENT, True)


def test_variables_are_expanded_and_kinds_checked_at_any_depth():
    seen = []

    def check(kind, details):
        seen.append((kind, details))
        return ["connection_details.host: is odd"] if details else []

    lines = mistakes(PLANT, environ={"HOST": "h"}, check_kind=check)
    assert ("mock", {"host": "h"}) in seen
    assert len(seen) == 5
    assert lines == [
        'group "line-1", group "cell", system "robot-1": connection_details.host: is odd'
    ]
    assert mistakes(PLANT) == [
        'group "line-1", group "cell", system "robot-1": connection_details.host: environment '
        "variable HOST is not set; set it"
    ]


def test_without_an_order_systems_come_before_groups_in_the_order_of_the_file():
    text = re.sub(r"order = .*", "", PLANT)
    config = parse(text, environ={"HOST": "h"})
    assert [child.name for child in config.tree.children] == ["web", "db", "line-1"]


def system(name="a", text="", header="system"):
    return f'[[{header}]]\nname = "{name}"\nkind = "mock"\n{text}\n'


def group(name="g", text="", header="group"):
    return f'[[{header}]]\nname = "{name}"\n{text}\n'


INNER = "group.system"
SIGNIFICANT = 'significant = true\nrestart_type = "transient"'


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            group(text='strategy = "one_for_al"'),
            'group "g": strategy: must be one of one_for_one, one_for_all, rest_for_one, not '
            "'one_for_al'; did you mean \"one_for_all\"?",
        ),
        (group(text="stratgy = 1"), 'group "g": stratgy: is no known key; did you mean'),
        (group(text="children = []"), 'group "g": children: is no known key; known are auto_'),
        (group(text="kind = 1"), 'group "g": kind: is no known key; known are auto_shutdown, '),
        ("[[group]]", "group #1: name: is missing; it is needed"),
        ("[group]", "group: must be an array of tables, not a table; begin each group with [[gr"),
        ("group = [3]", "group #1: must be a table, not a whole number"),
        (
            group(text="system = 3"),
            'group "g": system: must be an array of tables, not a whole number; begin each '
            "system with [[group.system]]",
        ),
        (
            group() + group("h", "group = 3", "group.group"),
            'group "g", group "h": group: must be an array of tables, not a whole number; begin '
            "each group with [[group.group.group]]",
        ),
        (
            group() + system("a", "mailbox_size = 0", INNER),
            'group "g", system "a": mailbox_size: must be a whole number',
        ),
        (
            group() + '[[group.system]]\nkind = "mock"',
            'group "g", system #1: name: is missing',
        ),
        # names
        (
            system("a") + group() + system("a", "", INNER),
            'group "g", system "a": name: is the name of system #1 too; rename #1',
        ),
        (
            group() + system("a", "", INNER) + group("h") + system("a", "", INNER),
            'group "h", system "a": name: is the name of group "g", system #1 too; rename #1',
        ),
        (system("g") + group(), 'group "g": name: is the name of system #1 too; rename #1'),
        (group("root"), 'group "root": name: is the name of the group that all others are in;'),
        (system("root"), 'system "root": name: is the name of the group that all others are in;'),
        # order
        (
            '[supervisor]\norder = ["a"]\n' + system() + system("b") + group(),
            'supervisor.order: misses "b", "g"; name all children, or leave order out',
        ),
        (
            group(text='order = ["a", "a"]') + system("a", "", INNER),
            'group "g": order: names "a" 2 times; name each child once',
        ),
        (
            group(text='order = ["plc1", "plc-1"]') + system("plc-1", "", INNER),
            'group "g": order: names "plc1", which is no child of this group; did you mean '
            '"plc-1"?',
        ),
        (
            group(text='order = ["x", "a"]') + system("a", "", INNER),
            'group "g": order: names "x", which is no child of this group; its children are "a"',
        ),
        (group(text='order = ["x"]'), 'group "g": order: names "x", which is no child of this'),
        (
            group(text='order = "a"') + system("a", "", INNER),
            'group "g": order: must be an array of the children\'s names, not a string',
        ),
        (
            "[supervisor]\norder = [1]\n",
            "supervisor.order: must be an array of the children's names, not an array with",
        ),
        # what does not go together
        (
            system("a", SIGNIFICANT),
            'system "a": a is significant, but auto_shutdown of its group root is "never"; choose',
        ),
        (
            group() + system("a", SIGNIFICANT, INNER),
            'group "g", system "a": a is significant, but auto_shutdown of its group g is "never"',
        ),
        (group(text="significant = true"), 'group "g": significant is for transient and'),
        (
            system("a", "restart = {max_restarts = 100}"),
            'system "a": restart: max_restarts (100) within period (5 s) can never be exceeded',
        ),
        (
            '[supervisor]\ngive_up = "escalate"\nmax_restarts = 50\n' + system(),
            "supervisor: max_restarts (50) within period (5 s) can never be exceeded",
        ),
        (
            group(text='give_up = "escalate"\nmax_restarts = 50') + system("a", "", INNER),
            'group "g": max_restarts (50) within period (5 s) can never be exceeded',
        ),
        # the root group is nobody's child
        ('[supervisor]\nrestart_type = "permanent"\n', "supervisor.restart_type: is no known key"),
        ('[supervisor]\nname = "plant"\n', "supervisor.name: is no known key"),
        ('[supervisor]\ngive_up = "never"\n', "supervisor.give_up: must be one of quarantine, "),
    ],
)
def test_a_mistake_in_a_tree_is_told_with_its_place(text, mistake):
    lines = mistakes(text)
    assert len(lines) == 1
    assert lines[0].startswith(mistake), lines


def test_all_mistakes_of_a_tree_are_told_at_once():
    lines = mistakes(
        '[supervisor]\nstrategy = 1\norder = ["b"]\n'
        + system("a", "connect = 1")
        + group("g", 'period = 0\norder = ["z"]')
        + system("a", SIGNIFICANT, INNER)
        + group("h", "shutdown = -1", "group.group")
        + system("b", "hang_timeout = 0", "group.group.system")
    )
    assert [line.partition(" must")[0].partition(" is ")[0] for line in lines] == [
        "supervisor.strategy:",
        'system "a": connect:',
        'group "g": period:',
        'group "g", system "a": name:',
        'group "g", group "h": shutdown:',
        'group "g", group "h", system "b": hang_timeout:',
        'group "g": order: names "z", which',
        'group "g": order: misses "a", "h"; name all children, or leave order out',
        'group "g", system "a": a',
        'supervisor.order: names "b", which',
        'supervisor.order: misses "a", "g"; name all children, or leave order out',
    ]


def test_groups_that_are_nested_too_deeply_are_a_mistake():
    header = ".".join(["group"] * 40)
    assert parse("".join(group(f"g{n}", "", header[: 6 * n - 1]) for n in range(1, 41))).tree
    deep = "".join(f"[[{'.'.join(['group'] * n)}]]\nname = 'g{n}'\n" for n in range(1, 1000))
    assert mistakes(deep) == ["tables are nested too deeply; use fewer groups in groups"]


def test_an_empty_file_has_a_root_group_with_the_defaults():
    tree = parse("").tree
    assert (tree.name, tree.children, tree.give_up) == ("root", (), GiveUp.QUARANTINE)


# ---- one mistake is told once, and hides no other ------------------------------------------


@pytest.mark.parametrize("order", ["3", '"db"', "true"])
def test_an_order_that_is_no_array_is_one_mistake(order):
    lines = mistakes(f"[supervisor]\norder = {order}\n" + system("db") + system("web"))
    assert [line.partition(":")[0] for line in lines] == ["supervisor.order"]


def test_an_order_of_a_group_without_children_is_told_that_there_are_none():
    [line] = mistakes(group(text='order = ["a"]'))
    assert line.endswith('names "a", which is no child of this group; it has no children')


def test_an_order_cannot_miss_a_child_whose_name_is_a_mistake():
    lines = mistakes('[supervisor]\norder = ["a"]\n' + system("a") + "[[system]]\nname = 3\n")
    assert all(line.startswith("system #2: ") for line in lines)


def test_two_that_are_named_by_no_text_are_not_told_of_each_other():
    nameless = '[[system]]\nname = ["a"]\nkind = "mock"\n'
    lines = mistakes(nameless * 2)
    assert [line[:17] for line in lines] == ["system #1: name: ", "system #2: name: "]


def test_no_key_is_suggested_that_a_group_does_not_have():
    [line] = mistakes(group(text="childen = []"))
    assert "children" not in line


def test_details_that_are_no_table_are_one_mistake_and_the_kind_is_checked_without():
    seen = []

    def check(kind, details):
        seen.append(details)
        return []

    lines = mistakes(system(text='connection_details = "${NOWHERE}"'), check_kind=check)
    assert [line[:32] for line in lines] == ['system "a": connection_details: ']
    assert seen == [{}]


def test_whether_children_can_use_up_a_budget_is_not_told_before_all_of_them_are_right():
    escalate = '[supervisor]\ngive_up = "escalate"\n'
    slow = system("a", "restart = { backoff_min = 5.0, backoff_max = 5.0, max_restarts = 1 }")
    [line] = mistakes(escalate + slow)
    assert line.startswith("supervisor: max_restarts (3) within period (5 s) can never be exceeded")
    [line] = mistakes(escalate + slow + system("b", "conect = true"))
    assert line.startswith('system "b": conect: is no known key')
