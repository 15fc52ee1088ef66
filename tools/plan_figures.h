// Pictures of a plan as SVG: its steps with what flows between them, its memory and its time.
#ifndef PLEAT_TOOLS_PLAN_FIGURES_H_
#define PLEAT_TOOLS_PLAN_FIGURES_H_

#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/profile.h"

namespace pleat::tools {

// A plan, what it is of, and how long it took.
struct PlannedRun {
  const runtime::Graph* graph = nullptr;
  const runtime::Plan* plan = nullptr;
  int threads = 1;
  StepProfile profile;

  const runtime::Node& NodeOf(const runtime::Step& step) const {
    return graph->nodes[static_cast<size_t>(step.node)];
  }
  std::string ShapeOf(const runtime::Step& step) const;
};

// What a step does, for its colour: the class "k0" to "k3".
size_t KindOf(const runtime::Node& node);
inline constexpr const char* kKindNames[] = {"convolutions and products", "element by element",
                                             "windows, reductions, norms", "moving data"};

// Steps across, bytes of the arena up: each buffer where it lies, as long as it lives. Below it,
// over the same steps, the time of each.
std::string MemoryAndTimeFigure(const PlannedRun& run);

// A row per step, top to bottom: what it reads from further up (left), what it is, its time.
std::string PlanFigure(const PlannedRun& run);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_PLAN_FIGURES_H_
