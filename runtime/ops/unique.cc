// Unique: how many slices there are depends on the numbers, so the type rule finds them as soon as
// x is known; without that there is no size and nothing to prepare.
#include "kernels/unique.h"

#include <cstring>

#include "kernels/visit_type.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

// The slices of x [outer, size, inner] at these places.
Tensor Slices(const Tensor& x, const kernels::UniqueProblem& problem, Shape shape,
              const std::vector<int64_t>& places) {
  Tensor y = Tensor::Make(x.element(), std::move(shape));
  const size_t bytes = static_cast<size_t>(problem.inner) * ElementSize(x.element());
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.mutable_raw());
  if (bytes == 0) return y;
  for (int64_t o = 0; o < problem.outer; ++o) {
    for (const int64_t place : places) {
      std::memcpy(to, from + static_cast<size_t>(o * problem.size + place) * bytes, bytes);
      to += bytes;
    }
  }
  return y;
}

void SetValue(InferContext& context, size_t i, Tensor value) {
  if (i >= context.outputs.size()) return;
  context.outputs[i] = value.type();
  context.values[i] = std::move(value);
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 0, 4));
  const auto& fields = *context.node.As<fb::UniqueT>();
  const Type& x = context.inputs[0];
  if (!kernels::IsNumber(x.element)) {
    return Unsupported(std::string("different elements of ") + ElementName(x.element));
  }
  for (size_t i = 1; i < context.outputs.size(); ++i) {
    context.outputs[i] = {.element = ElementType::kInt64, .shape = {kUnknownDim}};
  }
  context.outputs[0] = fields.flat ? Type{.element = x.element, .shape = {kUnknownDim}}
                                   : Unranked(x.element);
  int axis = 0;
  if (!fields.flat && x.ranked) {
    PLEAT_ASSIGN_OR_RETURN(axis, NormalizeAxis(fields.axis, x.rank()));
    context.outputs[0] = x;
    context.outputs[0].shape[static_cast<size_t>(axis)] = kUnknownDim;
  }
  const Tensor* known = context.known_input(0);
  if (known == nullptr) return Status::Ok();

  kernels::UniqueProblem problem{.type = x.element, .size = known->count(), .sorted = fields.sorted};
  Shape shape = {0};
  if (!fields.flat) {
    const AxisSplit split = SplitAtAxis(x.shape, axis);
    problem.outer = split.outer;
    problem.size = split.size;
    problem.inner = split.inner;
    shape = x.shape;
  }
  const kernels::UniqueSlices found = kernels::FindUnique(problem, known->raw());
  shape[static_cast<size_t>(axis)] = static_cast<int64_t>(found.first.size());
  SetValue(context, 0, Slices(*known, problem, shape, found.first));
  SetValue(context, 1, Tensor::Vector(found.first));
  SetValue(context, 2, Tensor::Vector(found.inverse));
  SetValue(context, 3, Tensor::Vector(found.count));
  return Status::Ok();
}

Status Prepare(PrepareContext&) {
  return Unsupported("x must be known before it runs: the output's size depends on it");
}

}  // namespace

extern const OpRule kUniqueRule;
const OpRule kUniqueRule = {"Unique", Infer, Prepare};

}  // namespace pleat::runtime
