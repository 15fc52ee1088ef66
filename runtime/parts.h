// Values that need no memory of their own because they can lie inside another one: operands of a
// Concat in its output, outputs of a Split or Slice in its input, a Concat in one that goes on where it
// ends. Operators that read and write the channels of a pixel wherever it lies make them.
#ifndef PLEAT_RUNTIME_PARTS_H_
#define PLEAT_RUNTIME_PARTS_H_

#include <vector>

#include "runtime/graph.h"

namespace pleat::runtime {

struct Part {
  ValueId whole = kNoValue;  // kNoValue: a value of its own
  int64_t begin = 0;         // elements of the last axis before it
  int64_t step = 0;          // elements of the last axis of the outermost whole
};

struct Parts {
  std::vector<Part> of;  // by value
  // By node, of a Concat: inputs that lie in the output; of a Split or Slice: outputs that lie in the
  // input.
  std::vector<std::vector<char>> held;

  bool IsPart(ValueId id) const {
    return id != kNoValue && !of.empty() && of[static_cast<size_t>(id)].whole != kNoValue;
  }
  // Elements between neighbours along the last axis but one; 0: densely packed.
  int64_t StepOf(ValueId id) const { return IsPart(id) ? of[static_cast<size_t>(id)].step : 0; }
};

// REQUIRES: CheckGraph passes.
Parts FindParts(const Graph& graph);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_PARTS_H_
