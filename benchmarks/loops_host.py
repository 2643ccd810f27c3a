"""A worker with the two event loops. Usage: as a :class:`~benchmarks.worker.Worker`."""

from benchmarks.loops import Loops
from benchmarks.worker import end_with_parent, serve

if __name__ == "__main__":
    end_with_parent()
    serve(Loops)
