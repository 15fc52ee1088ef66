// Transpose: axis perm[i] of x becomes axis i; no perm reverses the axes.
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

// Every axis once, none counted from the end: passes index with what is written.
Status CheckPerm(const std::vector<int64_t>& perm) {
  if (perm.size() > static_cast<size_t>(kMaxRank)) {
    return LimitExceeded("perm: rank " + std::to_string(perm.size()) + " is above " +
                         std::to_string(kMaxRank));
  }
  for (const int64_t axis : perm) {
    if (axis >= 0) continue;
    return InvalidModel("perm: expected axes of at least 0, got " + std::to_string(axis));
  }
  return NormalizeAxes(perm, static_cast<int>(perm.size())).status();
}

Result<std::vector<int>> Permutation(const Node& node, int rank) {
  const std::vector<int64_t>& perm = node.As<fb::TransposeT>()->perm;
  if (perm.empty()) {
    std::vector<int> reversed;
    for (int axis = rank; axis-- > 0;) reversed.push_back(axis);
    return reversed;
  }
  if (perm.size() != static_cast<size_t>(rank)) {
    return InvalidModel("perm: expected " + std::to_string(rank) + " axes, got " +
                        std::to_string(perm.size()));
  }
  return NormalizeAxes(perm, rank);
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  PLEAT_RETURN_IF_ERROR(CheckPerm(context.node.As<fb::TransposeT>()->perm));
  const Type& x = context.inputs[0];
  if (!x.ranked) {
    context.outputs[0] = Unranked(x.element);
    return Status::Ok();
  }
  PLEAT_ASSIGN_OR_RETURN(const std::vector<int> perm, Permutation(context.node, x.rank()));
  Type y{.element = x.element};
  for (int axis : perm) y.shape.push_back(x.shape[static_cast<size_t>(axis)]);
  context.outputs[0] = std::move(y);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const Shape& in = context.inputs[0].shape;
  PLEAT_ASSIGN_OR_RETURN(const std::vector<int> perm,
                         Permutation(context.node, context.inputs[0].rank()));
  const Shape in_strides = Strides(in), out_strides = Strides(context.outputs[0].shape);
  kernels::CopyPiece piece;
  int last = -1;
  bool moves = false;
  for (size_t d = 0; d < perm.size(); ++d) {
    const auto axis = static_cast<size_t>(perm[d]);
    piece.dims.push_back({in[axis], in_strides[axis], out_strides[d]});
    if (in[axis] == 1) continue;
    moves = moves || perm[d] < last;
    last = perm[d];
  }
  if (!moves) {
    context.view_of = 0;
    return Status::Ok();
  }
  PrepareCopy(context, {0}, {std::move(piece)});
  return Status::Ok();
}

}  // namespace

extern const OpRule kTransposeRule;
const OpRule kTransposeRule = {"Transpose", Infer, Prepare};

}  // namespace pleat::runtime
