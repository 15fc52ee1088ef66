#include "runtime/ops/arguments.h"

#include "runtime/checked.h"

namespace pleat::runtime {
namespace {

Result<Integers> ReadIntegers(const Tensor* known, int64_t count) {
  Integers integers{.present = true, .count = count};
  if (known != nullptr) integers.values = ToInt64s(*known);
  return integers;
}

Status CheckIntegerType(const Type& type, const char* name) {
  if (type.element == ElementType::kInt64 || type.element == ElementType::kInt32) {
    return Status::Ok();
  }
  return InvalidModel(std::string(name) + ": expected int64 or int32, got " +
                      ElementName(type.element));
}

}  // namespace

Type Unranked(ElementType element) { return {.element = element, .ranked = false}; }

Type UnknownSizes(ElementType element, int64_t rank) {
  return {.element = element, .shape = Shape(static_cast<size_t>(rank), kUnknownDim)};
}

Result<Integers> ReadVector(const Type& type, const Tensor* known, const char* name, int64_t most) {
  PLEAT_RETURN_IF_ERROR(CheckIntegerType(type, name));
  if (!type.ranked) return Integers{.present = true};
  if (type.rank() != 1) {
    return InvalidModel(std::string(name) + ": expected a vector, got " + TypeText(type));
  }
  if (type.shape[0] > most) {
    return LimitExceeded(std::string(name) + ": expected at most " + std::to_string(most) +
                         " entries, got " + std::to_string(type.shape[0]));
  }
  return ReadIntegers(known, type.shape[0]);
}

Result<Integers> ReadScalar(const Type& type, const Tensor* known, const char* name) {
  PLEAT_RETURN_IF_ERROR(CheckIntegerType(type, name));
  const bool scalar = !type.ranked || type.rank() == 0 ||
                      (type.rank() == 1 && (type.shape[0] == 1 || type.shape[0] == kUnknownDim));
  if (!scalar) {
    return InvalidModel(std::string(name) + ": expected a scalar, got " + TypeText(type));
  }
  return ReadIntegers(known, 1);
}

Status RequireKnown(const Integers& parameter, const char* name) {
  if (!parameter.Unknown()) return Status::Ok();
  return Unsupported(std::string(name) + " must be known before the run");
}

Status CheckIndexType(const Type& index) { return CheckIntegerType(index, "indices"); }

Result<int64_t> SizeProduct(const Shape& shape, size_t begin, size_t end) {
  Checked product = 1;
  bool unknown = false;
  for (size_t d = begin; d < end; ++d) {
    if (shape[d] == 0) return int64_t{0};
    unknown = unknown || shape[d] == kUnknownDim;
    if (shape[d] != kUnknownDim) product = product * shape[d];
  }
  if (!product.ok()) return LimitExceeded("the product of " + ShapeText(shape) + " overflows");
  return unknown ? kUnknownDim : *product.get();
}

Shape SteppedStrides(const Shape& shape, int64_t step) {
  if (step == 0) return Strides(shape);
  Shape wide = shape;
  wide.back() = step;
  return Strides(wide);
}

void PrepareCopy(PrepareContext& context, std::vector<int> operands,
                 std::vector<kernels::CopyPiece> pieces) {
  context.operands = std::move(operands);
  kernels::CopyProblem problem{.element_size = ElementSize(context.inputs[0].element),
                               .pieces = std::move(pieces)};
  SelectInto(context, kernels::CopyCandidates(), problem);
}

}  // namespace pleat::runtime
