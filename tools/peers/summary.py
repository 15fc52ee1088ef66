"""From single measurements to what the tables and the picture show."""

import dataclasses
import math
import statistics

WRONG = 2e-2     # an error above this part of max|y| is a wrong answer, and its time is no rival
ACCURATE = 1e-4  # float32 as it is meant

# Goals of the project for the part of the peak on one thread, in per cent.
PEAK_GOALS = {
    "resnet18": 170, "resnet50": 110, "vgg16_bn": 250, "unet": 240, "yolov3_tiny": 185,
    "googlenet": 145, "inception_v3": 125, "densenet121": 106, "squeezenet1_1": 112,
    "convnext_tiny": 88, "mnasnet1_0": 80, "mobilenet_v2": 78, "regnet_y_400mf": 76,
    "shufflenet_v2_x1_0": 74, "mobilenet_v3_large": 70, "efficientnet_b0": 62}
# What the best runtime reached where and when they were set: AVX2, a peak of 102 GFLOP/s.
BEST_THEN = {
    "resnet18": 146, "resnet50": 104, "vgg16_bn": 220, "unet": 203, "yolov3_tiny": 156,
    "googlenet": 130, "inception_v3": 114, "densenet121": 98, "squeezenet1_1": 101,
    "convnext_tiny": 80, "mnasnet1_0": 73, "mobilenet_v2": 67, "regnet_y_400mf": 67,
    "shufflenet_v2_x1_0": 65, "mobilenet_v3_large": 61, "efficientnet_b0": 49}


@dataclasses.dataclass
class Cell:
    """One network on one runtime and number of threads."""
    rounds: dict   # round -> median ms
    error: float | None
    load_ms: float
    first_ms: float
    peak_bytes: float
    info: dict

    @property
    def ms(self):
        return statistics.median(self.rounds.values())

    @property
    def low(self):
        return min(self.rounds.values())

    @property
    def high(self):
        return max(self.rounds.values())

    @property
    def wrong(self):
        return self.error is None or self.error > WRONG

    @property
    def accurate(self):
        return self.error is not None and self.error <= ACCURATE


def is_ours(runtime):
    return runtime.startswith("pleat")


def total_ms(layers):
    return sum(group["ms"] for group in layers["groups"])


def geometric_mean(numbers):
    numbers = list(numbers)
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else float("nan")


class Summary:
    def __init__(self, results):
        self.runtimes = list(results["runtimes"])
        self.peers = [name for name in self.runtimes if not is_ours(name)]
        samples, peaks, self.starts, self.layers, self.failures = {}, {}, {}, {}, {}
        self.loads, self.loads_by_all = {}, {}
        for key, reason in results["conversions"].items():
            if reason:
                self.failures[tuple(key.split("/"))] = reason
        for key, result in results["measurements"].items():
            turn, network, threads, runtime = key.split("/")
            if runtime == "peak":
                peaks.setdefault(int(threads), []).append(result["peak_gflops"])
            elif runtime == "start":
                self.starts.setdefault(network, []).append(result["process_ms"])
                self.loads.setdefault(network, []).append(result["load_ms"])
                if "load_all_ms" in result:  # older results have none
                    self.loads_by_all.setdefault(network, []).append(result["load_all_ms"])
            elif runtime == "layers":
                known = self.layers.setdefault(network, result)
                if total_ms(result) < total_ms(known):
                    self.layers[network] = result
            elif "failed" in result:
                self.failures[network, runtime] = result["failed"]
            else:
                place = samples.setdefault((network, int(threads), runtime), {})
                place[turn] = result
        self.peaks = peaks
        self.cells = {key: self.cell(turns) for key, turns in samples.items()}
        self.networks = list(dict.fromkeys(key[0] for key in self.cells))
        self.threads = sorted({key[1] for key in self.cells})

    @staticmethod
    def cell(turns):
        values = list(turns.values())
        middle = lambda key: statistics.median(value[key] for value in values)  # noqa: E731
        return Cell({turn: value["median_ms"] for turn, value in turns.items()},
                    values[-1]["error"], middle("load_ms"), middle("first_ms"),
                    middle("peak_bytes"), values[-1]["info"])

    def get(self, network, threads, runtime):
        return self.cells.get((network, threads, runtime))

    def multiply_adds(self, network):
        for threads in self.threads:
            cell = self.get(network, threads, "pleat")
            if cell:
                return cell.info["multiply_adds"]
        return 0

    def peak_part(self, network, threads, cell):
        """In per cent; over 100 where fewer multiplications do the same (Winograd)."""
        peak = statistics.median(self.peaks[threads])
        return 100 * 2e-6 * self.multiply_adds(network) / cell.ms / peak

    def misses(self, network):
        """Whether it misses its part of the peak, or is not ahead of every other runtime."""
        leads = [self.lead(network, threads) for threads in self.threads]
        return (self.reaches_peak_goal(network) is False or
                any(lead and lead[1] <= 1 for lead in leads))

    def reaches_peak_goal(self, network):
        """None where there is no goal or no measurement."""
        ours, goal = self.get(network, 1, "pleat"), PEAK_GOALS.get(network)
        return self.peak_part(network, 1, ours) >= goal if ours and goal else None

    def rivals(self, network, threads, accurate=False):
        cells = {name: self.get(network, threads, name) for name in self.peers}
        return {name: cell for name, cell in cells.items()
                if cell and not cell.wrong and (cell.accurate or not accurate)}

    def lead(self, network, threads, accurate=False, ours="pleat"):
        """(best rival, its time over Pleat's: the median over rounds of the ratio in a round, its
        least and most), or None."""
        rivals = self.rivals(network, threads, accurate)
        ours = self.get(network, threads, ours)
        if not rivals or not ours:
            return None
        name = min(rivals, key=lambda rival: rivals[rival].ms)
        ratios = [ms / ours.rounds[turn] for turn, ms in rivals[name].rounds.items()
                  if turn in ours.rounds]
        if not ratios:
            return None
        return name, statistics.median(ratios), min(ratios), max(ratios)

    def half_leads(self, threads):
        """Leads of `--half-weights` over runtimes that are best, and beyond ACCURATE themselves."""
        found = {}
        for network, (name, *_) in self.leads(threads).items():
            lead = self.lead(network, threads, ours="pleat_half")
            if lead and not self.get(network, threads, name).accurate:
                found[network] = lead
        return found

    def leads(self, threads, accurate=False):
        found = {network: self.lead(network, threads, accurate) for network in self.networks}
        return {network: lead for network, lead in found.items() if lead}
