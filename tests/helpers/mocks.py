"""Mock systems in the test's own process, with sleeps that a test decides about."""

import asyncio

from actors.connectors.mock.system import MockExternalSystem


async def never(_seconds):
    """A sleep that does not end: a receive then ends by its data, or not at all."""
    await asyncio.Event().wait()


async def at_once(_seconds):
    """A sleep that takes no time."""


class Slept(list):
    """A sleep that takes no time and keeps account."""

    async def __call__(self, seconds):
        self.append(seconds)


def mock(*, sleep=at_once, **details):
    return MockExternalSystem("plc", details, sleep=sleep)


def connected(**options):
    system = mock(**options)
    asyncio.run(system.connect())
    return system


async def turns(count=5):
    """Let the other tasks run until they wait."""
    for _ in range(count):
        await asyncio.sleep(0)
