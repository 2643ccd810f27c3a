"""A worker with a supervisor. Usage: as a :class:`~benchmarks.worker.Worker`."""

from actors.processes.lifeline import end_descendants_with_parents
from benchmarks.runtime import RawRuntime
from benchmarks.worker import end_with_parent, serve

if __name__ == "__main__":
    end_with_parent()
    end_descendants_with_parents()
    serve(RawRuntime)
