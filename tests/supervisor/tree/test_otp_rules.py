"""The rules of OTP's supervisor, one a row, each with the place where OTP says so.

``doc`` is https://www.erlang.org/doc/apps/stdlib/supervisor.html, ``erl`` is
lib/stdlib/src/supervisor.erl, ``principles`` is
https://www.erlang.org/doc/system/sup_princ.html. ``ours`` marks what OTP has not.
"""

from __future__ import annotations

import attrs
import pytest

from supervisor.specs.policies import RestartPolicy
from supervisor.specs.spec import GroupSpec, SystemSpec
from tests.helpers.grove import BUG, IN_ORDER, Grove, Outcome

FAST = RestartPolicy(
    max_restarts=9, period=100.0, backoff_min=1e-6, backoff_max=1e-6, stable_after=1e-3
)


def system(name, **options):
    return SystemSpec(name, "mock", **{"restart": FAST, "reconnect": FAST, **options})


def group(name, *children, **options):
    """By OTP's defaults, but for the intensity; a child may be just a name."""
    specs = [system(child) if isinstance(child, str) else child for child in children]
    options = {"give_up": "escalate", "on_start_failure": "fail", "restart": FAST, **options}
    return GroupSpec(name, specs, **options)


def temporary(name, **options):
    return system(name, restart_type="temporary", **options)


def transient(name, **options):
    return system(name, restart_type="transient", **options)


class Play:
    """A tree, and what is done to it: words such as ``crash a``, one after the other."""

    def __init__(self, spec: GroupSpec) -> None:
        self.grove = Grove(spec)
        self.outcomes: dict[str, list[Outcome]] = {}
        self.answers: list[str] = []
        """Of orders: ``ok``, or a code."""

    def play(self, words: str) -> None:
        before = 0
        for step in words.split(", "):
            verb, *rest = step.split()
            before = len(self.grove.told)
            getattr(self, verb)(*rest)
            self.grove.settle(self._outcome)
        self.last = ", ".join(self.grove.told[before:])

    def _outcome(self, name: str) -> Outcome:
        outcomes = self.outcomes.get(name)
        return outcomes.pop(0) if outcomes else Outcome.WORKS

    def start(self) -> None:
        self.grove.tree.start()

    def stop(self) -> None:
        self.grove.tree.stop()

    def crash(self, name: str) -> None:
        self.grove.exits(name, BUG)

    def end(self, name: str) -> None:
        self.grove.exits(name, IN_ORDER)

    def fail(self, name: str, times: str = "1") -> None:
        """Its next starts fail."""
        self.outcomes[name] = [Outcome.FAILS] * int(times)

    def unreachable(self, name: str) -> None:
        self.outcomes[name] = [Outcome.UNREACHABLE]

    def fragile(self, name: str) -> None:
        """From now on its first crash is one too many."""
        node = self.grove.tree.nodes[name]
        node.spec = attrs.evolve(node.spec, restart=attrs.evolve(FAST, max_restarts=0))

    def away(self, name: str, times: str = "1") -> None:
        """Its counterpart cannot be reached, so many times."""
        self.outcomes[name] = [Outcome.UNREACHABLE] * int(times)

    def ignore(self, name: str) -> None:
        """Its next start ends in order."""
        self.outcomes[name] = [Outcome.IGNORED]

    def wait(self, seconds: str) -> None:
        self.grove.advance(float(seconds))

    def again(self, name: str) -> None:
        """The notice of its last exit comes once more."""
        self.grove.tree.exited(name, self.grove.newest[name] - 1, BUG)

    def terminate(self, name: str) -> None:
        self._order("terminate_child", name)

    def restart(self, name: str) -> None:
        self._order("restart_child", name)

    def delete(self, name: str) -> None:
        self._order("delete_child", name)

    def add(self, name: str, group_name: str = "root", restart_type: str = "permanent") -> None:
        self._order("start_child", system(name, restart_type=restart_type), group_name)

    def add_significant(self, name: str) -> None:
        self._order("start_child", transient(name, significant=True), None)

    def change(self, names: str) -> None:
        """The root's specs, with these children: ``c+a``."""
        specs = [system(name, restart_type="permanent") for name in names.split("+")]
        spec = attrs.evolve(self.grove.tree.root.spec, children=specs)
        refused = self.grove.by_hand(lambda: self.grove.hand.change_specs(spec))
        self.answers.append(refused or "ok")

    def _order(self, what: str, *args) -> None:
        order = object()
        more = () if what == "delete_child" else (order,)
        method = getattr(self.grove.hand, what)
        refused = self.grove.by_hand(lambda: method(*args, *more))
        self.grove.settle(self._outcome)
        self.answers.append(refused or self.grove.settled.get(order) or "ok")


