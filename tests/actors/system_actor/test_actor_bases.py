"""A system actor on Thespian's own bases. Where these cannot watch a file descriptor, it looks by
itself."""

import pytest

from actors.messages import ConnectSystem, SendData, StopSystem, SystemStopped
from tests.helpers.leaks import no_leaks
from tests.helpers.parent import Started, actor_system, family


@pytest.mark.parametrize("base", ["multiprocTCPBase", "multiprocUDPBase", "multiprocQueueBase"])
def test_it_works_on_each_of_thespians_bases(base):
    with no_leaks(), actor_system(base) as system, family(system) as plc:
        started = Started(plc)
        assert started.ask(ConnectSystem("plc")).request_id
        assert started.ask(SendData("plc", ["item"])).request_id
        plc.tell(StopSystem(grace=10.0))
        plc.hear(SystemStopped)
        plc.wait_for_exit()
