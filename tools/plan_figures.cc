#include "tools/plan_figures.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>

#include "tools/console.h"
#include "tools/html.h"

namespace pleat::tools {
namespace {

using runtime::Place;
using runtime::Plan;
using runtime::Step;
using runtime::ValueId;

constexpr int kAxis = 76;  // left of both charts, for the numbers
constexpr double kWidest = 1020;

std::string Milliseconds(double ms) {
  return ms >= 100 ? fmt::format("{:.0f} ms", ms)
         : ms >= 1 ? fmt::format("{:.2f} ms", ms)
                   : fmt::format("{:.1f} µs", ms * 1000);
}

struct Buffer {
  std::string what;
  const char* shade = "";
  size_t offset = 0, bytes = 0, first = 0, last = 0;
};

// The arena's buffers and scratch memories.
std::vector<Buffer> BuffersOf(const PlannedRun& run) {
  const Plan& plan = *run.plan;
  static constexpr const char* kShades[] = {"k0", "k1", "k2", "k3"};
  std::map<ValueId, Buffer> buffers;
  const auto touch = [&](ValueId id, size_t step, const char* shade) {
    const Place& place = plan.places[static_cast<size_t>(id)];
    if (place.kind != Place::Kind::kArena || place.bytes == 0) return;
    const std::string& name = run.graph->values[static_cast<size_t>(id)].name;
    const auto [at, fresh] =
        buffers.try_emplace(place.root, Buffer{name, shade, place.offset, place.bytes, step, step});
    at->second.last = std::max(at->second.last, step);
  };
  std::vector<Buffer> all;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    for (const ValueId id : step.outputs) touch(id, s, kShades[KindOf(run.NodeOf(step))]);
    for (const ValueId id : step.inputs) {
      if (id != runtime::kNoValue) touch(id, s, "");
    }
    const size_t scratch = step.kernel->scratch_bytes(run.threads);
    if (scratch == 0) continue;
    all.push_back({"scratch of " + run.NodeOf(step).name, "s", step.scratch_offset, scratch, s, s});
  }
  for (const ValueId id : run.graph->outputs) {
    if (!plan.steps.empty()) touch(id, plan.steps.size() - 1, "k3");
  }
  for (auto& [root, buffer] : buffers) all.push_back(std::move(buffer));
  return all;
}

// 1, 2 or 5 times a power of ten (of two for bytes), so that about four fit into `most`.
double NiceStep(double most, double base) {
  double step = std::pow(base, std::floor(std::log(std::max(most, 1e-12) / 4) / std::log(base)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (base != 10 && factor != 1 && factor != 2) continue;
    if (most / (step * factor) <= 5) return step * factor;
  }
  return step * base;
}

std::string Axis(double top, double height, double width, double most, double step, bool bytes) {
  std::string text;
  for (double at = 0; at <= most * 1.0001; at += step) {
    const double y = top + height - at / most * height;
    text += fmt::format(
        "<line class=\"grid\" x1=\"{}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text class=\"tick\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
        kAxis, y, kAxis + width, y, kAxis - 8, y + 4,
        at == 0 ? "0"
        : bytes ? BytesText(static_cast<size_t>(at))
                : Milliseconds(at));
  }
  return text;
}

// The steps that each step reads from, and -1 for inputs of the network.
std::vector<std::set<int>> SourcesOf(const PlannedRun& run) {
  const Plan& plan = *run.plan;
  std::map<ValueId, int> writer;  // of what lies at a root now
  std::vector<std::set<int>> sources(plan.steps.size());
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    for (const ValueId id : plan.steps[s].inputs) {
      if (id == runtime::kNoValue) continue;
      const Place& place = plan.places[static_cast<size_t>(id)];
      if (place.kind == Place::Kind::kInput) sources[s].insert(-1);
      const auto found = writer.find(place.root);
      if (place.kind == Place::Kind::kArena && found != writer.end()) {
        sources[s].insert(found->second);
      }
    }
    for (const ValueId id : plan.steps[s].outputs) {
      writer[plan.places[static_cast<size_t>(id)].root] = static_cast<int>(s);
    }
  }
  return sources;
}

}  // namespace

std::string PlannedRun::ShapeOf(const Step& step) const {
  if (step.outputs.empty()) return "";
  return runtime::ShapeText(plan->types[static_cast<size_t>(step.outputs[0])].shape);
}

