"""The tables, as Markdown."""

import statistics

from peers import layers
from peers.summary import (ACCURATE, BEST_THEN, PEAK_GOALS, WRONG, Summary,
                           geometric_mean)


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |",
             "|" + "|".join(["---"] + ["---:"] * (len(header) - 1)) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def span(cell):
    return f"{number(cell.low)}–{number(cell.high)}"


def verdict(met):
    return "met" if met else "**missed**"


def goals_table(summary):
    rows = []
    for threads in summary.threads:
        leads = summary.leads(threads)
        if not leads:
            continue
        unit = f"{threads} thread{'s' if threads > 1 else ''}"
        behind = [network for network, lead in leads.items() if lead[1] <= 1]
        rows.append([f"ahead of the best runtime on every network, {unit}", "all",
                     f"{len(leads) - len(behind)} of {len(leads)}", verdict(not behind)])
        mean = geometric_mean(lead[1] for lead in leads.values())
        rows.append([f"geometric mean over the best, {unit}", "≥ 1.25×", f"{mean:.2f}×",
                     verdict(mean >= 1.25)])
        halves = summary.half_leads(threads)
        if halves:
            least = min(halves, key=lambda network: halves[network][1])
            rows.append([f"ahead with `--half-weights` where the best is beyond {ACCURATE:g} of "
                         f"max\\|y\\| itself, {unit}", "all",
                         f"{sum(lead[1] > 1 for lead in halves.values())} of {len(halves)}; least: "
                         f"{halves[least][1]:.2f}× ({least}, {halves[least][0]})",
                         verdict(halves[least][1] > 1)])
    exact = summary.leads(1, accurate=True)
    if exact:
        mean = geometric_mean(lead[1] for lead in exact.values())
        rows.append([f"the same over the best within {ACCURATE:g} of max\\|y\\|, 1 thread",
                     "≥ 1.35×", f"{mean:.2f}×", verdict(mean >= 1.35)])
    parts = {network: summary.reaches_peak_goal(network) for network in summary.networks}
    parts = {network: met for network, met in parts.items() if met is not None}
    if parts:
        rows.append(["part of the peak, 1 thread", "each network's",
                     f"{sum(parts.values())} of {len(parts)}", verdict(all(parts.values()))])
        asked = {n: PEAK_GOALS[n] / BEST_THEN[n] for n in parts if n in summary.leads(1)}
        led = [n for n, ratio in asked.items() if summary.leads(1)[n][1] >= ratio]
        mean = geometric_mean(asked.values())
        reached = geometric_mean(summary.leads(1)[network][1] for network in asked)
        rows.append(["the lead over the best runtime that these parts were where they were set "
                     "(AVX2, a peak of 102 GFLOP/s), 1 thread",
                     f"each network's, geometric mean {mean:.2f}×",
                     f"{len(led)} of {len(asked)}, {reached:.2f}×",
                     verdict(len(led) == len(asked))])
    speedups = {n: summary.get(n, 1, "pleat").ms / summary.get(n, 2, "pleat").ms
                for n in summary.networks
                if summary.get(n, 1, "pleat") and summary.get(n, 2, "pleat")}
    if speedups:
        mean = geometric_mean(speedups.values())
        least, most = (find(speedups, key=speedups.get) for find in (min, max))
        rows.append(["2 threads over 1, geometric mean (least–most)", "≥ 1.9×",
                     f"{mean:.2f}× ({speedups[least]:.2f} {least}–{speedups[most]:.2f} {most})",
                     verdict(mean >= 1.9)])
    for runtime, goal in (("pleat", 5e-5), ("pleat_exact", 2e-5)):
        errors = {n: summary.get(n, 1, runtime).error for n in summary.networks
                  if summary.get(n, 1, runtime)}
        if errors:
            worst = max(errors, key=errors.get)
            rows.append([f"largest error of {runtime}, of max\\|y\\|", f"≤ {goal:g}",
                         f"{errors[worst]:.1e} ({worst})", verdict(errors[worst] <= goal)])
    starts = {n: statistics.median(times) / (1.5 * summary.get(n, 1, "pleat").ms + 15)
              for n, times in summary.starts.items() if summary.get(n, 1, "pleat")}
    if starts:
        worst = max(starts, key=starts.get)
        late = [n for n, part in starts.items() if part > 1]
        rows.append(["process start to end of `pleat run`", "≤ 1.5 × one inference + 15 ms",
                     f"{len(starts) - len(late)} of {len(starts)}; most: "
                     f"{100 * starts[worst]:.0f} % of that ({worst})", verdict(not late)])
    if "resnet50" in summary.loads:
        one, by_all = (loads.get("resnet50") for loads in (summary.loads, summary.loads_by_all))
        times = by_all or one
        text = f"{statistics.median(times):.1f} ms ({min(times):.1f}–{max(times):.1f})"
        if by_all:
            text += f"; by one processor {statistics.median(one):.1f}"
        rows.append(["load of a converted resnet50, its checksums included", "≤ 5 ms", text,
                     verdict(statistics.median(times) <= 5)])
    memory = {}
    for network in summary.networks:
        ours, theirs = summary.get(network, 1, "pleat"), summary.get(network, 1, "onnxruntime")
        if ours and theirs:
            memory[network] = ours.peak_bytes / theirs.peak_bytes
    if memory:
        worst = max(memory, key=memory.get)
        rows.append(["peak memory over ONNX Runtime's, geometric mean (most)", "≤ 60 %",
                     f"{100 * geometric_mean(memory.values()):.0f} % "
                     f"({100 * memory[worst]:.0f} %, {worst})", verdict(memory[worst] <= 0.6)])
    over = {}
    for network in summary.networks:
        low = summary.get(network, 1, "pleat_low")
        if low:
            over[network] = (low.peak_bytes - low.info["weight_bytes"] -
                             low.info["arena_bytes"]) / 2**20
    if over:
        worst = max(over, key=over.get)
        rows.append(["peak memory beside weights and arena, low-memory mode", "≤ 12 MiB",
                     f"{over[worst]:.1f} MiB ({worst})", verdict(over[worst] <= 12)])
    return table(["", "goal", "reached", ""], rows)


