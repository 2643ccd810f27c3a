"""A directory is one process's at a time, also when it is removed and made again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.unix_base.kernel import held_directory, path_claim
from actors.unix_base.kernel.held_directory import HeldDirectory, HeldError, is_held
from actors.unix_base.kernel.path_claim import HAS_CLAIMS, PathClaim, claimant
from actors.unix_base.kernel.private_directory import NotPrivateError, PrivateDirectory
from tests.helpers.programs import ROOT

needs_claims = pytest.mark.skipif(not HAS_CLAIMS, reason="there are no claims to paths here")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


@pytest.fixture
def place(runtime_dir: Path) -> str:
    return str(runtime_dir)


@pytest.fixture
def no_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_claim, "HAS_CLAIMS", False)


def hold(place: str) -> HeldDirectory:
    return HeldDirectory(place, lambda: PrivateDirectory(place, make=True))


def remove(place: str) -> None:
    shutil.rmtree(place)


def remove_and_make_again(place: str) -> None:
    shutil.rmtree(place)
    os.mkdir(place, 0o700)


def move_and_make_again(place: str) -> None:
    os.rename(place, place + "-moved")
    os.mkdir(place, 0o700)


WAYS = [remove, remove_and_make_again, move_and_make_again]


@needs_claims
@pytest.mark.parametrize("harm", WAYS)
def test_nobody_else_can_hold_a_directory_that_is_removed(
    place: str, harm: Callable[[str], None]
) -> None:
    first = hold(place)
    harm(place)
    assert is_held(place)
    with pytest.raises(HeldError) as caught:
        hold(place)
    assert caught.value.pid == os.getpid()
    first.close()
    assert not is_held(place)
    hold(place).close()


@pytest.mark.parametrize("harm", WAYS)
def test_what_was_removed_is_made_again_and_locked(
    place: str, harm: Callable[[str], None], no_claims: None
) -> None:
    first = hold(place)
    assert not first.look()
    harm(place)
    assert first.look()
    assert first.directory.is_at_its_path
    assert is_held(place)
    with pytest.raises(HeldError):
        hold(place)
    assert not first.look()
    first.close()


def test_without_claims_a_first_finds_itself_replaced(place: str, no_claims: None) -> None:
    first = hold(place)
    remove(place)
    second = hold(place)
    with pytest.raises(HeldError):
        first.look()
    first.close()
    assert is_held(place)
    assert not second.look()
    second.close()


def test_what_others_put_in_its_place_is_not_taken(place: str) -> None:
    first = hold(place)
    remove(place)
    os.mkdir(place, 0o777)
    os.chmod(place, 0o777)
    with pytest.raises(NotPrivateError, match="others may enter"):
        first.look()
    os.rmdir(place)
    assert first.look()
    first.close()


def test_what_is_not_accepted_in_its_place_is_not_locked(place: str) -> None:
    def refuse(directory: PrivateDirectory) -> None:
        raise ValueError(directory.path)

    first = hold(place)
    remove_and_make_again(place)
    with pytest.raises(ValueError, match=place):
        first.look(refuse)
    with PrivateDirectory(place) as now:
        assert not now.is_locked
    assert first.look()
    first.close()


@needs_claims
def test_a_path_is_the_same_by_whichever_link_above_it(place: str) -> None:
    link = Path(place).parent / "link"
    link.symlink_to(Path(place).parent)
    with PrivateDirectory(place, make=True):
        claim = PathClaim(place)
        assert claimant(str(link / Path(place).name)) == os.getpid()
        claim.close()


@needs_claims
def test_a_claim_does_not_outlive_its_process_whatever_that_forked(place: str) -> None:
    program = (
        "import os, sys\n"
        "from actors.unix_base.kernel.path_claim import PathClaim\n"
        "claim = PathClaim(sys.argv[1])\n"
        "os.register_at_fork(after_in_child=claim.close)\n"
        "if not os.fork(): print(flush=True); sys.stdin.read(); os._exit(0)\n"
        "sys.stdin.readline()\n"
        "os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, place]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        assert claimant(place) == holder.pid
        with pytest.raises(path_claim.ClaimedError):
            PathClaim(place)
        holder.kill()
        holder.wait()
        assert claimant(place) is None
        PathClaim(place).close()


@needs_claims
@needs_root
def test_another_users_socket_is_no_claim(place: str) -> None:
    name = path_claim._name(place)
    program = (
        "import os, socket, sys; os.setuid(12345)\n"
        "s = socket.socket(socket.AF_UNIX); s.bind(bytes.fromhex(sys.argv[1])); s.listen()\n"
        "print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, name.hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        assert claimant(place) is None
        held = hold(place)
        assert held.is_claim_taken
        with pytest.raises(HeldError):  # by the lock
            hold(place)
        held.close()
        other.stdin.close()


@needs_claims
def test_a_name_at_which_nobody_listens_is_no_claim(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(path_claim, "_PATIENCE", 0.05)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path_claim._name(place))
        claim = PathClaim(place)
        assert claim.is_kept_by_others
        claim.close()


@needs_claims
def test_whoever_asks_for_a_claim_is_let_go(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_claim, "_BACKLOG", 2)
    held = hold(place)
    for _ in range(3):
        assert claimant(place) == os.getpid()
    assert claimant(place) is None  # the queue is full: nobody can tell
    assert held_directory.is_held(place)  # but by the lock
    held.look()
    assert claimant(place) == os.getpid()
    held.close()
