"""How Pleat's time grows with the work: batch 1 to 32, and pictures of 128 to 512 pixels."""

import json
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


def run(arguments):
    names = arguments.networks or ["resnet18", "mobilenet_v2"]
    rows = {}
    for _ in range(arguments.rounds):
        for name in names:
            folder = arguments.zoo / f"{name}_anysize"
            file = arguments.work / f"{name}_anysize.pleat"
            if not file.exists() or file.stat().st_mtime < (folder / "model.onnx").stat().st_mtime:
                arguments.work.mkdir(parents=True, exist_ok=True)
                subprocess.run([str(arguments.pleat), "convert", str(folder / "model.onnx"), "-o",
                                str(file), "-q"], check=True)
            for case in dict.fromkeys(cases(name)):
                for threads in map(int, arguments.threads.split(",")):
                    result = bench(arguments, file, case[1], case[2], threads)
                    row = rows.setdefault((*case, threads), {"ms": []})
                    row["ms"].append(result["median_ms"])
                    row["multiply_adds"] = result["multiply_adds"]
                    print(f"{case} on {threads}: {result['median_ms']:.2f} ms", file=sys.stderr)
    lines = ["| network | batch | side | threads | ms (fastest–slowest) | M multiply-adds | "
             "ns per 1000 multiply-adds |", "|---|---:|---:|---:|---:|---:|---:|"]
    for (name, batch, side, threads), row in rows.items():
        ms = statistics.median(row["ms"])
        lines.append(f"| {name} | {batch} | {side} | {threads} | {ms:.2f} "
                     f"({min(row['ms']):.2f}–{max(row['ms']):.2f}) | "
                     f"{row['multiply_adds'] * 1e-6:.0f} | "
                     f"{ms * 1e6 / row['multiply_adds'] * 1e3:.2f} |")
    text = "\n".join(lines) + "\n"
    if arguments.report:
        arguments.report.write_text(text)
    else:
        print(text, end="")
    return 0
