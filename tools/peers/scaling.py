"""How Pleat's time grows with the work: batch 1 to 32, and pictures of 128 to 512 pixels."""

import json
import math
import statistics
import subprocess
import sys

BATCHES = (1, 2, 4, 8, 16, 32)
SIDES = (128, 192, 224, 256, 320, 384, 448, 512)


def cases(name):
    yield from ((name, batch, 224) for batch in BATCHES)
    yield from ((name, 1, side) for side in SIDES)


def bench(arguments, file, batch, side, threads):
    done = subprocess.run(
        [str(arguments.pleat), "bench", str(file), "--json", "--threads", str(threads),
         "--min-time", str(arguments.min_time), "--input-shape", f"input:{batch},3,{side},{side}"],
        capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"compare_peers: {done.stderr.strip()}")
    return json.loads(done.stdout)


def exponent(points):
    """Of the power of the work that the time grows with, by least squares: 1 is linear."""
    works, times = ([math.log(value) for value in values] for values in zip(*points))
    middle = statistics.mean(works)
    return (sum((work - middle) * time for work, time in zip(works, times)) /
            sum((work - middle)**2 for work in works))


def growth_table(rows):
    """From {(network, batch, side, threads): row}."""
    lines = ["| network | threads | exponent, batch 1–32 | exponent, side 128–512 |",
             "|---|---:|---:|---:|"]
    for name, threads in dict.fromkeys((key[0], key[3]) for key in rows):
        def points(chosen):
            return [(row["multiply_adds"], statistics.median(row["ms"]))
                    for key, row in rows.items()
                    if (key[0], key[3]) == (name, threads) and chosen(key)]
        batches, sides = points(lambda key: key[2] == 224), points(lambda key: key[1] == 1)
        if len(batches) == len(BATCHES) and len(sides) == len(SIDES):
            lines.append(f"| {name} | {threads} | {exponent(batches):.2f} | "
                         f"{exponent(sides):.2f} |")
    return "\n".join(lines) + "\n"


def times_table(rows):
    lines = ["| network | batch | side | threads | ms (fastest–slowest) | M multiply-adds | "
             "ns per 1000 multiply-adds |", "|---|---:|---:|---:|---:|---:|---:|"]
    for (name, batch, side, threads), row in rows.items():
        ms = statistics.median(row["ms"])
        lines.append(f"| {name} | {batch} | {side} | {threads} | {ms:.2f} "
                     f"({min(row['ms']):.2f}–{max(row['ms']):.2f}) | "
                     f"{row['multiply_adds'] * 1e-6:.0f} | "
                     f"{ms * 1e6 / row['multiply_adds'] * 1e3:.2f} |")
    return "\n".join(lines) + "\n"


def run(arguments):
    names = arguments.networks or ["resnet18", "mobilenet_v2"]
    arguments.work.mkdir(parents=True, exist_ok=True)
    files = {name: arguments.work / f"{name}_anysize.pleat" for name in names}
    for name, file in files.items():
        onnx = arguments.zoo / f"{name}_anysize" / "model.onnx"
        subprocess.run([str(arguments.pleat), "convert", str(onnx), "-o", str(file), "-q"],
                       check=True)
    rows = {}
    for turn in range(arguments.rounds):
        for name, file in files.items():
            for case in dict.fromkeys(cases(name)):
                for threads in map(int, arguments.threads.split(",")):
                    result = bench(arguments, file, case[1], case[2], threads)
                    row = rows.setdefault((*case, threads), {"ms": []})
                    row["ms"].append(result["median_ms"])
                    row["multiply_adds"] = result["multiply_adds"]
                    print(f"{case} on {threads}: {result['median_ms']:.2f} ms", file=sys.stderr)
        text = f"Rounds: {turn + 1}.\n\n{growth_table(rows)}\n{times_table(rows)}"
        if arguments.report:
            arguments.report.write_text(text)
    if not arguments.report:
        print(text, end="")
    return 0
