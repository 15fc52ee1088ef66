// Unary: one function of every element of x -> y.
#include "kernels/unary.h"

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

using kernels::UnaryKind;

Status CheckElement(UnaryKind kind, ElementType element) {
  const bool integer = element <= ElementType::kUint64 && !kernels::IsFloat(element);
  const bool number = element == ElementType::kFloat32 || element == ElementType::kFloat64;
  switch (kind) {
    case UnaryKind::kNot:
      if (element == ElementType::kBool) return Status::Ok();
      break;
    case UnaryKind::kBitwiseNot:
      if (integer) return Status::Ok();
      break;
    case UnaryKind::kIdentity:
      if (element == ElementType::kBool) return Status::Ok();
      [[fallthrough]];
    case UnaryKind::kClip:
    case UnaryKind::kAbs:
    case UnaryKind::kNeg:
    case UnaryKind::kSign:
      if (number || integer) return Status::Ok();
      break;
    default:
      if (number) return Status::Ok();
  }
  return Unsupported("function " + std::to_string(static_cast<int>(kind)) + " does not take " +
                     ElementName(element));
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  const int number = context.node.As<fb::UnaryT>()->activation.kind();
  if (number >= kernels::kUnaryKindCount) {
    return InvalidModel("unknown function " + std::to_string(number));
  }
  const auto kind = static_cast<UnaryKind>(number);
  PLEAT_RETURN_IF_ERROR(CheckElement(kind, context.inputs[0].element));
  context.outputs[0] = context.inputs[0];
  if (kind == UnaryKind::kIsNaN || kind == UnaryKind::kIsInf) {
    context.outputs[0].element = ElementType::kBool;
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  const fb::Activation& fields = context.node.As<fb::UnaryT>()->activation;
  kernels::UnaryProblem problem;
  problem.type = context.inputs[0].element;
  problem.activation = {static_cast<UnaryKind>(fields.kind()), fields.a(), fields.b()};
  problem.count = ElementCount(context.inputs[0].shape);
  problem.select = context.select;
  context.operands = {0};
  if (context.outputs[0].element == problem.type) context.in_place = {0};
  SelectInto(context, kernels::UnaryCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kUnaryRule;
const OpRule kUnaryRule = {"Unary", Infer, Prepare};

}  // namespace pleat::runtime
