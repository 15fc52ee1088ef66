#include "tools/certificate_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "tools/html.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Node;
using runtime::ValueId;

constexpr const char* kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 80rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.05rem; margin: 2rem 0 .2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 13px }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #ddd;
  vertical-align: top }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
td.name { overflow-wrap: anywhere; min-width: 14rem } td.formula { min-width: 13rem }
.FOLDED { color: #17692b } .KEPT { color: #a33b00; font-weight: 600 }
code, svg text { font-family: ui-monospace, monospace; font-size: 12px }
svg { display: block; max-width: 100%; height: auto }
rect { fill: #f4f4f4; stroke: #999 } rect.norm { fill: #ffe9d9; stroke: #a33b00 }
line { stroke: #888 }
</style>)";

std::string Text(const Json& value) {
  return value.is_string() ? Escape(value.get<std::string>()) : "";
}

std::string Number(const Json& value) {
  if (!value.is_number()) return "";
  return value.is_number_float() ? fmt::format("{:.3g}", value.get<double>()) : value.dump();
}

constexpr int kBoxWidth = 190, kBoxHeight = 42, kGapX = 50, kGapY = 14;
constexpr size_t kMostInColumn = 5;

struct Box {
  std::string op, name;
  bool norm = false;
};

std::string Picture(const std::vector<std::vector<Box>>& columns) {
  size_t tallest = 1;
  for (const auto& column : columns) tallest = std::max(tallest, column.size());
  const int height = static_cast<int>(tallest) * (kBoxHeight + kGapY) + kGapY;
  const int width = static_cast<int>(columns.size()) * (kBoxWidth + kGapX);
  const auto middle = [&](const std::vector<Box>& column, size_t i) {
    return (height * (2 * static_cast<int>(i) + 1)) / (2 * static_cast<int>(column.size()));
  };
  std::string lines, boxes;
  for (size_t c = 0; c < columns.size(); ++c) {
    const int x = static_cast<int>(c) * (kBoxWidth + kGapX) + 1;
    for (size_t i = 0; i < columns[c].size(); ++i) {
      const Box& box = columns[c][i];
      const int y = middle(columns[c], i);
      boxes += fmt::format(
          "<rect{} x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>"
          "<text x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\" fill=\"#666\">{}</text>\n",
          box.norm ? " class=\"norm\"" : "", x, y - kBoxHeight / 2, kBoxWidth, kBoxHeight, x + 8,
          y - 4, Escape(box.op), x + 8, y + 13, Escape(Shortened(box.name, 25)));
      for (size_t j = 0; c + 1 < columns.size() && j < columns[c + 1].size(); ++j) {
        lines += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>\n", x + kBoxWidth, y,
                             x + kBoxWidth + kGapX, middle(columns[c + 1], j));
      }
    }
  }
  return fmt::format("<svg role=\"img\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\">\n{}{}",
                     width, height, width, height, lines, boxes) +
         "</svg>\n";
}

// The steps around batch norms of one network.
class Surroundings {
 public:
  explicit Surroundings(const Graph& graph)
      : graph_(graph), makers_(graph.Makers()), readers_(graph.Readers()) {
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      if (!graph.nodes[i].sources.empty()) nodes_[graph.nodes[i].sources.front()] = i;
    }
  }

  // Left to right: what makes the input of the maker, the maker, the batch norm, its readers.
  std::string PictureOf(const std::string& name) const {
    const auto found = nodes_.find(name);
    if (found == nodes_.end()) return "";
    const Node& norm = graph_.nodes[found->second];
    std::vector<std::vector<Box>> columns;
    const ValueId input = norm.input(0);
    const int maker = input < 0 ? -1 : makers_[static_cast<size_t>(input)];
    if (maker >= 0) {
      columns.push_back(MakersOf(graph_.nodes[static_cast<size_t>(maker)]));
      if (columns.back().empty()) columns.pop_back();
    }
    if (input >= 0) columns.push_back({BoxOf(maker, input)});
    columns.push_back({{"BatchNormalization", name, true}});
    std::vector<Box> after;
    for (const int reader : readers_[static_cast<size_t>(norm.outputs[0])]) {
      if (after.size() == kMostInColumn) break;
      after.push_back(reader < 0
                          ? Box{"output", graph_.values[static_cast<size_t>(norm.outputs[0])].name}
                          : BoxOf(reader, runtime::kNoValue));
    }
    if (!after.empty()) columns.push_back(std::move(after));
    return Picture(columns);
  }

 private:
  Box BoxOf(int node, ValueId value) const {
    if (node < 0) return {"input", graph_.values[static_cast<size_t>(value)].name};
    const Node& found = graph_.nodes[static_cast<size_t>(node)];
    return {found.OpName(), found.sources.empty() ? found.name : found.sources.front()};
  }

  std::vector<Box> MakersOf(const Node& node) const {
    std::vector<Box> boxes;
    for (const ValueId id : node.inputs) {
      if (id == runtime::kNoValue || graph_.ConstantOf(id) != nullptr) continue;
      if (boxes.size() == kMostInColumn) break;
      boxes.push_back(BoxOf(makers_[static_cast<size_t>(id)], id));
    }
    return boxes;
  }

  const Graph& graph_;
  std::vector<int> makers_;
  std::vector<std::vector<int>> readers_;
  std::map<std::string, size_t> nodes_;
};

