// ONNX's sequences of tensors. They exist while a graph is imported only: each is the list of the
// values in it, whose places are known by then, so that none is left to the run.
#ifndef PLEAT_CONVERTER_IMPORT_TENSOR_SEQUENCES_H_
#define PLEAT_CONVERTER_IMPORT_TENSOR_SEQUENCES_H_

#include <span>
#include <string>
#include <vector>

#include "runtime/graph.h"

namespace pleat::converter {

class TensorSequences {
 public:
  // A sequence goes by an id too, below all ids of values.
  static constexpr runtime::ValueId kFirst = -3;
  static bool IsSequence(runtime::ValueId id) { return id <= kFirst; }

  // kLimitExceeded when all sequences together get too long. REQUIRES: none of the values is one.
  runtime::Result<runtime::ValueId> Add(std::vector<runtime::ValueId> values);
  // Stays valid when others are added.
  std::span<const runtime::ValueId> Values(runtime::ValueId sequence) const;

 private:
  std::vector<std::vector<runtime::ValueId>> sequences_;
  size_t values_ = 0;  // of all together
};

// Whether an operator takes a sequence for this input.
bool TakesSequence(const std::string& op, size_t input);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_TENSOR_SEQUENCES_H_
