#include "tools/plan_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "tools/batch_norms.h"
#include "tools/console.h"
#include "tools/html.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Node;
using runtime::Plan;
using runtime::Step;
using runtime::Value;
using runtime::ValueId;

constexpr const char* kHead =
    R"(<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --page: #fcfcfb; --ink: #1d1d1b; --dim: #5f5e5a; --line: #e2e1dc;
  --k0: #2a78d6; --k1: #eda100; --k2: #1baf7a; --k3: #8577cf; --s: #b4b2a9; --bad: #a33b00 }
@media (prefers-color-scheme: dark) { :root { --page: #1a1a19; --ink: #ebeae6; --dim: #a3a19a;
  --line: #383835; --k0: #3987e5; --k1: #c98500; --k2: #199e70; --k3: #9085e9; --s: #6b6963;
  --bad: #e88a55 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .3rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem }
p { margin: .3rem 0; max-width: 60rem } .dim { color: var(--dim) }
.wide { overflow-x: auto }
dl { display: flex; flex-wrap: wrap; gap: .6rem 2.4rem; margin: 1.2rem 0 }
dt { color: var(--dim); font-size: 13px } dd { margin: 0; font-size: 1.25rem }
table { border-collapse: collapse; font-size: 13px }
th { font-weight: 600 } th, td { text-align: left; padding: .2rem .9rem .2rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.KEPT { color: var(--bad); font-weight: 600 }
code { font-family: ui-monospace, monospace; font-size: 12px }
summary { cursor: pointer; margin-bottom: .5rem }
svg { display: block; font: 12px system-ui, sans-serif } svg text { fill: var(--ink) }
svg .tick, svg .dim { fill: var(--dim); font-variant-numeric: tabular-nums }
svg .title { font-weight: 600 } svg .op { font-weight: 600 }
svg .grid { stroke: var(--line) } .arcs path { fill: none; stroke: var(--dim); opacity: .75 }
.k0 { fill: var(--k0) } .k1 { fill: var(--k1) } .k2 { fill: var(--k2) } .k3 { fill: var(--k3) }
.s { fill: var(--s) } .bar { background: var(--k0); height: 10px; display: inline-block }
ul.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.4rem;
  font-size: 13px; color: var(--dim) } .legend svg { display: inline; margin-right: .4rem }
</style></head><body>
)";

std::string Legend(bool scratch) {
  std::string text = "<ul class=\"legend\">";
  const auto add = [&](const std::string& shade, const char* name) {
    text += fmt::format(
        "<li><svg width=\"11\" height=\"11\"><rect class=\"{}\" width=\"11\" "
        "height=\"11\"/></svg>{}",
        shade, name);
  };
  for (size_t kind = 0; kind < std::size(kKindNames); ++kind) {
    add("k" + std::to_string(kind), kKindNames[kind]);
  }
  if (scratch) add("s", "scratch");
  return text + "</ul>\n";
}

std::string Facts(const PlannedRun& run, const PageFacts& facts) {
  const Plan& plan = *run.plan;
  const BatchNormCount norms = CountBatchNorms(*run.graph);
  std::string text = "<dl>";
  const auto add = [&](const char* what, const std::string& number) {
    text += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", what, number);
  };
  add("time of a run", fmt::format("{:.3f} ms", run.profile.Total()));
  add("threads", std::to_string(run.threads));
  add("steps", std::to_string(plan.steps.size()));
  add("weights", BytesText(facts.weight_bytes));
  add("packed besides", BytesText(plan.packed_bytes));
  add("arena", BytesText(plan.arena_bytes));
  if (!plan.deferred.empty()) add("nodes left to the run", std::to_string(plan.deferred.size()));
  add("multiply-adds", fmt::format("{:.2f} million", plan.multiply_adds * 1e-6));
  if (run.profile.Total() > 0 && plan.multiply_adds > 0) {
    add("speed", fmt::format("{:.1f} GFLOP/s", 2e-6 * plan.multiply_adds / run.profile.Total()));
  }
  if (norms.total > 0) {
    add("batch norms folded", fmt::format("{} of {}", norms.folded, norms.total));
  }
  return text + "</dl>\n";
}

std::string TypeCell(const runtime::Type& type) {
  return "<code>" + Escape(TypeText(type)) + "</code>";
}

std::string Edges(const PlannedRun& run) {
  std::string text = "<table><tr><th><th>name<th>type</tr>\n";
  for (const auto& [what, ids] :
       {std::pair{"input", &run.graph->inputs}, std::pair{"output", &run.graph->outputs}}) {
    for (const ValueId id : *ids) {
      text += fmt::format("<tr><td>{}<td><code>{}</code><td>{}</tr>\n", what,
                          Escape(run.graph->values[static_cast<size_t>(id)].name),
                          TypeCell(run.plan->types[static_cast<size_t>(id)]));
    }
  }
  return text + "</table>\n";
}

// Where the time goes, by operator and kernel, most first.
std::string Shares(const PlannedRun& run) {
  struct Share {
    double ms = 0, multiply_adds = 0;
    size_t steps = 0;
  };
  std::map<std::pair<std::string, std::string>, Share> shares;
  for (size_t s = 0; s < run.plan->steps.size(); ++s) {
    const Step& step = run.plan->steps[s];
    Share& share = shares[{run.NodeOf(step).OpName(), step.kernel_name}];
    share.ms += run.profile.milliseconds[s];
    share.multiply_adds += step.multiply_adds;
    ++share.steps;
  }
  for (size_t d = 0; d < run.profile.deferred.size(); ++d) {
    const runtime::DeferredStep& step = run.profile.deferred[d];
    const Node& node = run.graph->nodes[static_cast<size_t>(step.node)];
    Share& share = shares[{node.OpName(), std::string(step.kernel_name) + " *"}];
    share.ms += run.profile.milliseconds[run.plan->steps.size() + d];
    share.multiply_adds += step.multiply_adds;
    ++share.steps;
  }
  std::vector<std::pair<std::pair<std::string, std::string>, Share>> sorted(shares.begin(),
                                                                            shares.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second.ms > b.second.ms; });
  const double total = std::max(run.profile.Total(), 1e-12);
  std::string text =
      "<table><tr><th>operator<th>kernel<th class=\"n\">steps<th class=\"n\">ms<th "
      "class=\"n\">share"
      "<th><th class=\"n\">GFLOP/s</tr>\n";
  for (const auto& [key, share] : sorted) {
    const double part = share.ms / total;
    text += fmt::format(
        "<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{:.3f}<td class=\"n\">{:.1f} %"
        "<td><span class=\"bar\" style=\"width:{:.0f}px\"></span><td class=\"n\">{}</tr>\n",
        Escape(key.first), Escape(key.second), share.steps, share.ms, 100 * part, 260 * part,
        share.multiply_adds > 0 && share.ms > 0
            ? fmt::format("{:.1f}", 2e-6 * share.multiply_adds / share.ms)
            : "");
  }
  return text + "</table>\n";
}

