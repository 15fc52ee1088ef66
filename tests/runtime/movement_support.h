// Tensors and messages for the tests of the operators that move elements.
#ifndef PLEAT_TESTS_RUNTIME_MOVEMENT_SUPPORT_H_
#define PLEAT_TESTS_RUNTIME_MOVEMENT_SUPPORT_H_

#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/ops_support.h"

namespace pleat::tests {

using runtime::ElementType;
using runtime::Shape;
using runtime::Tensor;
using runtime::Type;
using Doubles = std::vector<double>;

// 0, 1, 2 ... as float32.
inline Tensor Counting(Shape shape) {
  Tensor tensor = Tensor::Make(ElementType::kFloat32, std::move(shape));
  auto data = tensor.mutable_data<float>();
  std::iota(data.begin(), data.end(), 0.0f);
  return tensor;
}

inline Tensor Longs(const std::vector<int64_t>& values) { return Tensor::Vector(values); }
inline Tensor Long(int64_t value) { return Tensor::Of<int64_t>({}, std::span(&value, 1)); }

inline Type FloatType(Shape shape) { return {ElementType::kFloat32, true, std::move(shape)}; }
inline Type LongType(Shape shape) { return {ElementType::kInt64, true, std::move(shape)}; }
inline Type UnrankedFloats() { return {.ranked = false}; }

// "float32[2,3] 0 1 2 3 4 5": the first output, or "<code>: <message>".
inline std::string Text(const runtime::Result<std::vector<Tensor>>& result) {
  if (!result.ok()) {
    return std::to_string(static_cast<int>(result.status().code())) + ": " +
           result.status().message();
  }
  std::string text = runtime::TypeText((*result)[0].type());
  for (double number : runtime::ToDoubles((*result)[0])) {
    text += " " + std::to_string(static_cast<int64_t>(number));
  }
  return text;
}

// "float32[2,?]": the first type, or "<code>: <message>".
inline std::string Text(const runtime::Result<std::vector<Type>>& result) {
  if (!result.ok()) {
    return std::to_string(static_cast<int>(result.status().code())) + ": " +
           result.status().message();
  }
  return runtime::TypeText((*result)[0]);
}

// What Prepare says of inputs and outputs of these types, no numbers known.
template <class T>
runtime::Status PrepareStatus(T fields, const std::vector<Type>& inputs,
                              const std::vector<Type>& outputs) {
  std::vector<runtime::ValueId> in(inputs.size()), out(outputs.size());
  std::iota(in.begin(), in.end(), 0);
  std::iota(out.begin(), out.end(), static_cast<int>(in.size()));
  const runtime::Node node = runtime::MakeNode("node", std::move(fields), in, out);
  const std::vector<const Tensor*> known(inputs.size());
  runtime::PrepareContext context{
      .node = node, .inputs = inputs, .outputs = outputs, .known = known};
  return runtime::RuleOf(node.op.type).prepare(context);
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_RUNTIME_MOVEMENT_SUPPORT_H_
