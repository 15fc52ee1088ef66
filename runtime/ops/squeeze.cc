// Squeeze and Unsqueeze: axes of size 1 dropped or put in. Axes are a field or an input.
#include <algorithm>

#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

template <class Context>
Result<Integers> Axes(const Context& context, const std::vector<int64_t>& field) {
  PLEAT_ASSIGN_OR_RETURN(Integers axes, VectorInput(context, 1, "axes"));
  if (axes.present || field.empty()) return axes;
  return Integers{.present = true, .count = static_cast<int64_t>(field.size()), .values = field};
}

Status InferSqueeze(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 1));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const Integers axes, Axes(context, context.node.As<fb::SqueezeT>()->axes));
  Type& y = context.outputs[0];
  y = Unranked(x.element);
  if (!x.ranked) return Status::Ok();
  std::vector<int> dropped;
  if (!axes.present) {
    if (!x.Known()) return Status::Ok();
    for (int d = 0; d < x.rank(); ++d) {
      if (x.shape[static_cast<size_t>(d)] == 1) dropped.push_back(d);
    }
  } else if (axes.values) {
    PLEAT_ASSIGN_OR_RETURN(dropped, NormalizeAxes(*axes.values, x.rank()));
  } else {
    if (axes.count > x.rank()) {
      return InvalidModel("axes: expected at most " + std::to_string(x.rank()) + " entries, got " +
                          std::to_string(axes.count));
    }
    if (axes.count != kUnknownDim) y = UnknownSizes(x.element, x.rank() - axes.count);
    return Status::Ok();
  }
  y = {.element = x.element};
  for (int d = 0; d < x.rank(); ++d) {
    const int64_t size = x.shape[static_cast<size_t>(d)];
    if (std::find(dropped.begin(), dropped.end(), d) == dropped.end()) {
      y.shape.push_back(size);
    } else if (!Agree(size, 1)) {
      return InvalidModel("axis " + std::to_string(d) + " of " + TypeText(x) +
                          ": expected size 1, got " + std::to_string(size));
    }
  }
  return Status::Ok();
}

Status InferUnsqueeze(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1, 1));
  const Type& x = context.inputs[0];
  PLEAT_ASSIGN_OR_RETURN(const Integers axes,
                         Axes(context, context.node.As<fb::UnsqueezeT>()->axes));
  Type& y = context.outputs[0];
  y = Unranked(x.element);
  if (!x.ranked || (axes.present && axes.count == kUnknownDim)) return Status::Ok();
  const int64_t added = axes.present ? axes.count : 0;
  if (x.rank() + added > kMaxRank) {
    return LimitExceeded("rank " + std::to_string(x.rank() + added) + " is above " +
                         std::to_string(kMaxRank));
  }
  const auto rank = static_cast<int>(x.rank() + added);
  if (axes.Unknown()) {
    y = UnknownSizes(x.element, rank);
    return Status::Ok();
  }
  std::vector<int> ones;
  if (axes.present) {
    PLEAT_ASSIGN_OR_RETURN(ones, NormalizeAxes(*axes.values, rank));
  }
  y = {.element = x.element};
  for (int d = 0, from = 0; d < rank; ++d) {
    const bool one = std::find(ones.begin(), ones.end(), d) != ones.end();
    y.shape.push_back(one ? 1 : x.shape[static_cast<size_t>(from++)]);
  }
  return Status::Ok();
}

template <class Fields>
Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const Integers axes, Axes(context, context.node.As<Fields>()->axes));
  PLEAT_RETURN_IF_ERROR(RequireKnown(axes, "the axes"));
  context.view_of = 0;
  return Status::Ok();
}

}  // namespace

extern const OpRule kSqueezeRule, kUnsqueezeRule;
const OpRule kSqueezeRule = {"Squeeze", InferSqueeze, Prepare<fb::SqueezeT>};
const OpRule kUnsqueezeRule = {"Unsqueeze", InferUnsqueeze, Prepare<fb::UnsqueezeT>};

}  // namespace pleat::runtime
