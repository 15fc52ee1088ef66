// Tensors that no operand feeds: bytes repeated (ONNX operators ConstantOfShape, Shape, Size) and
// arithmetic sequences (Range).
#ifndef PLEAT_KERNELS_GENERATE_H_
#define PLEAT_KERNELS_GENERATE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/element_type.h"
#include "kernels/kernel.h"

namespace pleat::kernels {

// y = `bytes`, `repeats` times.
struct RepeatProblem {
  std::vector<std::byte> bytes;
  int64_t repeats = 1;
};

// y[i] = start + i * delta for i < count, computed in y's type.
struct SequenceProblem {
  ElementType type = ElementType::kInt64;  // float32, float64, int16, int32 or int64
  int64_t count = 0;
  // Of the integer types; no y[i] is outside the type.
  int64_t start = 0, delta = 1;
  // Of the float types.
  double float_start = 0, float_delta = 1;
};

// No operands. Output: y.
std::span<const Candidate<RepeatProblem>> RepeatCandidates();
std::span<const Candidate<SequenceProblem>> SequenceCandidates();

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_GENERATE_H_