def times_table(summary, threads):
    names = [name for name in summary.runtimes
             if any(summary.get(network, threads, name) for network in summary.networks)]
    goals = threads == 1
    header = ["network", "M multiply-adds"] + names + ["lead over the best"]
    header += ["goal, % of peak (best then)"] if goals else []
    rows = []
    for network in summary.networks:
        row = [network, number(summary.multiply_adds(network) * 1e-6)]
        for name in names:
            cell = summary.get(network, threads, name)
            if not cell:
                row.append("–")
                continue
            part = summary.peak_part(network, threads, cell)
            text = f"{number(cell.ms)} ({span(cell)}) {part:.0f} %"
            row.append(f"~~{text}~~ wrong" if cell.wrong else text)
        lead = summary.lead(network, threads)
        if lead:
            name, ratio, low, high = lead
            text = f"{ratio:.2f}× ({low:.2f}–{high:.2f}) {name}"
            row.append(text if ratio > 1 else f"**{text}**")
        else:
            row.append("–")
        if goals:
            met = summary.reaches_peak_goal(network)
            row.append("–" if met is None else
                       f"{PEAK_GOALS[network]} ({BEST_THEN[network]}) {verdict(met)}")
        rows.append(row)
    return table(header, rows)


def layers_table(summary):
    rows = [row for network in summary.networks
            if network in summary.layers and summary.misses(network)
            for row in layers.rows_of(network, summary.layers[network])]
    return table(["network; layers, the latest of them", "layers", "ms", "% of the peak", "ms late",
                  "what they are"], rows) if rows else ""


def errors_table(summary):
    rows = []
    for network in summary.networks:
        row = [network]
        for name in summary.runtimes:
            cell = summary.get(network, summary.threads[0], name)
            row.append("–" if not cell else
                       "no output fits" if cell.error is None else f"{cell.error:.1e}")
        rows.append(row)
    return table(["network"] + summary.runtimes, rows)


def start_table(summary):
    rows = []
    for network in summary.networks:
        times = summary.starts.get(network)
        row = [network, f"{statistics.median(times):.0f} ({min(times):.0f}–{max(times):.0f}), "
                        f"{number(statistics.median(summary.loads[network]))}" if times else "–"]
        for name in summary.runtimes:
            cell = summary.get(network, summary.threads[0], name)
            row.append("–" if not cell else f"{number(cell.load_ms)} / {number(cell.first_ms)} / "
                                            f"{cell.peak_bytes / 2**20:.0f}")
        rows.append(row)
    return table(["network", "`pleat run`, of it reading"] + summary.runtimes, rows)


def text_of(results, picture):
    summary = Summary(results)
    peaks = ", ".join(
        f"{statistics.median(values):.1f} GFLOP/s on {threads} "
        f"({min(values):.1f}–{max(values):.1f})"
        for threads, values in sorted(summary.peaks.items()))
    turns = {key.split("/")[0] for key in results["measurements"]}
    parts = [f"""# Pleat and other runtimes

Made by `tools/compare_peers` (its `--help` says how it measures) on {results["date"]}, on
{results["machine"]}, {results["system"]}.
Peak: {peaks}. {len(turns)} rounds, interleaved. Batch 1.{results.get("note", "")}

![Time of each runtime over Pleat's]({picture})

"""]
    parts.append("Runtimes: " + "; ".join(
        f"{name}: {version}" for name, version in results["runtimes"].items()) + ".\n")
    parts.append("\n## Goals\n\n" + goals_table(summary))
    for threads in summary.threads:
        plural = "s" if threads > 1 else ""
        parts.append(f"\n## {threads} thread{plural}\n\n"
                     "ms: median of the rounds (fastest–slowest), and its part of the peak; "
                     "over 100 % where Winograd needs fewer "
                     "multiplications. Lead: the best runtime's time over Pleat's in the same "
                     "round.\n\n")
        parts.append(times_table(summary, threads))
    late = layers_table(summary)
    if late:
        parts.append("\n## What is behind\n\nOf networks that miss their part of the peak or are "
                     "not ahead: the rounds' fastest `pleat bench --profile` on one thread, the "
                     "fastest of each step, by kind, with the peak of that run. Late: what they take beyond the network's "
                     "goal (100 % of the peak where it has none); kinds that are less than 2 % of "
                     "the time late are left out.\n\n" + late)
    parts.append("\n## Error\n\nThe largest error of any output over its max|y|, against the "
                 f"original network in double precision. Above {WRONG:g} an answer is wrong, and "
                 "its time no rival.\n\n" + errors_table(summary))
    parts.append("\n## Start and memory\n\nLoad ms / first run ms / peak memory MiB, one thread. "
                 "ONNX Runtime and OpenVINO load the ONNX file, the others their own, made before; "
                 "Pleat's load includes planning. `pleat run`: ms from the start of the process to "
                 "its end, and how many of them read and check the file. Memory: what loading and "
                 "running add to the process, the library itself included.\n\n" +
                 start_table(summary))
    if summary.failures or results["missing"]:
        parts.append("\n## Not measured\n\n")
        parts += [f"- {network} on {runtime}: {reason}\n"
                  for (network, runtime), reason in summary.failures.items()]
        parts += [f"- {runtime}: {reason}\n" for runtime, reason in results["missing"].items()]
    return "".join(parts)
