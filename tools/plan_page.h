// `pleat inspect --html`: a network and its plan on one self-contained page.
#ifndef PLEAT_TOOLS_PLAN_PAGE_H_
#define PLEAT_TOOLS_PLAN_PAGE_H_

#include <string>
#include <vector>

#include "tools/plan_figures.h"

namespace pleat::tools {

struct PageFacts {
  std::string file;
  std::vector<runtime::Shape> input_shapes;
  std::vector<std::string> assumed;  // sizes chosen for open ones, a line each
  size_t weight_bytes = 0;
};

std::string PlanPage(const PlannedRun& run, const PageFacts& facts);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_PLAN_PAGE_H_
