// Reduce: one number from all those along the reduced axes.
#include "kernels/reduce.h"

#include <optional>

#include "kernels/visit_type.h"
#include "runtime/ops/axes.h"
#include "runtime/ops/operands.h"
#include "runtime/ops/ops.h"
#include "runtime/ops/prologue.h"

namespace pleat::runtime {
namespace {

static_assert(static_cast<int>(fb::ReduceKind::MAX) ==
              static_cast<int>(kernels::ReduceKind::kLogSumExp));
static_assert(kMaxRank <= kernels::ReduceProblem::kMaxRank);

// The axes as written: of the input where there is one, else the field's; nothing while the input's
// numbers are not known.
template <class Context>
Result<std::optional<std::vector<int64_t>>> WrittenAxes(const Context& context) {
  if (!context.has_input(1)) return std::optional(context.node.template As<fb::ReduceT>()->axes);
  const Type& type = context.inputs[1];
  if (type.element != ElementType::kInt64 && type.element != ElementType::kInt32) {
    return InvalidModel("expected axes of type int64, got " + TypeText(type));
  }
  if (type.rank() > 1) {
    return InvalidModel("expected axes of rank 1, got " + TypeText(type));
  }
  if (type.shape == Shape{0}) return std::optional(std::vector<int64_t>());
  const Tensor* known = context.known_input(1);
  return known == nullptr ? std::nullopt : std::optional(ToInt64s(*known));
}

constexpr size_t kPrologue = 2;

// What x is read through. It runs along the last axis of sums and means that keep it.
template <class Context>
Result<kernels::Prologue> ReadPrologue(const Context& context, const std::vector<bool>& reduced) {
  const auto& fields = *context.node.template As<fb::ReduceT>();
  if (!HasPrologue(context, kPrologue)) return kernels::Prologue();
  const bool sums = fields.kind == fb::ReduceKind::Sum || fields.kind == fb::ReduceKind::Mean;
  const ElementType element = context.inputs[0].element;
  if (!sums || reduced.empty() || reduced.back() || !kernels::IsFloat(element)) {
    return InvalidModel("expected a prologue only of sums and means that keep the last axis");
  }
  return PrologueOf(context, kPrologue, context.inputs[0].shape.back());
}

// For every axis of x, whether it is reduced.
Result<std::vector<bool>> ReducedAxes(const fb::ReduceT& fields, const std::vector<int64_t>& axes,
                                      int rank) {
  const bool all = axes.empty() && !fields.noop_with_empty_axes;
  std::vector<bool> reduced(static_cast<size_t>(rank), all);
  PLEAT_ASSIGN_OR_RETURN(const std::vector<int> normalized, NormalizeAxes(axes, rank));
  for (int axis : normalized) reduced[static_cast<size_t>(axis)] = true;
  return reduced;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 4));
  const auto& fields = *context.node.As<fb::ReduceT>();
  const Type& x = context.inputs[0];
  if (fields.kind > fb::ReduceKind::MAX) {
    return InvalidModel("unknown kind of reduction " +
                        std::to_string(static_cast<int>(fields.kind)));
  }
  if (!kernels::IsNumber(x.element)) {
    return Unsupported(std::string("a reduction of ") + ElementName(x.element));
  }
  PLEAT_ASSIGN_OR_RETURN(const auto axes, WrittenAxes(context));
  Type& y = context.outputs[0];
  y = {x.element, false, {}};
  if (!x.ranked) {
    const bool to_scalar =
        axes && axes->empty() && !fields.noop_with_empty_axes && !fields.keepdims;
    y.ranked = to_scalar;
    return Status::Ok();
  }
  if (!axes) {
    y.ranked = fields.keepdims;
    if (fields.keepdims) y.shape.assign(x.shape.size(), kUnknownDim);
    return Status::Ok();
  }
  PLEAT_ASSIGN_OR_RETURN(const auto reduced, ReducedAxes(fields, *axes, x.rank()));
  PLEAT_RETURN_IF_ERROR(ReadPrologue(context, reduced).status());
  y.ranked = true;
  for (size_t i = 0; i < x.shape.size(); ++i) {
    if (!reduced[i]) {
      y.shape.push_back(x.shape[i]);
    } else if (fields.keepdims) {
      y.shape.push_back(1);
    }
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const auto& fields = *context.node.As<fb::ReduceT>();
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const auto axes, WrittenAxes(context));
  if (!axes) return Unsupported("axes that are computed during a run");
  if (axes->empty() && fields.noop_with_empty_axes) {
    if (HasPrologue(context, kPrologue)) return InvalidModel("expected no prologue of a copy");
    context.view_of = 0;
    return Status::Ok();
  }
  PLEAT_ASSIGN_OR_RETURN(const auto reduced, ReducedAxes(fields, *axes, x.rank()));
  kernels::ReduceProblem problem{.type = x.element,
                                 .kind = static_cast<kernels::ReduceKind>(fields.kind),
                                 .select = context.select};
  for (size_t i = 0; i < x.shape.size(); ++i) problem.Append(x.shape[i], reduced[i]);
  PLEAT_ASSIGN_OR_RETURN(problem.prologue, ReadPrologue(context, reduced));
  if (problem.prologue) problem.channels = x.shape.back();
  context.operands = {0};
  context.multiply_adds = static_cast<double>(ElementCount(x.shape));
  SelectInto(context, kernels::ReduceCandidates(), problem);
  return Status::Ok();
}

}  // namespace

const OpRule kReduceRule = {"Reduce", Infer, Prepare};

}  // namespace pleat::runtime
