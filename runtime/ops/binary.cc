// Binary: a op b, element by element with Numpy's broadcasting -> y.
#include "kernels/binary.h"

#include "runtime/ops/activation.h"
#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

using kernels::BinaryKind;

bool Takes(BinaryKind kind, ElementType element) {
  const bool number = element == ElementType::kFloat32 || element == ElementType::kFloat64;
  const bool integer = element <= ElementType::kUint64 && !number;
  if (kind == BinaryKind::kEqual) return number || integer || element == ElementType::kBool;
  if (kind <= BinaryKind::kGreaterOrEqual) return number || integer;
  if (kind <= BinaryKind::kXor) return element == ElementType::kBool;
  return integer;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 2));
  const fb::BinaryT& fields = *context.node.As<fb::BinaryT>();
  const Type &a = context.inputs[0], &b = context.inputs[1];
  if (fields.kind > fb::BinaryKind::MAX) {
    return InvalidModel("unknown operation " + std::to_string(static_cast<int>(fields.kind)));
  }
  const auto kind = static_cast<BinaryKind>(fields.kind);
  PLEAT_RETURN_IF_ERROR(CheckSameElements(a, "a", b, "b"));
  if (!Takes(kind, a.element)) {
    return Unsupported(std::string(fb::EnumNameBinaryKind(fields.kind)) + " does not take " +
                       ElementName(a.element));
  }
  PLEAT_ASSIGN_OR_RETURN(const kernels::Activation activation, ActivationOf(fields.activation));
  const bool to_bool = kernels::Compares(kind) || a.element == ElementType::kBool;
  if (activation.kind != kernels::UnaryKind::kIdentity &&
      (to_bool || !kernels::IsFloat(a.element))) {
    return InvalidModel("an activation needs a float result");
  }
  Type y = a;
  PLEAT_RETURN_IF_ERROR(BroadcastInto(y, b));
  if (to_bool) y.element = ElementType::kBool;
  context.outputs[0] = std::move(y);
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::BinaryT& fields = *context.node.As<fb::BinaryT>();
  kernels::BinaryProblem problem;
  problem.type = context.inputs[0].element;
  problem.kind = static_cast<BinaryKind>(fields.kind);
  problem.a_shape = context.inputs[0].shape;
  problem.b_shape = context.inputs[1].shape;
  PLEAT_ASSIGN_OR_RETURN(problem.activation, ActivationOf(fields.activation));
  problem.select = context.select;
  context.operands = {0, 1};
  for (int i : {0, 1}) {
    if (context.inputs[static_cast<size_t>(i)] == context.outputs[0]) context.in_place.push_back(i);
  }
  SelectInto(context, kernels::BinaryCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kBinaryRule;
const OpRule kBinaryRule = {"Binary", Infer, Prepare};

}  // namespace pleat::runtime