size_t KindOf(const runtime::Node& node) {
  static const std::map<std::string_view, size_t> kKinds = {{"Conv", 0},
                                                            {"ConvTranspose", 0},
                                                            {"MatMul", 0},
                                                            {"RNN", 0},
                                                            {"LSTM", 0},
                                                            {"GRU", 0},
                                                            {"Unary", 1},
                                                            {"Binary", 1},
                                                            {"ScaleShift", 1},
                                                            {"Where", 1},
                                                            {"Cast", 1},
                                                            {"BatchNormTraining", 2},
                                                            {"Pool", 2},
                                                            {"Reduce", 2},
                                                            {"ArgReduce", 2},
                                                            {"Softmax", 2},
                                                            {"LayerNorm", 2},
                                                            {"InstanceNorm", 2},
                                                            {"LocalResponseNorm", 2},
                                                            {"Resize", 2},
                                                            {"TopK", 2},
                                                            {"CumSum", 2}};
  const auto found = kKinds.find(node.OpName());
  return found == kKinds.end() ? 3 : found->second;
}

std::string MemoryAndTimeFigure(const PlannedRun& run) {
  const Plan& plan = *run.plan;
  const size_t steps = plan.steps.size();
  if (steps == 0) return "<p>The plan has no steps.</p>\n";
  const double step_width = std::clamp(kWidest / static_cast<double>(steps), 2.5, 48.0);
  const double width = step_width * static_cast<double>(steps);
  const double gap = step_width > 6 ? 1 : 0;
  constexpr double kMemoryTop = 24, kMemory = 300, kTimeTop = kMemoryTop + kMemory + 46,
                   kTime = 150, kHeight = kTimeTop + kTime + 26;
  std::string svg = fmt::format(
      "<svg role=\"img\" aria-label=\"memory and time of each step\" width=\"{0:.0f}\" "
      "height=\"{1}\" viewBox=\"0 0 {0:.0f} {1}\">\n",
      kAxis + width + 12, kHeight);

  const double arena = std::max<double>(static_cast<double>(plan.arena_bytes), 1);
  svg += fmt::format("<text class=\"title\" x=\"{}\" y=\"{}\">arena</text>", 0, 9);
  svg += Axis(kMemoryTop, kMemory, width, arena, NiceStep(arena, 2), true);
  for (const Buffer& buffer : BuffersOf(run)) {
    const double height = static_cast<double>(buffer.bytes) / arena * kMemory;
    const double bottom =
        kMemoryTop + kMemory - static_cast<double>(buffer.offset) / arena * kMemory;
    svg += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.2f}\" width=\"{:.1f}\" "
        "height=\"{:.2f}\"><title>{}\n"
        "{}, steps {} to {}</title></rect>\n",
        buffer.shade, kAxis + static_cast<double>(buffer.first) * step_width, bottom - height,
        static_cast<double>(buffer.last - buffer.first + 1) * step_width - gap,
        std::max(height - (height > 3 ? 1 : 0), 0.3), Escape(buffer.what), BytesText(buffer.bytes),
        buffer.first + 1, buffer.last + 1);
  }

  const double slowest = std::max(
      *std::max_element(run.profile.milliseconds.begin(),
                        run.profile.milliseconds.begin() + static_cast<std::ptrdiff_t>(steps)),
      1e-6);
  svg += fmt::format("<text class=\"title\" x=\"{}\" y=\"{}\">time of each step</text>", 0,
                     kTimeTop - 14);
  svg += Axis(kTimeTop, kTime, width, slowest, NiceStep(slowest, 10), false);
  for (size_t s = 0; s < steps; ++s) {
    const double height = run.profile.milliseconds[s] / slowest * kTime;
    svg += fmt::format(
        "<rect class=\"k{}\" x=\"{:.1f}\" y=\"{:.2f}\" width=\"{:.1f}\" "
        "height=\"{:.2f}\"><title>{} "
        "{}\n{}, {}</title></rect>\n",
        KindOf(run.NodeOf(plan.steps[s])), kAxis + static_cast<double>(s) * step_width,
        kTimeTop + kTime - height, step_width - gap, height, s + 1,
        Escape(run.NodeOf(plan.steps[s]).name), plan.steps[s].kernel_name,
        Milliseconds(run.profile.milliseconds[s]));
  }
  const size_t every = std::max<size_t>(1, static_cast<size_t>(std::ceil(36 / step_width)));
  for (size_t s = 0; s < steps; s += every) {
    svg += fmt::format(
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        kAxis + (static_cast<double>(s) + 0.5) * step_width, kTimeTop + kTime + 17, s + 1);
  }
  return svg + "</svg>\n";
}

