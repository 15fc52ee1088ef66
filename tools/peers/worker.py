"""One conversion or one measurement, in a process of its own; prints a line of JSON."""

import argparse
import gc
import json
import os
import pathlib
import statistics
import sys
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy  # noqa: E402

from peers import networks, runtimes  # noqa: E402


def status_bytes(key):
    for line in open("/proc/self/status", encoding="ascii"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def pin(threads):
    """The first `threads` processors this process may use, and no other."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def clock(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def find_output(outputs, want):
    """The output of that shape, in the network's order of axes or with the channels last."""
    for array in outputs:
        if array.shape == want.shape:
            return array, array
    for array in outputs:
        if array.size == want.size:
            last = array.ndim > 2 and numpy.moveaxis(array, -1, 1)
            if last is not False and last.shape == want.shape:
                return array, last
            return array, array.reshape(want.shape)
    return None, None


def scaled_error(outputs, expected):
    """The largest error of any output over its largest number; None where one is missing. Some
    runtimes have an order of outputs of their own, hence the search."""
    worst, left = 0.0, list(outputs)
    for want in expected:
        found, got = find_output(left, want)
        if found is None:
            return None
        left = [array for array in left if array is not found]
        error = numpy.abs(got.astype("float64") - want).max() / numpy.abs(want).max()
        worst = max(worst, float(error) if numpy.isfinite(error) else 1e30)
    return worst


def read_from_disk(path):
    """So that the load does not wait for it; in parts, which are not the peak of memory."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def measure(runtime, network, folder, arguments):
    pin(arguments.threads)
    expected = networks.read_reference(arguments.reference)
    for path in runtime.files(network, folder):
        read_from_disk(path)
    gc.collect()
    before = status_bytes("VmRSS")
    result = {"load_ms": clock(lambda: runtime.load(network, folder, arguments.threads))}
    result["first_ms"] = clock(runtime.run)
    start = time.perf_counter()
    clock(runtime.run)
    while time.perf_counter() - start < 0.1:
        clock(runtime.run)
    times = []
    start = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < arguments.min_time:
        times.append(clock(runtime.run))
    result.update(median_ms=statistics.median(times), min_ms=min(times), max_ms=max(times),
                  runs=len(times), peak_bytes=status_bytes("VmHWM") - before,
                  info=runtime.info())
    result["error"] = scaled_error(runtime.outputs(), expected)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=["convert", "measure", "version"])
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--network", type=pathlib.Path)
    parser.add_argument("--folder", type=pathlib.Path)
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--min-time", type=float, default=0.3)
    parser.add_argument("--pleat")
    parser.add_argument("--library")
    parser.add_argument("--onnx2tf", type=pathlib.Path)
    arguments = parser.parse_args()
    line = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not the result
    try:
        runtime = runtimes.RUNTIMES[arguments.runtime](arguments)
        if arguments.task == "version":
            result = {"version": runtime.version()}
        else:
            network = networks.Network(arguments.network)
            if arguments.task == "convert":
                arguments.folder.mkdir(parents=True, exist_ok=True)
                runtime.convert(network, arguments.folder)
                result = {}
            else:
                result = measure(runtime, network, arguments.folder, arguments)
    except Exception as error:  # whatever a library throws is this runtime's result
        traceback.print_exc()
        result = {"failed": f"{type(error).__name__}: {error}"[:300]}
    os.write(line, (json.dumps(result) + "\n").encode())
    os._exit(0)  # some runtimes crash while they are taken down


if __name__ == "__main__":
    main()
