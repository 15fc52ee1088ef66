"""tools/compare_peers: what it concludes from measurements, and one small comparison for real.
Arguments: source folder, `pleat`, libpleat.so (or nothing: no measurement)."""

import json
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

SOURCE, PLEAT, LIBRARY = (*sys.argv[1:4], None)[:3]
try:
    import numpy  # noqa: F401
except ImportError:
    print("skipped: Python's numpy is not installed")
    sys.exit(0)
sys.path.insert(0, str(pathlib.Path(SOURCE) / "tools"))
sys.dont_write_bytecode = True

from peers import chart, layers, report, scaling, summary  # noqa: E402


def measurement(ms, error):
    return {"median_ms": ms, "error": error, "load_ms": 1, "first_ms": 2,
            "peak_bytes": 50 << 20, "info": {"multiply_adds": 5e8, "weight_bytes": 30 << 20,
                                             "arena_bytes": 10 << 20}}


def step(op, kernel, output, multiply_adds, ms):
    return {"op": op, "kernel": kernel, "output": output, "multiply_adds": multiply_adds, "ms": 9,
            "min_ms": ms}


PROFILE = {"peak_gflops": 100, "steps": [
    step("Conv", "depthwise", [1, 14, 14, 64], 14 * 14 * 64 * 9, 0.2),
    step("Conv", "depthwise", [1, 28, 28, 64], 28 * 28 * 64 * 9, 0.3),
    step("Conv", "winograd4", [1, 7, 7, 512], 7 * 7 * 512 * 512 * 9, 2.5),
    step("Pool", "channels", [1, 7, 7, 64], 0, 0.2)]}


def test_conclusions():
    times = {"pleat": (10, 20, 12), "fast_but_wrong": (1, 1, 1), "loose": (15, 24, 18),
             "onnxruntime": (20, 30, 30)}
    errors = {"pleat": 1e-6, "fast_but_wrong": 0.5, "loose": 1e-3, "onnxruntime": 1e-6}
    results = {"version": 1, "date": "2026-01-01", "machine": "m", "system": "s", "missing": {},
               "runtimes": {name: "1" for name in times},
               "conversions": {"net/absent": "cannot read Foo"}, "measurements": {}}
    for turn in range(3):
        results["measurements"][f"{turn}/net/1/peak"] = {"peak_gflops": 100}
        results["measurements"][f"{turn}/net/1/start"] = {"process_ms": 30 + turn, "load_ms": 4}
        for name, values in times.items():
            results["measurements"][f"{turn}/net/1/{name}"] = measurement(values[turn],
                                                                          errors[name])
    slow = {**PROFILE, "steps": [{**step, "min_ms": 2 * step["min_ms"]} for step in PROFILE["steps"]]}
    for turn, profile in enumerate((slow, PROFILE, slow)):
        results["measurements"][f"{turn}/net/1/layers"] = layers.behind(profile, 100)
    found = summary.Summary(results)
    assert found.lead("net", 1) == ("loose", 1.5, 1.2, 1.5), found.lead("net", 1)
    assert found.lead("net", 1, accurate=True) == ("onnxruntime", 2.0, 1.5, 2.5)
    cell = found.get("net", 1, "pleat")
    assert (cell.ms, cell.low, cell.high) == (12, 10, 20)
    assert abs(found.peak_part("net", 1, cell) - 100 * (1.0 / 0.012) / 100) < 1e-9
    text = report.text_of(results, "picture.svg")
    for part in ("1.50× (1.20–1.50) loose", "~~1 (1–1) 1000 %~~ wrong", "cannot read Foo",
                 "| 2.00× | met |", "| net | 31 (30–32), 4 |"):
        assert part in text, text
    assert "What is behind" not in text  # it is ahead and has no goal
    results["measurements"]["1/net/1/loose"] = results["measurements"]["2/net/1/loose"] = \
        measurement(9, 1e-3)
    for turn in range(3):
        results["measurements"][f"{turn}/net/1/pleat_half"] = measurement(7.5, 1e-3)
    text = report.text_of(results, "picture.svg")
    assert "| all | 1 of 1; least: 1.20× (net, loose) | met |" in text, text
    for row in ("| **net** | 4 | 3.2 | 73 of 100 | 0.877 |  |",
                "| Conv depthwise, to 28×28×64 | 2 | 0.5 | 2 | 0.489 | 9 multiply-adds for each "
                "number: memory |",
                "| Pool channels, to 7×7×64 | 1 | 0.2 | – | 0.2 | multiplies nothing: moves "
                "numbers through memory |",
                "| Conv winograd4, to 7×7×512 | 1 | 2.5 | 92 (its own products 23) | 0.188 | 4× "
                "fewer products; 7×7 pixels, 23 % of the tiles outside them; weights 4× as large, "
                "each used for 4 tiles |"):
        assert row in text, text
    xml.dom.minidom.parseString(chart.picture_of(results))


def test_growth():
    rows = {("net", batch, side, 1): {"ms": [2 * batch * side**2, 1e9, 0],
                                      "multiply_adds": 100 * batch * side**2}
            for _, batch, side in scaling.cases("net")}
    assert "| net | 1 | 1.00 | 1.00 |" in scaling.growth_table(rows), scaling.growth_table(rows)
    for key, row in rows.items():
        row["ms"] = [key[1]**2 * key[2]]
    assert "| net | 1 | 2.00 | 0.50 |" in scaling.growth_table(rows), scaling.growth_table(rows)
    assert "| net | 8 | 224 | 1 | 14336.00 (" in scaling.times_table(rows)


def compare(folder, *more):
    command = [sys.executable, f"{SOURCE}/tools/compare_peers", "digits_mlp", "--zoo",
               f"{SOURCE}/models", "--pleat", PLEAT, "--library", LIBRARY, "--work",
               f"{folder}/work", "--output", f"{folder}/r.json", "--runtimes",
               "pleat,pleat_exact,no-such", "--threads", "1", "--min-time", "0.01", *more]
    return subprocess.run(command, capture_output=True, text=True)


def test_comparison():
    with tempfile.TemporaryDirectory() as folder:
        assert compare(folder, "--rounds", "1").returncode != 0  # an unknown runtime
        command = compare(folder, "--rounds", "1", "--runtimes", "pleat,pleat_exact", "--report",
                          f"{folder}/r.md")
        assert command.returncode == 0, command.stderr
        results = json.loads(pathlib.Path(f"{folder}/r.json").read_text())
        ours = results["measurements"]["0/digits_mlp/1/pleat"]
        assert ours["error"] < 1e-5 and ours["min_ms"] <= ours["median_ms"] <= ours["max_ms"], ours
        started = results["measurements"]["0/digits_mlp/1/start"]
        assert 0 < started["load_ms"] and 0 < started["load_all_ms"], started
        assert "digits_mlp" in pathlib.Path(f"{folder}/r.md").read_text()
        xml.dom.minidom.parse(f"{folder}/r.svg")
        # Going on measures what is new and nothing again.
        again = compare(folder, "--rounds", "2", "--runtimes", "pleat,pleat_exact")
        assert again.returncode == 0, again.stderr
        grown = json.loads(pathlib.Path(f"{folder}/r.json").read_text())["measurements"]
        assert len(grown) == 10 and grown["0/digits_mlp/1/pleat"] == ours, grown


test_conclusions()
test_growth()
if LIBRARY:
    test_comparison()
