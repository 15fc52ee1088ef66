// A plan with the addresses of one session's memory filled in, ready to run.
#ifndef PLEAT_RUNTIME_BOUND_PLAN_H_
#define PLEAT_RUNTIME_BOUND_PLAN_H_

#include <memory>
#include <vector>

#include "runtime/plan.h"

namespace pleat::runtime {

struct BoundPlan {
  std::vector<Shape> shapes;
  std::unique_ptr<Plan> plan;
  std::vector<const void*> inputs;  // of all steps, one after another
  std::vector<void*> outputs;
  // Entries of `inputs` and `outputs` whose address comes with a run, and which one goes there.
  struct Patch {
    size_t position;
    size_t index;
    size_t within;  // bytes behind that address
  };
  std::vector<Patch> from_inputs;                        // `inputs` entry <- graph input
  std::vector<Patch> reads_of_output, writes_of_output;  // <- graph output
  std::vector<bool> direct;    // of graph outputs: their buffer can be the caller's
  std::byte* arena = nullptr;  // what the addresses were made for

  const Place& PlaceOf(ValueId id) const { return plan->places[static_cast<size_t>(id)]; }
  const Type& TypeOf(ValueId id) const { return plan->types[static_cast<size_t>(id)]; }
  // Makes the addresses for an arena at `to`.
  void Bind(const Graph& graph, std::byte* to);
};

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_BOUND_PLAN_H_