@attrs.frozen
class Rule:
    text: str
    source: str
    spec: GroupSpec
    words: str
    """What is done after the start."""
    first: str = ""
    """What is done before it; then ``told`` is what the start did."""
    told: str | None = None
    """What the last step made the tree start and stop."""
    up: str | None = None
    """Who is up in the end, in their order."""
    answer: str | None = None
    """What came back of the last order."""
    ended: str | None = None
    """Why the root ended."""
    standing: str | None = None
    """``a quarantined``."""


A_B_C = ("a", "b", "c")
ONE, ALL, REST = "one_for_one", "one_for_all", "rest_for_one"
TYPES, ORDER = "doc, Child specification: restart", "doc, Supervision Principles"
STRATEGIES, INTENSITY = "doc, Restart Strategies", "doc, Restart intensity and period"
SHUTDOWN = "doc, Automatic Shutdown"


def intensity(most, *children, **options):
    return group("root", *children, max_restarts=most, period=5.0, **options)


def inner(*children, **options):
    return group("inner", *children, **{"max_restarts": 0, **options})


def shutdown(rule, *children, **options):
    return group("root", *children, auto_shutdown=rule, **options)


def significant(name, restart_type="transient"):
    return system(name, restart_type=restart_type, significant=True)


RULES = [
    # ---- restart types ----
    Rule("a permanent child that crashed is restarted", TYPES, group("root", "a"), "crash a",
         told="start a", up="a"),
    Rule("a permanent child that ended in order is restarted", TYPES, group("root", "a"), "end a",
         told="start a", up="a"),
    Rule("a transient child that crashed is restarted", TYPES, group("root", transient("a")),
         "crash a", told="start a", up="a"),
    Rule("a transient child that ended in order is not restarted, and its spec is kept", TYPES,
         group("root", transient("a")), "end a", told="", standing="a ended"),
    Rule("a temporary child that crashed is not restarted, and forgotten", TYPES,
         group("root", temporary("a")), "crash a", told="", standing="a removed"),
    Rule("a temporary child that ended in order is forgotten", TYPES,
         group("root", temporary("a")), "end a", told="", standing="a removed"),
    Rule("a temporary child is not restarted when a sibling's death ends it", TYPES,
         group("root", "a", temporary("b"), "c", strategy=ALL), "crash a",
         told="stop c, stop b, start a, start c", standing="b removed"),
    Rule("a temporary child after the one that died is ended and forgotten by rest_for_one",
         TYPES, group("root", "a", temporary("b"), "c", strategy=REST), "crash a",
         told="stop c, stop b, start a, start c", standing="b removed"),
    Rule("a temporary child before the one that died lives on under rest_for_one", STRATEGIES,
         group("root", temporary("a"), "b", strategy=REST), "crash b", told="start b", up="a b"),
    Rule("a transient child that has ended starts again when all are restarted",
         "erl, restart_multiple_children/3", group("root", "a", transient("b"), strategy=ALL),
         "end b, crash a", told="start a, start b", up="a b"),
    # ---- order ----
    Rule("children start from left to right", ORDER, group("root", *A_B_C), "wait 0", up="a b c"),
    Rule("children stop from right to left", ORDER, group("root", *A_B_C), "stop",
         told="stop c, stop b, stop a", ended="asked"),
    Rule("a group inside starts and stops in its place", ORDER,
         group("root", "a", inner("b", "c"), "d"), "stop",
         told="stop d, stop c, stop b, stop a", ended="asked"),
    # ---- strategies ----
    Rule("one_for_one affects nobody else", STRATEGIES, group("root", *A_B_C), "crash b",
         told="start b", up="a b c"),
    Rule("one_for_all stops the others in reverse order and starts all in order", STRATEGIES,
         group("root", *A_B_C, strategy=ALL), "crash b",
         told="stop c, stop a, start a, start b, start c", up="a b c"),
    Rule("rest_for_one restarts those after the one that died", STRATEGIES,
         group("root", *A_B_C, strategy=REST), "crash b",
         told="stop c, start b, start c", up="a b c"),
    Rule("rest_for_one of the last child restarts only that", STRATEGIES,
         group("root", *A_B_C, strategy=REST), "crash c", told="start c", up="a b c"),
    Rule("a strategy restarts whole groups as well", STRATEGIES,
         group("root", "a", inner("b", "c"), strategy=ALL), "crash a",
         told="stop c, stop b, start a, start b, start c", up="a b c"),
    Rule("a strategy ends at the border of its group", STRATEGIES,
         group("root", "a", inner("b", "c", strategy=ALL, max_restarts=3), strategy=ALL),
         "crash b", told="stop c, start b, start c", up="a b c"),
    # ---- restarts that fail ----
    Rule("a restart that fails is tried again", "erl, handle_cast try_again_restart",
         group("root", "a", max_restarts=3), "fail a 2, crash a",
         told="start a, start a, start a", up="a"),
    Rule("one_for_all stops those again that it had restarted, if a later one fails",
         "erl, restart_multiple_children/3", group("root", *A_B_C, strategy=ALL, max_restarts=3),
         "fail b, crash c",
         told="stop b, stop a, start a, start b, stop a, start a, start b, start c", up="a b c"),
    Rule("rest_for_one keeps those that it restarted before the one that fails",
         "erl, restart/3", group("root", *A_B_C, strategy=REST, max_restarts=3),
         "fail b, crash a", told="stop c, stop b, start a, start b, start b, start c", up="a b c"),
    # ---- intensity ----
    Rule("as many restarts as the intensity are allowed", INTENSITY, intensity(2, "a"),
         "crash a, crash a", up="a"),
    Rule("one more restart ends all children and the group", INTENSITY, intensity(2, "a", "b"),
         "crash a, crash b, crash a", told="stop b", ended="gave_up"),
    Rule("an intensity of 0 allows no restart", INTENSITY, intensity(0, "a"), "crash a",
         told="", ended="gave_up"),
    Rule("a restart exactly a period ago still counts", "erl, add_restart/3", intensity(1, "a"),
         "crash a, wait 5, crash a", told="", ended="gave_up"),
    Rule("a restart longer ago than a period counts no more", "erl, add_restart/3",
         intensity(1, "a"), "crash a, wait 5.01, crash a", told="start a", up="a"),
    Rule("an attempt that failed counts like a restart", "erl, restart/2", intensity(2, "a"),
         "fail a 2, crash a", told="start a, start a", ended="gave_up"),
    Rule("a restart of all children counts once", "erl, restart/2",
         intensity(1, *A_B_C, strategy=ALL), "crash a", up="a b c"),
    Rule("a restart by hand does not count", "erl, handle_call restart_child", intensity(0, "a"),
         "terminate a, restart a", told="start a", up="a"),
    Rule("a temporary child's death does not count", "erl, do_restart/3",
         intensity(0, "a", temporary("b")), "crash b", up="a"),
    Rule("a transient child's end in order does not count", "erl, do_restart/3",
         intensity(0, "a", transient("b")), "end b", up="a"),
    # ---- escalation ----
    Rule("a group that gives up is restarted by the group it is in", "principles, Tuning",
         group("root", "a", inner("b", "c")), "crash b",
         told="stop c, start b, start c", up="a b c"),
    Rule("a group that was restarted has its whole budget again", "erl, init/1",
         group("root", inner("a", max_restarts=1), max_restarts=1),
         "crash a, crash a, crash a", told="start a", up="a"),
    Rule("a transient group that gives up is not restarted, for it ends with reason shutdown",
         INTENSITY, group("root", "a", inner("b", "c", restart_type="transient")), "crash b",
         told="stop c", up="a", standing="inner ended"),
    Rule("a temporary group that gives up is forgotten", INTENSITY,
         group("root", "a", inner("b", restart_type="temporary")), "crash b",
         told="", up="a", standing="b removed"),
    Rule("giving up goes on up to the root", INTENSITY,
         group("root", "a", inner("b"), max_restarts=0), "crash b",
         told="stop a", ended="gave_up"),
    # ---- start that fails ----
    Rule("if a child cannot be started, those before it are stopped in reverse, and all fails",
         "doc, start_link/3", group("root", *A_B_C), "", first="fail c",
         told="start a, start b, start c, stop b, stop a", ended="start_failed"),
    Rule("a group inside that cannot be started fails the group around it",
         "doc, start_link/3", group("root", "a", inner("b", "c"), "d"), "", first="fail c",
         told="start a, start b, start c, stop b, stop a", ended="start_failed"),
    Rule("a temporary child that cannot be started fails its group as well",
         "erl, start_children/2", group("root", temporary("a")), "", first="fail a",
         told="start a", ended="start_failed"),
    Rule("with retry the others start without the one that cannot", "ours",
         group("root", *A_B_C, on_start_failure="retry", max_restarts=3), "", first="fail b",
         told="start a, start b, start b, start c", up="a b c"),
    Rule("with retry_connection_errors those that are unreachable are tried again", "ours",
         group("root", "a", "b", on_start_failure="retry_connection_errors", max_restarts=3), "",
         first="unreachable a", told="start a, start a, start b", up="a b"),
    Rule("with retry_connection_errors any other error fails the start", "ours",
         group("root", "a", "b", on_start_failure="retry_connection_errors"), "",
         first="fail b", told="start a, start b, stop a", ended="start_failed"),
    Rule("a group that cannot be started again is tried again", "erl, restart/3",
         group("root", inner("a", "b"), max_restarts=3), "fail b, crash a",
         told="stop b, start a, start b, stop a, start a, start b", up="a b"),
    # ---- ignore ----
    Rule("a child that ignores its start does not run, its spec is kept, and the next one starts",
         "doc, start_link/3 (ignore)", group("root", "a", "b"), "", first="ignore a",
         told="start a, start b", up="b", standing="a ended"),
    Rule("a temporary child that ignores its start is forgotten", "erl, start_children/2",
         group("root", temporary("a"), "b"), "", first="ignore a", up="b", standing="a removed"),
    Rule("to ignore a restart is no failure, and ends it", "erl, restart/3",
         intensity(1, "a"), "ignore a, crash a", told="start a", standing="a ended"),
    Rule("who ignored his start is started again when all are", "erl, restart_multiple_children/3",
         group("root", "a", "b", strategy=ALL), "crash b", first="ignore a",
         told="start a, start b", up="a b"),
    Rule("who ignores a restart of all is left out", "erl, restart_multiple_children/3",
         group("root", *A_B_C, strategy=ALL), "ignore b, crash a",
         told="stop c, stop b, start a, start b, start c", up="a c"),
    Rule("start_child of one that ignores it is no error, and keeps its spec",
         "doc, start_child/2 (ignore)", group("root", "a"), "ignore b, add b",
         told="start b", answer="ok", standing="b ended"),
    Rule("start_child of a temporary one that ignores it leaves nothing",
         "doc, start_child/2 (ignore)", group("root", "a"), "ignore b, add b root temporary",
         answer="ok", standing="b removed"),
    Rule("restart_child of one that ignores it is no error", "doc, restart_child/2",
         group("root", "a"), "terminate a, ignore a, restart a", answer="ok", standing="a ended"),
    Rule("a significant child that ignores its start ends no group", "erl, do_auto_shutdown/2",
         shutdown("any_significant", "a", significant("b")), "", first="ignore b", up="a"),
    Rule("one that ignored its start is not waited for by all_significant",
         "erl, do_auto_shutdown/2",
         shutdown("all_significant", "a", significant("b"), significant("c")), "end c",
         first="ignore b", told="stop a", ended="auto_shutdown"),
    # ---- a counterpart that is away ----
    Rule("with fail, whose counterpart is away counts as any other that cannot be restarted",
         "erl, restart/2", intensity(2, "a", "b", strategy=ALL), "away b 2, crash a",
         told="stop b, start a, start b, stop a, start a, start b, stop a", ended="gave_up"),
    Rule("who waits for his counterpart uses up no budget, in no round", "ours",
         group("root", *A_B_C, strategy=ALL, on_start_failure="retry_connection_errors",
               max_restarts=1), "away b 9, crash a", up="a b c"),
    Rule("who waits for his counterpart uses up no budget of his own", "ours",
         group("root", system("a", restart=attrs.evolve(FAST, max_restarts=1)),
               give_up="quarantine", on_start_failure="retry"), "away a 9, crash a", up="a"),
    Rule("in a round the others go on without one whose counterpart is away", "ours",
         group("root", *A_B_C, strategy=ALL, on_start_failure="retry"), "away c, crash a",
         told="stop c, stop b, start a, start b, start c, start c", up="a b c"),
    Rule("when it comes up late, rest_for_one restarts those after it", "ours",
         group("root", *A_B_C, strategy=REST, on_start_failure="retry"), "", first="away b",
         told="start a, start b, start b, start c, stop c, start c", up="a b c"),
    Rule("when it comes up late, one_for_all restarts those after it", "ours",
         group("root", *A_B_C, strategy=ALL, on_start_failure="retry"), "", first="away b",
         told="start a, start b, start b, start c, stop c, start c", up="a b c"),
    Rule("when it comes up late, one_for_one restarts nobody", "ours",
         group("root", *A_B_C, on_start_failure="retry"), "", first="away b",
         told="start a, start b, start b, start c", up="a b c"),
    Rule("a temporary child that was started too early is ended and forgotten", "ours",
         group("root", "a", temporary("b"), "c", strategy=REST, on_start_failure="retry"), "",
         first="away a", told="start a, start a, start b, start c, stop c, stop b, start c",
         up="a c", standing="b removed"),
    # ---- automatic shutdown ----
    Rule("any_significant ends the group when one significant child ends in order", SHUTDOWN,
         shutdown("any_significant", "a", significant("b"), significant("c")), "end b",
         told="stop c, stop a", ended="auto_shutdown"),
    Rule("any_significant does nothing when a transient child crashes: it is restarted",
         SHUTDOWN, shutdown("any_significant", "a", significant("b")), "crash b", up="a b"),
    Rule("any_significant ends the group also when a temporary child crashes", SHUTDOWN,
         shutdown("any_significant", "a", significant("b", "temporary")), "crash b",
         told="stop a", ended="auto_shutdown"),
    Rule("the end of a child that is not significant ends no group", SHUTDOWN,
         shutdown("any_significant", transient("a"), significant("b")), "end a", up="b"),
    Rule("all_significant waits for the last", SHUTDOWN,
         shutdown("all_significant", "a", significant("b"), significant("c")), "end b",
         told="", up="a c"),
    Rule("all_significant ends the group with the last", SHUTDOWN,
         shutdown("all_significant", "a", significant("b"), significant("c")), "end b, end c",
         told="stop a", ended="auto_shutdown"),
    Rule("a significant child that is terminated by hand ends no group",
         "principles, Automatic Shutdown", shutdown("any_significant", "a", significant("b")),
         "terminate b", up="a"),
    Rule("one that is terminated by hand is not waited for by all_significant",
         "erl, do_auto_shutdown/2",
         shutdown("all_significant", "a", significant("b"), significant("c")),
         "terminate b, end c", told="stop a", ended="auto_shutdown"),
    Rule("a permanent group that shuts down by itself is restarted",
         "principles, Automatic Shutdown",
         group("root", "a", inner("b", significant("c"), auto_shutdown="any_significant")),
         "end c", told="stop b, start b, start c", up="a b c"),
    Rule("a significant group that gives up counts as well", SHUTDOWN,
         shutdown("any_significant", "a",
                  inner("b", restart_type="transient", significant=True)),
         "crash b", told="stop a", ended="auto_shutdown"),
    # ---- start_child ----
    Rule("a new child starts at the end of its group", "doc, start_child/2",
         group("root", "a", strategy=ALL), "add b, crash a",
         told="stop b, start a, start b", up="a b"),
    Rule("start_child refuses a name that runs", "doc, start_child/2", group("root", "a"),
         "add a", told="", answer="already_started"),
    Rule("start_child refuses a name whose spec is kept", "doc, start_child/2",
         group("root", "a"), "terminate a, add a", told="", answer="already_present"),
    Rule("of a new child that cannot be started nothing is left", "doc, start_child/2",
         group("root", "a"), "fail b, add b", answer="connector_error", standing="b removed"),
    Rule("a new child that cannot be started does not count as a restart", "doc, start_child/2",
         intensity(0, "a"), "fail b, add b", up="a"),
    Rule("a significant child is refused where nothing shuts down by itself",
         "doc, Child specification: significant", group("root", "a"), "add_significant b",
         answer="invalid_spec", standing="b removed"),
    Rule("that is looked at before the name", "erl, handle_call start_child",
         group("root", "a"), "add_significant a", answer="invalid_spec"),
    # ---- terminate_child ----
    Rule("a child that is terminated stays down, and its spec is kept",
         "doc, terminate_child/2", group("root", "a"), "terminate a", told="stop a",
         answer="ok", standing="a terminated"),
    Rule("a temporary child that is terminated is forgotten", "doc, terminate_child/2",
         group("root", temporary("a")), "terminate a", answer="ok", standing="a removed"),
    Rule("to terminate a child that does not run is no error", "doc, terminate_child/2",
         group("root", "a"), "terminate a, terminate a", told="", answer="ok"),
    Rule("terminate_child does not know a name that is not there", "doc, terminate_child/2",
         group("root", "a"), "terminate b", answer="not_found"),
    Rule("one terminated by hand stays down when all others are restarted", "ours",
         group("root", *A_B_C, strategy=ALL), "terminate b, crash a",
         told="stop c, start a, start c", up="a c"),
    Rule(
        "one terminated by hand stays down when its group is restarted",
        "ours",
        group("root", "a", inner("b", "c"), strategy=ALL),
        "terminate b, crash a",
        told="stop c, start a, start c",
        up="a c",
        standing="b terminated",
    ),
    # ---- restart_child, delete_child ----
    Rule("restart_child starts a child that was terminated", "doc, restart_child/2",
         group("root", "a"), "terminate a, restart a", told="start a", answer="ok", up="a"),
    Rule("restart_child starts a transient child that has ended", "doc, restart_child/2",
         group("root", transient("a")), "end a, restart a", told="start a", answer="ok"),
    Rule("restart_child refuses a child that runs", "doc, restart_child/2", group("root", "a"),
         "restart a", told="", answer="running"),
    Rule("restart_child does not know a temporary child that has ended", "doc, restart_child/2",
         group("root", temporary("a")), "end a, restart a", answer="not_found"),
    Rule("restart_child that fails keeps the spec, and tries nothing again",
         "doc, restart_child/2", group("root", "a"), "terminate a, fail a, restart a",
         told="start a", answer="connector_error", standing="a terminated"),
    Rule("delete_child forgets a child that does not run", "doc, delete_child/2",
         group("root", "a"), "terminate a, delete a", answer="ok", standing="a removed"),
    Rule("delete_child refuses a child that runs", "doc, delete_child/2", group("root", "a"),
         "delete a", told="", answer="running", up="a"),
    Rule("delete_child does not know a name that is not there", "doc, delete_child/2",
         group("root", "a"), "delete b", answer="not_found"),
    Rule("a name is free again once it was deleted", "doc, delete_child/2", group("root", "a"),
         "terminate a, delete a, add a", told="start a", answer="ok", up="a"),
    # ---- exits that are known already ----
    Rule("an exit of an earlier process is ignored", "erl, restart_child/3 (find_child_by_pid)",
         group("root", "a"), "crash a, again a", told="", up="a"),
    # ---- code change ----
    Rule("a change of specs leaves running children alone", "erl, code_change/3",
         group("root", "a", "b"), "change a+b", told="", answer="ok", up="a b"),
    Rule("a change of specs adds new children, and does not start them",
         "erl, update_childspec1/3", group("root", "a"), "change a+b", told="", up="a",
         standing="b down"),
    Rule("children that a change of specs added start with their group's next restart",
         "erl, update_childspec1/3", group("root", "a", strategy=ALL), "change a+b, crash a",
         told="start a, start b", up="a b"),
    Rule("children that the new specs do not name are kept, after the others",
         "erl, update_childspec1/3", group("root", *A_B_C), "change c, stop",
         told="stop b, stop a, stop c", ended="asked"),
    Rule("a change of specs takes the order of the new ones", "erl, update_childspec1/3",
         group("root", "a", "b"), "change b+a, stop", told="stop a, stop b", ended="asked"),
    Rule("the new restart type counts from now on", "erl, update_chsp/2",
         group("root", transient("a")), "change a, end a", told="start a", up="a"),
    # ---- quarantine ----
    Rule("a child in quarantine leaves its siblings alone", "ours",
         group("root", system("a", restart=attrs.evolve(FAST, max_restarts=1)), "b",
               give_up="quarantine"), "crash a, crash a", told="", up="b",
         standing="a quarantined"),
    Rule("a child in quarantine stays there when all others are restarted", "ours",
         group("root", system("a", restart=attrs.evolve(FAST, max_restarts=0)), "b", "c",
               give_up="quarantine", strategy=ALL), "crash a, crash b",
         told="stop c, start b, start c", up="b c", standing="a quarantined"),
    Rule("a group whose children need one another is set aside as one", "ours",
         group("root", "z", group("g", *A_B_C, strategy=ALL, give_up="quarantine_group")),
         "fragile b, crash b", told="stop c, stop a", up="z", standing="g quarantined"),
    Rule("so it is with rest_for_one, also of those before it", "ours",
         group("root", "z", group("g", *A_B_C, strategy=REST, give_up="quarantine_group")),
         "fragile b, crash b", told="stop c, stop a", up="z", standing="g quarantined"),
    Rule("restart_child starts a whole group that was set aside", "ours",
         group("root", group("g", *A_B_C, strategy=ALL, give_up="quarantine_group")),
         "fragile b, crash b, restart g", told="start a, start b, start c", up="a b c"),
    Rule("a group that is set aside takes along those who cannot do without it", "ours",
         group("root", "z", group("g", inner("a", "b", strategy=ALL, give_up="quarantine_group"),
                                  "c", strategy=REST, give_up="quarantine_group")),
         "fragile b, crash b", told="stop a, stop c", up="z", standing="g quarantined"),
    Rule("and a group that escalates has crashed then, if the others need it", "ours",
         group("root", group("g", inner("a", strategy=ALL, give_up="quarantine_group"), "c",
                             strategy=REST)), "fragile a, crash a",
         told="stop c, start a, start c", up="a c"),
    Rule("but those who need nobody go on", "ours",
         group("root", inner("a", strategy=ALL, give_up="quarantine_group"), "c"),
         "fragile a, crash a", told="", up="c", standing="inner quarantined"),
    Rule("a root group that would have to be set aside ends", "ours",
         group("root", *A_B_C, strategy=ALL, give_up="quarantine_group"),
         "fragile b, crash b", told="stop c, stop a", ended="gave_up"),
    Rule("restart_child takes a child out of quarantine, with its whole budget", "ours",
         group("root", system("a", restart=attrs.evolve(FAST, max_restarts=1)),
               give_up="quarantine"), "crash a, crash a, restart a, crash a",
         told="start a", up="a"),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.text)
def test_rule(rule):
    play = Play(rule.spec)
    play.play(", ".join(filter(None, [rule.first, "start", rule.words])))
    if rule.told is not None:
        assert play.last == rule.told
    if rule.up is not None:
        assert play.grove.up == rule.up
    if rule.answer is not None:
        assert play.answers[-1] == rule.answer
    ended = play.grove.ended
    assert (ended.ending.name.lower() if ended else None) == rule.ended
    if rule.standing is not None:
        name, word = rule.standing.split()
        assert play.grove.standing(name) == word


def test_rules_are_named_once():
    assert len({rule.text for rule in RULES}) == len(RULES)
