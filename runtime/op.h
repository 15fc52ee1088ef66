// An operator: its type rule and how it becomes a kernel. One file in ops/ and one line in
// ops/ops.inc each; the fields are a table of pleat.fbs.
#ifndef PLEAT_RUNTIME_OP_H_
#define PLEAT_RUNTIME_OP_H_

#include <memory>
#include <span>
#include <vector>

#include "kernels/kernel.h"
#include "runtime/graph.h"

namespace pleat::runtime {

// What a type rule sees: the node, the type of every input (default Type for one left out), and the
// numbers of those inputs that are known already (null otherwise).
struct InferContext {
  const Node& node;
  std::span<const Type> inputs;
  std::span<const Tensor* const> known;
  // To fill: one type per node output. Sizes that do not follow are kUnknownDim; a rank that does
  // not follow makes the type unranked. When all inputs are known all sizes have to follow: a run
  // relies on it where a plan cannot go on.
  std::vector<Type>& outputs;
  // To fill where the outputs' numbers follow from types alone (ShapeOf), or where their sizes
  // depend on the inputs' numbers, these are known, and finding the sizes is the work (Unique); else
  // left empty.
  std::vector<Tensor>& values;

  bool has_input(size_t i) const { return node.input(i) != kNoValue; }
  const Tensor* known_input(size_t i) const { return i < known.size() ? known[i] : nullptr; }
};

// What Prepare sees, all types known, and what it leaves: a kernel or a view.
struct PrepareContext {
  const Node& node;
  std::span<const Type> inputs;
  std::span<const Type> outputs;
  std::span<const Tensor* const> known;  // constants and numbers known at plan time
  kernels::SelectOptions select;
  // Where inputs and outputs are parts of wider tensors (parts.h): elements between neighbours along
  // the last axis but one, 0 for densely packed ones; none when all are. `held` is what Parts says.
  std::vector<int64_t> input_steps = {}, output_steps = {};
  std::span<const char> held = {};

  // Results. Either a kernel, whose inputs are the node inputs listed in `operands` and whose
  // outputs are all the node's outputs that are wanted, in order ...
  std::unique_ptr<kernels::Kernel> kernel;
  std::vector<int> operands;
  const char* kernel_name = "";
  std::vector<std::string> refusals;  // candidates passed over, "<name>: <reason>"
  double multiply_adds = 0;           // of one run, for profiles
  // ... which may write output 0 over one of these operands (positions in `operands`) when nobody
  // reads it later ...
  std::vector<int> in_place;
  // ... or output 0 is just the input `view_of` under another shape, and there is no kernel.
  int view_of = -1;

  bool has_input(size_t i) const { return node.input(i) != kNoValue; }
  const Tensor* known_input(size_t i) const { return i < known.size() ? known[i] : nullptr; }
  int64_t input_step(size_t i) const { return i < input_steps.size() ? input_steps[i] : 0; }
  int64_t output_step(size_t i) const { return i < output_steps.size() ? output_steps[i] : 0; }
  bool is_held(size_t i) const { return i < held.size() && held[i]; }
};

struct OpRule {
  const char* name;
  Status (*infer)(InferContext&);
  Status (*prepare)(PrepareContext&);
};

// The rule of an operator. REQUIRES: type is a member of the union other than NONE.
const OpRule& RuleOf(fb::Op type);

// Chooses a candidate for `problem` by the one rule and leaves the kernel, its name and the
// refusals in the context.
template <class P>
void SelectInto(PrepareContext& context, std::span<const kernels::Candidate<P>> candidates,
                const P& problem) {
  const auto& chosen = kernels::Select(candidates, problem, context.select, &context.refusals);
  context.kernel = chosen.make(problem);
  context.kernel_name = chosen.name;
}

// Runs one node on known inputs with the reference kernels and returns its outputs. The inputs are
// in node order, null for those left out.
Result<std::vector<Tensor>> EvaluateNode(const Node& node, std::span<const Tensor* const> inputs);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OP_H_
