"""Which layers keep a network from its goal, and how far they are from the peak."""

import math

from peers.summary import PEAK_GOALS

SMALL_SUM, FEW_ROWS = 64, 64


def goal_of(network):
    """Per cent of the peak; where the project has set none, the peak itself."""
    return PEAK_GOALS.get(network, 100)


def winograd_gain(kernel):
    """How many times fewer products, and the output side of a tile."""
    tile = int(kernel.removeprefix("winograd"))
    return 9 * tile**2 / (tile + 2)**2, tile


def kind(step):
    """What limits a step of this shape and kernel."""
    rows = math.prod(step["output"][:-1])
    length = step["multiply_adds"] / max(1, math.prod(step["output"]))
    if not step["multiply_adds"]:
        return "multiplies nothing: moves numbers through memory"
    if step["kernel"].startswith("winograd"):
        sides = step["output"][1:-1]
        gain, tile = winograd_gain(step["kernel"])
        tiles = math.prod(-(-side // tile) for side in sides)
        outside = 100 * (1 - math.prod(sides) / (tiles * tile**2))
        text = f"{gain:.3g}× fewer products; {'×'.join(map(str, sides))} pixels"
        if outside >= 5:
            text += f", {outside:.0f} % of the tiles outside them"
        if tiles * step["output"][0] <= FEW_ROWS:
            text += (f"; weights {(tile + 2)**2 / 9:.3g}× as large, each used for "
                     f"{tiles * step['output'][0]} tiles")
        return text
    if step["op"] in ("Pool", "Reduce"):
        return "windows: memory"
    if step["kernel"] == "depthwise":
        return f"{length:.0f} multiply-adds for each number: memory"
    if rows == 1:
        return "one row: each weight comes from memory for one multiply-add"
    if length <= SMALL_SUM:
        return f"sums of at most {SMALL_SUM} products: storing weighs as much"
    if rows <= FEW_ROWS:
        return f"each weight comes from memory for at most {FEW_ROWS} multiply-adds"
    return "plain products: 100 % at most, less what is fused behind them"


def behind(profile, goal):
    """Of a `bench --profile --json`: the fastest of each step, by kind, those first that take most
    time beyond what they may at `goal` per cent of the peak."""
    peak, kinds = profile["peak_gflops"], {}
    for step in profile["steps"]:
        late = step["min_ms"] - 2e-4 * step["multiply_adds"] / (peak * goal)
        group = kinds.setdefault((step["op"], step["kernel"], kind(step)), {
            "count": 0, "ms": 0, "multiply_adds": 0, "late_ms": 0, "worst_ms": -math.inf})
        group["count"] += 1
        group["ms"] += step["min_ms"]
        group["multiply_adds"] += step["multiply_adds"]
        group["late_ms"] += late
        if late > group["worst_ms"]:
            group.update(worst_ms=late, worst=step["output"])
    groups = [{"op": op, "kernel": kernel, "kind": text, **group}
              for (op, kernel, text), group in kinds.items()]
    return {"peak_gflops": peak, "groups": sorted(groups, key=lambda group: -group["late_ms"])}


def peak_part(group, peak):
    """In per cent."""
    return 2e-4 * group["multiply_adds"] / group["ms"] / peak


def rows_of(network, found):
    """Rows of the table: network and total first, then the kinds of layers that are late."""
    peak, groups = found["peak_gflops"], found["groups"]
    whole = {key: sum(group[key] for group in groups)
             for key in ("count", "ms", "multiply_adds", "late_ms")}
    rows = [[f"**{network}**", str(whole["count"]), f"{whole['ms']:.3g}",
             f"{peak_part(whole, peak):.0f} of {goal_of(network)}", f"{whole['late_ms']:.3g}", ""]]
    for group in groups:
        if group["late_ms"] < 0.02 * whole["ms"]:
            continue
        part = peak_part(group, peak)
        text = f"{part:.0f}" if part else "–"
        if group["kernel"].startswith("winograd"):
            text += f" (its own products {part / winograd_gain(group['kernel'])[0]:.0f})"
        sides = "×".join(map(str, group["worst"][1:]))
        rows.append([f"{group['op']} {group['kernel']}, to {sides}",
                     str(group["count"]), f"{group['ms']:.3g}", text, f"{group['late_ms']:.3g}",
                     group["kind"]])
    return rows
