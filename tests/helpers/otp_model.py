"""What OTP's supervisor does, as naively as it can be said: one thing at a time, in one go.

After lib/stdlib/src/supervisor.erl of Erlang/OTP. Starting a child asks a script whether
that works; stopping is immediate; nothing takes time. Where it follows a rule that OTP has
not, a comment says so.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from supervisor.specs.policies import AutoShutdown, GiveUp, OnStartFailure, RestartType, Strategy
from supervisor.specs.spec import ChildSpec, GroupSpec
from tests.helpers.grove import Outcome

GAVE_UP, AUTO_SHUTDOWN, ASKED, START_FAILED = "gave_up", "auto_shutdown", "asked", "start_failed"
SET_ASIDE = "set_aside"
"""Not in OTP: a group that goes into quarantine as a whole."""
ENDED = (GAVE_UP, AUTO_SHUTDOWN, SET_ASIDE)


@attrs.define(eq=False, repr=False)
class Child:
    spec: ChildSpec
    parent: Child | None
    state: str = "down"
    """``down``, ``starting`` (a group), ``up``, or ``restarting``: it could not be started
    and is tried again."""
    kept_down: str = ""
    """``terminated``, ``quarantined`` or ``ended``."""
    restarts: int = 0
    times: list[float] = attrs.field(factory=list)
    """Of its own restarts (not in OTP)."""
    group_times: list[float] = attrs.field(factory=list)
    """Of the restarts in it."""
    children: list[Child] = attrs.field(factory=list)
    alone: bool = False
    """It was never up with its group, and is restarted one_for_one (not in OTP)."""
    to_come: list[Child] = attrs.field(factory=list)
    """Of a group that starts its children: those whose turn has not come."""

    def __repr__(self) -> str:
        return f"{self.name}: {self.standing}"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_group(self) -> bool:
        return isinstance(self.spec, GroupSpec)

    @property
    def is_temporary(self) -> bool:
        return self.spec.restart_type is RestartType.TEMPORARY

    @property
    def standing(self) -> str:
        return (self.kept_down or "down") if self.state == "down" else self.state

    def walk(self) -> list[Child]:
        return [self, *(each for child in self.children for each in child.walk())]


class Model:
    def __init__(self, spec: GroupSpec, outcome: Callable[[str], Outcome]) -> None:
        self.outcome = outcome
        self.log: list[str] = []
        self.removed: list[str] = []
        self.line: list[Child] = []
        """Those to be tried again, one after the other."""
        self.now = 0.0
        self.ended: str | None = None
        self.root = self.add(spec, None)

    def add(self, spec: ChildSpec, parent: Child | None) -> Child:
        child = Child(spec, parent)
        if parent is not None:
            parent.children.append(child)
        for each in spec.children if isinstance(spec, GroupSpec) else ():
            self.add(each, child)
        return child

    def find(self, name: str) -> Child | None:
        return next((child for child in self.root.walk() if child.name == name), None)

    # ---- starting and stopping --------------------------------------------------------------

    def start(self, child: Child) -> str:
        """``works``, ``fails``, ``unreachable``; or why a group ended that was on its way."""
        child.kept_down = ""
        if not child.is_group:
            self.log.append(f"start {child.name}")
            outcome = self.outcome(child.name)
            if outcome is Outcome.WORKS:
                child.state, child.alone = "up", False
            elif outcome is Outcome.IGNORED:  # OTP: its pid is undefined
                child.state, child.alone, child.kept_down = "down", False, "ended"
                if child.is_temporary:
                    self.remove(child)
                return "works"
            return str(outcome.value)
        child.state = "starting"
        child.group_times.clear()
        for each in child.children:
            each.times.clear()
            each.alone = False
            if each.kept_down != "terminated":  # OTP starts those as well
                each.kept_down = ""
        result = self.start_from(child, 0)
        if result == "works":
            child.state, child.alone = "up", False
        return result

    def start_from(self, group: Child, index: int) -> str:
        """Start the children of a group from a place on, in their order."""
        while index < len(group.children):
            child = group.children[index]
            if child.state != "down" or child.kept_down in ("terminated", "quarantined"):
                index += 1
                continue
            if child.alone:  # nobody waits for it
                self.try_again(child)
                index += 1
                continue
            group.to_come = group.children[index + 1 :]
            result = self.start(child)
            index += 1
            if result == "works":
                index -= child not in group.children
                continue
            if result in ENDED:
                verdict, again = self.group_ended(child, result)
                index -= child not in group.children
            elif group.state == "starting":
                if not self.tries_again(group, result):
                    self.stop_children(group)
                    group.state = "down"
                    return result
                if child.is_temporary:  # never restarted
                    self.remove(child)
                    index -= 1
                    continue
                child.alone = True  # OTP has none of this: its group would have failed
                verdict, again = self.restart(child, result)
            else:
                child.alone |= self.is_awaited(child, result)  # not in OTP
                verdict, again = self.restart(child, result)
            if verdict:
                self.end(group)
                return verdict
            if again is not None:
                index = again
        group.to_come = []
        return "works"

    def tries_again(self, group: Child, result: str) -> bool:
        policy = group.spec.on_start_failure
        return policy is OnStartFailure.RETRY or (
            policy is OnStartFailure.RETRY_CONNECTION_ERRORS and result == "unreachable"
        )

    def is_awaited(self, child: Child, result: str) -> bool:
        return result == "unreachable" and self.tries_again(child.parent, result)

    def stop(self, child: Child) -> None:
        if child.is_group:
            self.end(child)
        elif child.state == "up":
            self.log.append(f"stop {child.name}")
        child.state = "down"

    def stop_children(self, group: Child) -> None:
        for child in reversed(group.children):
            self.stop(child)

    def end(self, group: Child) -> None:
        group.to_come = []
        self.stop_children(group)
        group.state = "down"

    def remove(self, child: Child) -> None:
        for each in reversed(list(child.children)):
            self.remove(each)
        assert child.parent is not None
        child.parent.children.remove(child)
        self.removed.append(child.name)

    # ---- a child has ended ------------------------------------------------------------------

    def exited(self, child: Child, normal: bool) -> tuple[str, int | None]:
        """Why its group must end now, if it must; and from which child on the group is to
        start again, if it is."""
        child.state = "down"
        group, restart_type = child.parent, child.spec.restart_type
        if restart_type is RestartType.PERMANENT or (
            restart_type is RestartType.TRANSIENT and not normal
        ):
            return self.restart(child)
        child.kept_down = "ended"
        if child.is_temporary:
            self.remove(child)
        if not child.spec.significant:
            return "", None
        rule = group.spec.auto_shutdown
        if rule is AutoShutdown.ANY_SIGNIFICANT:
            return AUTO_SHUTDOWN, None
        waiting = [e for e in group.to_come if e.kept_down not in ("terminated", "quarantined")]
        left = [
            each
            for each in group.children
            if each.spec.significant and (is_alive(each) or each in waiting)
        ]
        return ("", None) if left or rule is AutoShutdown.NEVER else (AUTO_SHUTDOWN, None)

    def restart(self, child: Child, result: str = "fails") -> tuple[str, int | None]:
        group = child.parent
        awaited = child.alone and result == "unreachable"  # not in OTP
        if not awaited and not self.count(child):
            if group.spec.give_up is GiveUp.ESCALATE:
                return GAVE_UP, None
            return self.set_aside(child), None
        child.restarts += 1
        child.state = "restarting"
        if child.alone or group.spec.strategy is Strategy.ONE_FOR_ONE:
            self.try_again(child)
            return "", None
        first = 0
        if group.spec.strategy is Strategy.REST_FOR_ONE:
            first = group.children.index(child)
        for other in reversed(group.children[first:]):
            if other is not child:
                self.stop(other)
                if other.is_temporary:
                    self.remove(other)
        child.state = "down"
        return "", first

    def group_ended(self, group: Child, why: str) -> tuple[str, int | None]:
        """A group has ended by itself: as :meth:`exited`."""
        return (self.set_aside(group), None) if why == SET_ASIDE else self.exited(group, True)

    def set_aside(self, child: Child) -> str:
        """Not in OTP: a child goes into quarantine; why its group must end, if it must."""
        child.state, child.kept_down = "down", "quarantined"
        group = child.parent
        escalates = group.spec.give_up is GiveUp.ESCALATE
        if group.spec.give_up is GiveUp.QUARANTINE or (
            escalates and group.spec.strategy is Strategy.ONE_FOR_ONE
        ):
            return ""
        return GAVE_UP if escalates or group.parent is None else SET_ASIDE

    def came_late(self, child: Child) -> tuple[str, int | None]:
        """Not in OTP: those after it were started without what they need."""
        group = child.parent
        first = group.children.index(child) + 1
        later = [each for each in group.children[first:] if each.state == "up"]
        if not later or group.spec.strategy is Strategy.ONE_FOR_ONE:
            return "", None
        for other in reversed(later):
            self.stop(other)
            if other.is_temporary:
                self.remove(other)
        return "", first

    def count(self, child: Child) -> bool:
        group = child.parent
        if group.spec.give_up is GiveUp.ESCALATE:
            times, limits = group.group_times, group.spec
        else:
            times, limits = child.times, child.spec.restart  # not in OTP
        times.append(self.now)
        recent = [time for time in times if time >= self.now - limits.period]
        return len(recent) <= limits.max_restarts

    def try_again(self, child: Child) -> None:
        child.state = "restarting"
        if child in self.line:
            self.line.remove(child)
        self.line.append(child)

    # ---- one thing after the other ----------------------------------------------------------

    def rest(self) -> None:
        """Try all again that could not be started, until all are up or given up."""
        while self.line:
            child = self.line.pop(0)
            if child.state != "restarting":
                continue
            was_alone = child.alone
            result = self.start(child)
            if result in ENDED:
                self.go_on(child.parent, *self.group_ended(child, result))
            elif result != "works":
                child.alone |= self.is_awaited(child, result)
                self.go_on(child.parent, *self.restart(child, result))
            elif was_alone and child.state == "up":
                self.go_on(child.parent, *self.came_late(child))

    def go_on(self, group: Child, verdict: str, again: int | None) -> None:
        """Carry out what :meth:`exited` or :meth:`restart` said, all the way up."""
        if again is not None:
            result = self.start_from(group, again)
            verdict = result if result in ENDED else ""
        elif verdict:
            self.end(group)
        if not verdict:
            return
        if group.parent is None:
            self.ended = verdict
        else:
            self.go_on(group.parent, *self.group_ended(group, verdict))

    # ---- what happens to it -----------------------------------------------------------------

    def begin(self) -> None:
        result = self.start(self.root)
        if result in ("fails", "unreachable"):
            self.ended = START_FAILED
        elif result != "works":
            self.ended = result
        self.rest()

    def crash(self, name: str, normal: bool) -> None:
        child = self.find(name)
        self.go_on(child.parent, *self.exited(child, normal))
        self.rest()

    def shut_down(self) -> None:
        self.end(self.root)
        self.ended = ASKED

    # ---- by hand: the code of the refusal or failure, or None -------------------------------

    def start_child(self, spec: ChildSpec, group_name: str) -> str | None:
        group = self.find(group_name)
        names = [each.name for each in spec.walk()] if isinstance(spec, GroupSpec) else [spec.name]
        if spec.significant and group.spec.auto_shutdown is AutoShutdown.NEVER:
            return "invalid_spec"
        for name in names:
            if (there := self.find(name)) is not None:
                return "already_started" if there.state == "up" else "already_present"
        if not is_alive(group):  # OTP: noproc
            return "unavailable"
        child = self.add(spec, group)
        result = self.start(child)
        if result in ENDED:
            self.go_on(group, *self.group_ended(child, result))
        elif result != "works":
            self.remove(child)
            return "connector_error"
        self.rest()
        return None

    def terminate_child(self, name: str) -> str | None:
        child = self.find(name)
        self.stop(child)
        child.kept_down = "terminated"
        if child.is_temporary:
            self.remove(child)
        return None

    def remove_child(self, name: str) -> str | None:
        """OTP's terminate_child and delete_child."""
        child = self.find(name)
        self.stop(child)
        self.remove(child)
        return None

    def delete_child(self, name: str) -> str | None:
        child = self.find(name)
        if is_alive(child):
            return "running"
        self.remove(child)
        return None

    def restart_child(self, name: str) -> str | None:
        child = self.find(name)
        if is_alive(child):
            return "running"
        if not is_alive(child.parent):
            return "unavailable"
        child.times.clear()
        result = self.start(child)
        if result in ENDED:
            self.go_on(child.parent, *self.group_ended(child, result))
        elif result != "works":
            child.kept_down = "terminated"
            return "connector_error"
        self.rest()
        return None

    def restart_anyway(self, name: str) -> str | None:
        """Not in OTP: stop it if it is up, and start it; if that fails, try again."""
        child = self.find(name)
        if not is_alive(child.parent):
            return "unavailable"
        child.times.clear()
        self.stop(child)
        self.try_again(child)
        self.rest()
        return None

    def change_specs(self, spec: GroupSpec) -> None:
        """OTP's code change: known children go on as they are, new ones are not started,
        those that are not named any more are kept at the end."""
        group = self.find(spec.name)
        group.spec = spec
        by_name = {child.name: child for child in group.children}
        group.children = []
        for each in spec.children:
            child = by_name.pop(each.name, None)
            if child is None:
                self.add(each, group)
            else:
                group.children.append(child)
                child.spec = each
                if isinstance(each, GroupSpec):
                    self.change_specs(each)
        group.children.extend(by_name.values())


def is_alive(child: Child) -> bool:
    return child.state != "down"
