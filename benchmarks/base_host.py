"""A worker with a bare actor system. Usage: as a :class:`~benchmarks.worker.Worker`, with
the name of a base, and of a module to import first if one is needed."""

from actors.processes.lifeline import end_descendants_with_parents
from benchmarks.bare import BareSystem
from benchmarks.worker import end_with_parent, serve

if __name__ == "__main__":
    arguments = end_with_parent()
    end_descendants_with_parents()
    serve(lambda: BareSystem(*arguments))