// What the plan had to leave to the run.
std::string Deferred(const PlannedRun& run) {
  const auto& deferred = run.profile.deferred;
  if (deferred.empty()) return "";
  std::string text = fmt::format(
      "<h2>Left to the run</h2>\n<p class=\"dim\">{} nodes behind the plan's steps, marked * above: "
      "sizes or parameters there depend on numbers, or they run subgraphs. Each has memory of its "
      "own.</p>\n<div class=\"wide\"><table><tr><th>op<th>name<th>kernel<th>output<th "
      "class=\"n\">ms</tr>\n",
      deferred.size());
  for (size_t d = 0; d < deferred.size(); ++d) {
    const Node& node = run.graph->nodes[static_cast<size_t>(deferred[d].node)];
    text += fmt::format(
        "<tr><td>{}<td><code>{}</code><td>{}<td>{}<td class=\"n\">{:.3f}</tr>\n", node.OpName(),
        Escape(node.name), Escape(deferred[d].kernel_name), TypeCell(deferred[d].output),
        run.profile.milliseconds[run.plan->steps.size() + d]);
  }
  return text + "</table></div>\n";
}

std::string BatchNorms(const Graph& graph) {
  const Json report = BatchNormReport(graph);
  if (report["batch_norms"].empty()) return "<p>The source has none.</p>\n";
  std::string text = "<table><tr><th>batch norm<th><th>kind or reason<th>into, or why</tr>\n";
  const auto cell = [](const Json& json) {
    return json.is_string() ? Escape(json.get<std::string>()) : "";
  };
  for (const Json& norm : report["batch_norms"]) {
    const bool folded = norm["status"] == "FOLDED";
    text += fmt::format("<tr><td><code>{}</code><td class=\"{}\">{}<td>{}<td>{}</tr>\n",
                        cell(norm["node"]), cell(norm["status"]), cell(norm["status"]),
                        cell(norm[folded ? "kind" : "reason"]),
                        cell(norm[norm["detail"].is_string() ? "detail" : "into"]));
  }
  return text + "</table>\n";
}

