"""Everything at once, at random, for a while; then all is as it is meant to be."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest

from tests.helpers.chaos import Chaos, Plan

pytestmark = pytest.mark.usefixtures("nothing_left")


def run_chaos(plan: Plan) -> None:
    async def main() -> None:
        chaos = Chaos(plan)
        print(f"chaos with {plan}")
        try:
            await chaos.run()
        finally:
            print(chaos.report())

    asyncio.run(main())


def new_seed() -> int:
    return random.randrange(sys.maxsize)


def test_after_a_short_chaos_all_is_as_it_is_meant_to_be() -> None:
    run_chaos(Plan(seconds=6.0, seed=new_seed(), supervisor_every=4.0))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_after_a_long_chaos_all_is_as_it_is_meant_to_be() -> None:
    run_chaos(Plan(seconds=180.0, seed=new_seed(), guardian_every=40.0, supervisor_stops=70.0))
