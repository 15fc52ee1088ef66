// A graph made for this CPU, these input shapes and this number of threads: kernels chosen, weights
// packed, buffers placed. Never saved.
#ifndef PLEAT_RUNTIME_PLAN_H_
#define PLEAT_RUNTIME_PLAN_H_

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "runtime/graph.h"

namespace pleat::runtime {

// Where a value's bytes are during a run.
struct Place {
  enum class Kind : uint8_t { kNone, kArena, kInput, kConstant };
  Kind kind = Kind::kNone;
  size_t offset = 0;  // into the arena
  size_t bytes = 0;
  size_t within = 0;  // bytes before a part (parts.h) in the buffer it lies in
  int input = -1;           // which graph input (a view of it has the same place)
  ValueId root = kNoValue;  // in the arena: the value whose buffer this is (views share one)
  const void* constant = nullptr;
};

struct Step {
  int node = -1;  // index into Graph::nodes
  std::unique_ptr<kernels::Kernel> kernel;
  const char* kernel_name = "";
  std::vector<std::string> refusals;
  std::vector<ValueId> inputs;  // operands in the kernel's order
  std::vector<ValueId> outputs;
  size_t scratch_offset = 0;  // into the arena
  double multiply_adds = 0;
};

struct Plan {
  std::vector<Step> steps;
  // Nodes left to the run, in order: what their outputs are depends on numbers (or on nodes that
  // do), or they run subgraphs. Values they read are kept until the end; those they make have no
  // place.
  std::vector<int> deferred;
  std::vector<Type> types;    // of every value, all known for those the steps touch
  std::vector<Place> places;  // of every value
  std::deque<Tensor> known;   // numbers computed while planning, kept alive here
  size_t arena_bytes = 0;     // scratch included
  size_t live_bytes = 0;  // largest sum of buffers alive at one step: arena's lower bound
  size_t packed_bytes = 0;
  double multiply_adds = 0;
};

struct PlanOptions {
  kernels::SelectOptions select;
  bool share_buffers = true;
  int64_t max_arena_bytes = int64_t{4} << 30;
};

// REQUIRES: CheckGraph passes. Fails, naming the node, where shapes do not fit or the arena would
// be larger than allowed.
Result<std::unique_ptr<Plan>> MakePlan(const Graph& graph, std::span<const Shape> input_shapes,
                                       const PlanOptions& options);

// Offsets for buffers that live over [first, last] steps, so that no two alive at once overlap.
struct Lifetime {
  size_t bytes;
  int first, last;
};
// Returns one 64-byte-aligned offset each, and the total in `arena_bytes`.
std::vector<size_t> PlaceBuffers(std::span<const Lifetime> buffers, size_t* arena_bytes);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_PLAN_H_
