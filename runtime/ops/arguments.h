// Parameters that come as tensors of integers, and sizes derived from them. Shared by the operators
// that move elements.
#ifndef PLEAT_RUNTIME_OPS_ARGUMENTS_H_
#define PLEAT_RUNTIME_OPS_ARGUMENTS_H_

#include <optional>
#include <string>
#include <vector>

#include "kernels/copy.h"
#include "runtime/op.h"
#include "runtime/ops/axes.h"
#include "runtime/ops/operands.h"

namespace pleat::runtime {

// A type nothing but the element is known of, and one whose rank is known too.
Type Unranked(ElementType element);
Type UnknownSizes(ElementType element, int64_t rank);

// False when both sizes are known and differ.
inline bool Agree(int64_t a, int64_t b) { return a == kUnknownDim || b == kUnknownDim || a == b; }

// An input that holds parameters: absent, or so many of them, or their values too.
struct Integers {
  bool present = false;
  int64_t count = kUnknownDim;
  std::optional<std::vector<int64_t>> values;

  bool Unknown() const { return present && !values; }
};

// Reads input `i`, called `name` in messages. Fails unless it is a vector of int64 or int32 with at
// most `most` entries.
Result<Integers> ReadVector(const Type& type, const Tensor* known, const char* name, int64_t most);
// The same for a scalar or a vector of one entry; `count` is then 1.
Result<Integers> ReadScalar(const Type& type, const Tensor* known, const char* name);

template <class Context>
Result<Integers> VectorInput(const Context& context, size_t i, const char* name,
                             int64_t most = kMaxRank) {
  if (!context.has_input(i)) return Integers{};
  return ReadVector(context.inputs[i], context.known_input(i), name, most);
}
template <class Context>
Result<Integers> ScalarInput(const Context& context, size_t i, const char* name) {
  if (!context.has_input(i)) return Integers{};
  return ReadScalar(context.inputs[i], context.known_input(i), name);
}

// Fails, as Prepare must, where a parameter comes only with the run.
Status RequireKnown(const Integers& parameter, const char* name);

// Fails unless `index` may be an index tensor: int64 or int32.
Status CheckIndexType(const Type& index);

// The product of sizes [begin, end) of a shape; kUnknownDim when one of them is unknown and none
// is 0. Fails where it overflows.
Result<int64_t> SizeProduct(const Shape& shape, size_t begin, size_t end);

// The size two operands agree on; one unknown takes the other's.
inline int64_t KnownOf(int64_t a, int64_t b) { return a == kUnknownDim ? b : a; }

// Strides of a tensor whose rows along the last axis lie `step` elements apart; 0: densely packed.
Shape SteppedStrides(const Shape& shape, int64_t step);

// Leaves in the context a kernel that copies `pieces`.
void PrepareCopy(PrepareContext& context, std::vector<int> operands,
                 std::vector<kernels::CopyPiece> pieces);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_ARGUMENTS_H_
