// ConstantOfShape: a tensor of the shape given, filled with one value.
#include "kernels/generate.h"
#include "runtime/ops/arguments.h"

namespace pleat::runtime {
namespace {

Result<ElementType> ElementOf(const Node& node) {
  const uint8_t to = node.As<fb::ConstantOfShapeT>()->to;
  if (to >= kernels::kElementTypeCount) {
    return InvalidModel("to: expected an element type below " +
                        std::to_string(kernels::kElementTypeCount) + ", got " + std::to_string(to));
  }
  return static_cast<ElementType>(to);
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckOperands(context.node, 1));
  PLEAT_ASSIGN_OR_RETURN(const ElementType element, ElementOf(context.node));
  PLEAT_ASSIGN_OR_RETURN(const Integers shape, VectorInput(context, 0, "shape"));
  Type& y = context.outputs[0];
  if (shape.values) {
    y = {.element = element, .shape = *shape.values};
    for (int64_t size : y.shape) {
      if (size < 0) return InvalidModel("shape: negative size " + std::to_string(size));
    }
  } else {
    y = shape.count == kUnknownDim ? Unranked(element) : UnknownSizes(element, shape.count);
  }
  return Status::Ok();
}

Status Prepare(PrepareContext& context) {
  PLEAT_ASSIGN_OR_RETURN(const ElementType element, ElementOf(context.node));
  PLEAT_ASSIGN_OR_RETURN(const Integers shape, VectorInput(context, 0, "shape"));
  PLEAT_RETURN_IF_ERROR(RequireKnown(shape, "the shape"));
  const auto* fields = context.node.As<fb::ConstantOfShapeT>();
  const Tensor value =
      IsFloat(element) ? Cast(Tensor::Of<double>({}, std::span(&fields->value, 1)), element)
                       : Cast(Tensor::Of<int64_t>({}, std::span(&fields->int_value, 1)), element);
  const auto* bytes = static_cast<const std::byte*>(value.raw());
  SelectInto(context, kernels::RepeatCandidates(),
             kernels::RepeatProblem{.bytes = {bytes, bytes + value.bytes()},
                                    .repeats = ElementCount(context.outputs[0].shape)});
  return Status::Ok();
}

}  // namespace

extern const OpRule kConstantOfShapeRule;
const OpRule kConstantOfShapeRule = {"ConstantOfShape", Infer, Prepare};

}  // namespace pleat::runtime
