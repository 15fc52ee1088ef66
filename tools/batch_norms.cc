#include "tools/batch_norms.h"

#include <fmt/core.h>

#include <set>

#include "converter/reasons.h"

namespace pleat::tools {

using runtime::Graph;
using runtime::fb::BatchNormT;
using runtime::fb::FoldStatus;

namespace {

bool IsFolded(const BatchNormT& norm) { return norm.status == FoldStatus::Folded; }
// What would make a kept one foldable.
std::string RemedyOf(const BatchNormT& norm) {
  return IsFolded(norm) ? "" : std::string(converter::RemedyFor(norm.reason));
}
const char* StatusName(const BatchNormT& norm) { return IsFolded(norm) ? "FOLDED" : "KEPT"; }

}  // namespace

BatchNormCount CountBatchNorms(const Graph& graph) {
  BatchNormCount count;
  count.total = graph.batch_norms.size();
  for (const BatchNormT& norm : graph.batch_norms) ++(IsFolded(norm) ? count.folded : count.kept);
  return count;
}

Json BatchNormReport(const Graph& graph) {
  Json norms = Json::array();
  for (const BatchNormT& norm : graph.batch_norms) {
    norms.push_back({{"node", norm.node},
                     {"status", StatusName(norm)},
                     {"kind", TextOrNull(norm.kind)},
                     {"reason", TextOrNull(norm.reason)},
                     {"into", TextOrNull(norm.into)},
                     {"detail", TextOrNull(norm.detail)},
                     {"remedy", TextOrNull(RemedyOf(norm))}});
  }
  const BatchNormCount count = CountBatchNorms(graph);
  return {{"version", 1},
          {"batch_norms", std::move(norms)},
          {"summary", {{"total", count.total}, {"folded", count.folded}, {"kept", count.kept}}}};
}

std::string BatchNormText(const Graph& graph) {
  const BatchNormCount count = CountBatchNorms(graph);
  if (count.total == 0) return "No batch norms.\n";
  Table table({"batch norm", "status", "kind or reason", "into", "detail"}, "lllll");
  for (const BatchNormT& norm : graph.batch_norms) {
    table.Add({norm.node, StatusName(norm), IsFolded(norm) ? norm.kind : norm.reason, norm.into,
               norm.detail});
  }
  std::string text = table.Text() + fmt::format("{} batch norms: {} folded, {} kept\n", count.total,
                                                count.folded, count.kept);
  std::set<std::string> said;
  for (const BatchNormT& norm : graph.batch_norms) {
    if (RemedyOf(norm).empty() || !said.insert(norm.reason).second) continue;
    text += fmt::format("To fold {}: {}.\n", norm.reason, RemedyOf(norm));
  }
  return text;
}

}  // namespace pleat::tools
