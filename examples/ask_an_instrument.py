"""Questions to an instrument that speaks SCPI: each has its own answer, whoever asks.

The instrument is simulated, and really there, behind a TCP port of this machine. Three tasks
ask it at once, and a question that it does not answer in time costs nobody the next answer: the
connection is made anew first.

Prints::

    EXTSYS,Simulated Instrument,1,1.0
    a: 1, b: 2, c: 3
    about 5 volts: True
    no answer: timeout, unknown
    and the next answer is its own: still here
"""

import asyncio

from actors.testing.instrument import InstrumentSimulator
from supervisor import ExternalSystemManager, RequestTimeoutError, SupervisorOptions, SystemSpec


async def main():
    async with InstrumentSimulator() as simulator:
        details = {"host": "127.0.0.1", "port": simulator.port}
        options = SupervisorOptions(log_level="critical")
        async with ExternalSystemManager(strict=True, options=options) as manager:
            manager.register_system(SystemSpec("dmm", "tcp", details))
            await manager.connect_all()
            print(await manager.query_system("dmm", "*IDN?"))

            names = ("a", "b", "c")
            for number, name in enumerate(names, 1):
                await manager.query_system("dmm", f"SET {name} {number}")
            answers = await asyncio.gather(
                *(manager.query_system("dmm", f"GET {name}") for name in names)
            )
            print(", ".join(map("{}: {}".format, names, answers)))
            volts = float(await manager.query_system("dmm", "MEAS:VOLT?"))
            print(f"about 5 volts: {4.5 < volts < 5.5}")

            simulator.mute = True
            try:
                await manager.query_system("dmm", "ECHO too late", timeout=0.2)
            except RequestTimeoutError as error:
                print(f"no answer: {error.failure.code}, {error.failure.outcome}")
            simulator.mute = False
            answer = await manager.query_system("dmm", "ECHO still here")
            print(f"and the next answer is its own: {answer}")


if __name__ == "__main__":
    asyncio.run(main())