std::string FileLine(const char* what, const Json& file) {
  return fmt::format("<p>{}: {} bytes, XXH3 <code>{}</code></p>\n", what, Number(file["bytes"]),
                     Text(file["xxh3"]));
}

}  // namespace

std::string CertificatePage(const Json& report, const Graph& original, const std::string& source) {
  const Json& summary = report["summary"];
  // Exporters give all their graphs one name.
  const std::string file = Escape(source == "-" ? "standard input" : source);
  std::string page = kHead;
  page += fmt::format("<title>{0}: its batch norms</title></head><body>\n"
                      "<h1>{0}: {1} batch norms, {2} folded, {3} kept</h1>\n",
                      file, Number(summary["total"]), Number(summary["folded"]),
                      Number(summary["kept"]));
  if (!original.name.empty()) page += "<p>Graph: " + Escape(original.name) + "</p>\n";
  page += FileLine("Source", report["source"]) + FileLine("Result", report["result"]);
  if (report["not_measured"].is_string()) {
    page += "<p>No error was measured: " + Text(report["not_measured"]) + "</p>\n";
  }
  for (const Json& output : report["outputs"]) {
    if (!output.contains("max_error")) continue;
    page += "<p>Output <code>" + Text(output["name"]) + "</code> of the file: largest error " +
            Number(output["max_error"]) + ", " + Number(output["scaled_error"]) +
            " of max|y|</p>\n";
  }
  page +=
      "<p>Scale s = gamma / sqrt(variance + epsilon) and shift t = beta - mean s of each channel, "
      "in double. Error: of the steps that do it now, in float32, against the original in "
      "double, beside the most that rounding explains.</p>\n<div class=\"wide\"><table>\n"
      "<tr><th>batch norm<th>"
      "<th>kind or reason<th>into, or why<th>formula<th class=\"n\">scale"
      "<th class=\"n\">smallest<br>variance<th class=\"n\">error<th class=\"n\">bound"
      "<th class=\"n\">worst<br>channel</tr>\n";
  for (const Json& norm : report["batch_norms"]) {
    const bool folded = norm["status"] == "FOLDED";
    const std::string status = Text(norm["status"]);
    const std::string into = Text(norm["into"]), detail = Text(norm["detail"]);
    page += fmt::format("<tr><td class=\"name\"><code>{}</code><td class=\"{}\">{}<td>{}"
                        "<td class=\"name\">{}{}{}<td class=\"formula\">{}",
                        Text(norm["node"]), status, status, Text(norm[folded ? "kind" : "reason"]),
                        into, into.empty() || detail.empty() ? "" : ": ", detail,
                        Text(norm["formula"]));
    page += fmt::format("<td class=\"n\">{}{}{}", Number(norm["scale_min"]),
                        norm["scale_min"].is_null() ? "" : " to ", Number(norm["scale_max"]));
    for (const char* key :
         {"smallest_variance", "measured_error", "rounding_bound", "worst_channel"}) {
      page += "<td class=\"n\">" + Number(norm[key]);
    }
    page += "</tr>\n";
  }
  page += "</table></div>\n";
  const Surroundings surroundings(original);
  for (const Json& norm : report["batch_norms"]) {
    if (norm["status"] != "KEPT") continue;
    page += "<h2><code>" + Text(norm["node"]) + "</code> stays: " + Text(norm["reason"]) +
            "</h2>\n<p>" + Text(norm["detail"]) + ". To fold it: " + Text(norm["remedy"]) +
            ".</p>\n<div class=\"wide\">" +
            surroundings.PictureOf(norm["node"].get<std::string>()) + "</div>\n";
  }
  return page + "</body></html>\n";
}

}  // namespace pleat::tools