std::string PlanFigure(const PlannedRun& run) {
  constexpr int kRow = 24, kArcs = 120, kBox = 430, kKernel = 150, kShape = 150, kBar = 250;
  const Plan& plan = *run.plan;
  const int rows = static_cast<int>(plan.steps.size()) + 2;
  const int width = kArcs + kBox + kKernel + kShape + kBar + 70, height = rows * kRow + 8;
  const auto middle = [](int row) { return row * kRow + kRow / 2 + 4; };
  double slowest = 1e-9;
  for (const double ms : run.profile.milliseconds) slowest = std::max(slowest, ms);

  std::string arcs, boxes;
  const auto arc = [&](int from, int to) {
    const double bulge = to == from + 1 ? 0 : std::min(kArcs - 14.0, 14 * std::log2(to - from) + 8);
    if (bulge == 0) {
      arcs += fmt::format("<path d=\"M{} {}V{}\"/>\n", kArcs + 3, middle(from) + 9, middle(to) - 9);
    } else {
      arcs += fmt::format("<path d=\"M{0} {1}C{2:.1f} {1} {2:.1f} {3} {0} {3}\"/>\n", kArcs,
                          middle(from), kArcs - bulge * 1.3, middle(to));
    }
  };
  const auto box = [&](int row, const char* shade, const std::string& op, const std::string& name) {
    const int y = middle(row);
    boxes += fmt::format(
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"6\" height=\"18\"/>"
        "<text x=\"{}\" y=\"{}\"><tspan class=\"op\">{}</tspan> {}</text>\n",
        shade, kArcs, y - 9, kArcs + 26, y + 4, Escape(op), Escape(Shortened(name, 44)));
  };
  std::string inputs, outputs;
  for (const ValueId id : run.graph->inputs) {
    inputs += (inputs.empty() ? "" : ", ") + run.graph->values[static_cast<size_t>(id)].name;
  }
  for (const ValueId id : run.graph->outputs) {
    outputs += (outputs.empty() ? "" : ", ") + run.graph->values[static_cast<size_t>(id)].name;
  }
  box(0, "s", "inputs", inputs);
  const std::vector<std::set<int>> sources = SourcesOf(run);
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    const runtime::Node& node = run.NodeOf(step);
    const int row = static_cast<int>(s) + 1, y = middle(row);
    for (const int source : sources[s]) arc(source + 1, row);
    static constexpr const char* kShades[] = {"k0", "k1", "k2", "k3"};
    box(row, kShades[KindOf(node)], node.OpName(), node.name);
    const double ms = run.profile.milliseconds[s];
    const double bar = ms / slowest * kBar;
    boxes += fmt::format(
        "<text class=\"dim\" x=\"{}\" y=\"{}\">{}</text><text class=\"dim\" x=\"{}\" "
        "y=\"{}\">{}</text>"
        "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"14\"/>"
        "<text class=\"dim\" x=\"{:.1f}\" y=\"{}\">{}</text>\n",
        kArcs + kBox, y + 4, Escape(step.kernel_name), kArcs + kBox + kKernel, y + 4,
        Escape(run.ShapeOf(step)), kShades[KindOf(node)], kArcs + kBox + kKernel + kShape, y - 7,
        bar, kArcs + kBox + kKernel + kShape + bar + 6, y + 4, Milliseconds(ms));
  }
  box(rows - 1, "s", "outputs", outputs);
  std::map<ValueId, int> writers;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    for (const ValueId id : plan.steps[s].outputs) {
      writers[plan.places[static_cast<size_t>(id)].root] = static_cast<int>(s) + 1;
    }
  }
  std::set<int> last;
  for (const ValueId id : run.graph->outputs) {
    const Place& place = plan.places[static_cast<size_t>(id)];
    if (place.kind == Place::Kind::kArena) last.insert(writers[place.root]);
    if (place.kind == Place::Kind::kInput) last.insert(0);
  }
  for (const int from : last) arc(from, rows - 1);
  return fmt::format(
             "<svg role=\"img\" aria-label=\"the steps of the plan\" width=\"{0}\" height=\"{1}\" "
             "viewBox=\"0 0 {0} {1}\">\n<g class=\"arcs\">\n{2}</g>\n",
             width, height, arcs) +
         boxes + "</svg>\n";
}

}  // namespace pleat::tools
