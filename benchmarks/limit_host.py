"""A worker with the bare sockets. Usage: as a :class:`~benchmarks.worker.Worker`."""

from benchmarks.limit import Limit
from benchmarks.worker import end_with_parent, serve

if __name__ == "__main__":
    end_with_parent()
    serve(Limit)
