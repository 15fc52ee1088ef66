"""The picture: for each network, the time of every runtime over Pleat's, on a log scale."""

import math
from xml.sax.saxutils import escape

from peers.summary import Summary

COLOURS = {"onnxruntime": "#d62728", "openvino": "#1f77b4", "mnn": "#ff7f0e", "ncnn": "#9467bd",
           "ncnn_fp32": "#8c564b", "litert": "#17a2b8"}
ROW, LEFT, PANEL, GAP, TOP = 24, 150, 360, 40, 78
STEPS = (0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4)


class Scale:
    def __init__(self, low, high, left):
        self.low, self.high, self.left = math.log(low), math.log(high), left

    def __call__(self, ratio):
        part = (math.log(ratio) - self.low) / (self.high - self.low)
        return self.left + PANEL * min(max(part, 0), 1)


def panel(summary, threads, left, limits):
    scale = Scale(*limits, left)
    bottom = TOP + ROW * len(summary.networks)
    parts = [f'<text x="{left}" y="{TOP - 26}" class="head">{threads} '
             f'thread{"s" if threads > 1 else ""}</text>']
    for step in STEPS:
        if not limits[0] <= step <= limits[1]:
            continue
        x = scale(step)
        name = "one" if step == 1 else "grid"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{bottom}" '
                     f'class="{name}"/>'
                     f'<text x="{x:.1f}" y="{TOP - 9}" class="tick">{step:g}×</text>')
    for row, network in enumerate(summary.networks):
        y = TOP + ROW * row + ROW / 2
        ours = summary.get(network, threads, "pleat")
        if not ours:
            continue
        for name, cell in summary.rivals(network, threads).items():
            colour = COLOURS.get(name, "#444")
            low, high = (scale(ms / ours.ms) for ms in (cell.low, cell.high))
            x = scale(cell.ms / ours.ms)
            parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" '
                         f'stroke="{colour}" stroke-width="1.5"/>'
                         f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{colour}" fill-opacity="0.85">'
                         f'<title>{escape(name)} {cell.ms:.2f} ms</title></circle>')
        x = scale(1)
        parts.append(f'<rect x="{x - 5:.1f}" y="{y - 5}" width="10" height="10" fill="#111">'
                     f'<title>Pleat {ours.ms:.2f} ms</title></rect>')
    return parts


def picture_of(results):
    summary = Summary(results)
    ratios = [cell.ms / summary.get(network, threads, "pleat").ms
              for threads in summary.threads for network in summary.networks
              if summary.get(network, threads, "pleat")
              for cell in summary.rivals(network, threads).values()] or [1]
    limits = (max(min(ratios + [0.8]) * 0.95, 0.4), min(max(ratios + [2]) * 1.05, 4.5))
    width = LEFT + len(summary.threads) * (PANEL + GAP)
    height = TOP + ROW * len(summary.networks) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
             "<style>.head{font-weight:bold;font-size:14px}.tick{fill:#666;text-anchor:middle;"
             "font-size:10px}.grid{stroke:#e2e2e2}.one{stroke:#111}.row{text-anchor:end}</style>",
             f'<rect width="{width}" height="{height}" fill="#fff"/>',
             f'<text x="{LEFT}" y="20" class="head">Time over Pleat\'s (log scale): to the right '
             "of 1× is slower than Pleat</text>"]
    for row, network in enumerate(summary.networks):
        y = TOP + ROW * row
        if row % 2:
            parts.append(f'<rect x="0" y="{y}" width="{width}" height="{ROW}" fill="#f7f7f7"/>')
        parts.append(f'<text x="{LEFT - 14}" y="{y + ROW / 2 + 4}" class="row">'
                     f'{escape(network)}</text>')
    for index, threads in enumerate(summary.threads):
        parts += panel(summary, threads, LEFT + index * (PANEL + GAP), limits)
    x, y = LEFT, height - 16
    parts.append(f'<rect x="{x - 5}" y="{y - 9}" width="10" height="10" fill="#111"/>'
                 f'<text x="{x + 10}" y="{y}">Pleat</text>')
    x += 70
    for name in summary.peers:
        parts.append(f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{COLOURS.get(name, "#444")}"/>'
                     f'<text x="{x + 10}" y="{y}">{escape(name)}</text>')
        x += 110
    return "\n".join(parts + ["</svg>"]) + "\n"
