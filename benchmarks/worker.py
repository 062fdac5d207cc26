"""The process in which one client does one workload once.

    python -m benchmarks.worker CLIENT WORKLOAD URL QUEUE COUNT BODY_SIZE

Its answer on standard output is what `Job.report` gives, or `null` if the client does not have
the workload.
"""

import sys
from importlib import import_module

from benchmarks.job import Job

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Do it."""
    client, workload, url, queue_name, count, body_size = arguments
    module_name, _, loop_name = client.partition("+")
    module = import_module("benchmarks.clients." + module_name.replace("-", "_"))
    function = getattr(module, workload, None)
    if function is None:
        print("null")
        return
    job = Job(url, queue_name, int(count), int(body_size))
    coroutine = function(job)
    if coroutine is not None:
        # Here, for clients that block are not to be charged with asyncio's memory.
        import_module(loop_name or "asyncio").run(coroutine)
    print(job.report())


if __name__ == "__main__":
    main(sys.argv[1:])
