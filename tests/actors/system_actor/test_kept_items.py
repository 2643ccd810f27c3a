"""Items that nobody has taken yet are bounded; what is put back is not lost."""

from __future__ import annotations

from actors.messages.limits import DELIVERY_ITEMS
from actors.system_actor import kept_items
from actors.system_actor.kept_items import KeptItems


def taken(kept: KeptItems) -> list[object]:
    return [kept.take() for _ in range(len(kept))]


def test_items_are_taken_in_their_order_and_what_is_put_back_comes_first():
    kept = KeptItems()
    for item in ("c", "d"):
        assert kept.add(item) == 0
    kept.put_back(["a", "b"])
    assert taken(kept) == ["a", "b", "c", "d"]


def test_the_oldest_is_dropped_for_one_too_many():
    kept = KeptItems()
    assert sum(kept.add(n) for n in range(DELIVERY_ITEMS)) == 0
    assert kept.add("last") == 1
    assert taken(kept) == [*range(1, DELIVERY_ITEMS), "last"]


def test_as_many_are_dropped_as_a_large_one_needs(monkeypatch):
    monkeypatch.setattr(kept_items, "MOST_BYTES", 10)
    kept = KeptItems()
    for item in (b"1234", b"56", b"7890"):
        assert kept.add(item) == 0
    assert kept.add(b"abcdef") == 2
    assert taken(kept) == [b"7890", b"abcdef"]
    assert kept.add(bytes(99)) == 0, "the last one stays, however large"
    assert kept.add(b"x") == 1
    kept.take()
    assert kept.add(b"0123456789") == 0, "what was taken counts no more"


def test_what_is_put_back_is_never_dropped(monkeypatch):
    monkeypatch.setattr(kept_items, "MOST_BYTES", 10)
    kept = KeptItems()
    kept.put_back([b"0123456789", b"0123456789"])
    assert len(kept) == 2


def test_what_was_asked_for_is_never_dropped_and_keeps_its_place(monkeypatch):
    monkeypatch.setattr(kept_items, "MOST_BYTES", 10)
    kept = KeptItems()
    assert kept.add(b"one") == 0
    assert kept.add(bytes(99), asked=True) == 0
    assert kept.add(b"two") == 0
    assert kept.add(b"three") == 1
    kept.put_back([b"back"])
    assert taken(kept) == [b"back", bytes(99), b"two", b"three"]


def test_it_is_full_from_so_many_items_or_bytes_on_whoever_they_came_for(monkeypatch):
    kept = KeptItems()
    for n in range(DELIVERY_ITEMS):
        assert not kept.is_full
        kept.add(n, asked=bool(n % 2))
    assert kept.is_full
    taken(kept)
    assert not kept.is_full
    monkeypatch.setattr(kept_items, "MOST_BYTES", 10)
    kept.add(b"12345", asked=True)
    kept.put_back([b"1234"])
    assert not kept.is_full
    kept.add(b"1")
    assert kept.is_full
    kept.take()
    assert not kept.is_full
