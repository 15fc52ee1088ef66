// What became of each batch norm, for people and for scripts.
#ifndef PLEAT_TOOLS_BATCH_NORMS_H_
#define PLEAT_TOOLS_BATCH_NORMS_H_

#include <string>

#include "runtime/graph.h"
#include "tools/console.h"

namespace pleat::tools {

struct BatchNormCount {
  size_t total = 0, folded = 0, kept = 0;
};
BatchNormCount CountBatchNorms(const runtime::Graph& graph);

// {"version", "batch_norms": [{"node", "status", "kind", "reason", "into", "detail"}],
//  "summary": {"total", "folded", "kept"}}; strings that do not apply are null.
Json BatchNormReport(const runtime::Graph& graph);

// A table of the same, and a line that sums up.
std::string BatchNormText(const runtime::Graph& graph);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_BATCH_NORMS_H_