std::string Nodes(const PlannedRun& run) {
  const Graph& graph = *run.graph;
  std::string text =
      "<table><tr><th>op<th>name<th>reads<th>makes<th>type<th class=\"n\">weights</tr>\n";
  for (const Node& node : graph.nodes) {
    std::string inputs, outputs, types;
    size_t weights = 0;
    for (const ValueId id : node.inputs) {
      if (id == runtime::kNoValue) continue;
      const Value& value = graph.values[static_cast<size_t>(id)];
      if (value.constant) {
        weights += value.constant->bytes();
      } else {
        inputs += "<code>" + Escape(value.name) + "</code><br>";
      }
    }
    for (const ValueId id : node.outputs) {
      if (id == runtime::kNoValue) continue;
      outputs += "<code>" + Escape(graph.values[static_cast<size_t>(id)].name) + "</code><br>";
      types += TypeCell(run.plan->types[static_cast<size_t>(id)]) + "<br>";
    }
    text += fmt::format("<tr><td>{}<td><code>{}</code><td>{}<td>{}<td>{}<td class=\"n\">{}</tr>\n",
                        node.OpName(), Escape(node.name), inputs, outputs, types,
                        weights == 0 ? "" : BytesText(weights));
  }
  return text + "</table>\n";
}

}  // namespace

std::string PlanPage(const PlannedRun& run, const PageFacts& facts) {
  const Graph& graph = *run.graph;
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" +
                     Escape(facts.file) + "</title>\n" + kHead;
  page += fmt::format("<h1>{}</h1>\n<p class=\"dim\">network <code>{}</code>, made by {}</p>\n",
                      Escape(facts.file), Escape(graph.name), Escape(graph.producer));
  page += Facts(run, facts) + Edges(run);
  for (const std::string& line : facts.assumed) {
    page += "<p class=\"dim\">" + Escape(line) + "</p>\n";
  }
  page +=
      "<h2>Memory over time, and time</h2>\n<p class=\"dim\">Each box is a buffer of the arena: "
      "where it lies, and from the step that writes it to the last that reads it. Times are the "
      "median of " +
      std::to_string(run.profile.runs) + " runs with " + std::to_string(run.threads) +
      (run.threads == 1 ? " thread" : " threads") +
      " on random inputs. Point at a box for its name.</p>\n" + Legend(true) +
      "<div class=\"wide\">" + MemoryAndTimeFigure(run) + "</div>\n";
  page += "<h2>Where the time goes</h2>\n<div class=\"wide\">" + Shares(run) + "</div>\n";
  page +=
      "<h2>The plan</h2>\n<p class=\"dim\">Steps in the order they run: operator and name, kernel, "
      "output, time. Lines on the left are what a step reads from further up.</p>\n" +
      Legend(false) + "<div class=\"wide\">" + PlanFigure(run) + "</div>\n" + Deferred(run);
  page +=
      "<h2>Batch norms of the source</h2>\n<div class=\"wide\">" + BatchNorms(graph) + "</div>\n";
  page +=
      fmt::format("<h2>The graph</h2>\n<details><summary>{} nodes</summary><div class=\"wide\">",
                  graph.nodes.size());
  return page + Nodes(run) + "</div></details>\n</body></html>\n";
}

}  // namespace pleat::tools
