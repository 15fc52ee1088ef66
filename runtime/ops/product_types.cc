#include "runtime/ops/product_types.h"

#include <algorithm>

namespace pleat::runtime {

Status CheckProductElements(const Node& node, std::span<const Type> inputs,
                            std::span<const char* const> names, size_t most) {
  most = std::max(most, names.size());
  if (inputs.size() > most) {
    return InvalidModel("expected at most " + std::to_string(most) + " inputs, got " +
                        std::to_string(inputs.size()));
  }
  if (node.outputs.size() != 1) {
    return InvalidModel("expected 1 output, got " + std::to_string(node.outputs.size()));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (node.input(i) == kNoValue) {
      if (i < 2) return InvalidModel(std::string("expected an input ") + names[i] + ", got none");
      continue;
    }
    const ElementType element = inputs[i].element;
    if (element != ElementType::kFloat32 && element != ElementType::kFloat64) {
      return Unsupported(std::string("expected ") + names[i] + " of float32 or float64, got " +
                         ElementName(element));
    }
    if (element != inputs[0].element) {
      return InvalidModel(std::string("expected ") + names[i] + " of " +
                          ElementName(inputs[0].element) + " as " + names[0] + ", got " +
                          ElementName(element));
    }
  }
  return Status::Ok();
}

Status CheckOperandShape(const Node& node, std::span<const Type> inputs, size_t index,
                         const char* name, const Shape& expected) {
  if (node.input(index) == kNoValue || !inputs[index].ranked) {
    return Status::Ok();
  }
  const Shape& got = inputs[index].shape;
  bool fits = got.size() == expected.size();
  for (size_t i = 0; fits && i < got.size(); ++i) fits = !Differ(got[i], expected[i]);
  if (fits) return Status::Ok();
  return InvalidModel(std::string(name) + ": expected " + ShapeText(expected) + ", got " +
                      ShapeText(got));
}

Status CheckTapBias(const Node& node, std::span<const Type> inputs, const Tensor* known,
                    size_t index, int64_t outputs, const Shape& kernel) {
  if (node.input(index) == kNoValue) return Status::Ok();
  if (known == nullptr || known->element() != ElementType::kFloat64) {
    return InvalidModel("expected a tap bias of constant float64, got " +
                        (known == nullptr ? "a computed value" : TypeText(inputs[index])));
  }
  Shape expected = kernel;
  expected.insert(expected.begin(), outputs);
  return CheckOperandShape(node, inputs, index, "tap bias", expected);
}

const void* ConstantOrOperand(PrepareContext& context, int index) {
  const Tensor* known = context.known_input(static_cast<size_t>(index));
  if (known != nullptr) return known->raw();
  context.operands.push_back(index);
  return nullptr;
}

}  // namespace pleat::runtime
