// One operator at a time: types and numbers out of a node and tensors.
#ifndef PLEAT_TESTS_RUNTIME_OPS_SUPPORT_H_
#define PLEAT_TESTS_RUNTIME_OPS_SUPPORT_H_

#include <optional>
#include <vector>

#include "runtime/op.h"

namespace pleat::tests {

// Runs an operator with `fields` on the inputs (an empty Tensor stands for one left out) with the
// reference kernels; `outputs` of them are wanted.
template <class T>
runtime::Result<std::vector<runtime::Tensor>> Evaluate(T fields,
                                                       const std::vector<runtime::Tensor>& inputs,
                                                       size_t outputs = 1) {
  std::vector<runtime::ValueId> in, out;
  std::vector<const runtime::Tensor*> tensors;
  for (const runtime::Tensor& tensor : inputs) {
    in.push_back(tensor.empty() ? runtime::kNoValue : static_cast<int>(in.size()));
    tensors.push_back(tensor.empty() ? nullptr : &tensor);
  }
  for (size_t i = 0; i < outputs; ++i) out.push_back(static_cast<int>(in.size() + i));
  return runtime::EvaluateNode(runtime::MakeNode("node", std::move(fields), in, out), tensors);
}

// The types an operator's outputs get from its inputs' types (nothing for an input left out) and
// the numbers of those that are known (an empty Tensor, or none at all, where they are not).
template <class T>
runtime::Result<std::vector<runtime::Type>> InferTypes(
    T fields, const std::vector<std::optional<runtime::Type>>& inputs,
    const std::vector<runtime::Tensor>& known = {}, size_t outputs = 1) {
  std::vector<runtime::ValueId> in, out;
  std::vector<runtime::Type> types;
  std::vector<const runtime::Tensor*> tensors;
  for (size_t i = 0; i < inputs.size(); ++i) {
    in.push_back(inputs[i] ? static_cast<int>(i) : runtime::kNoValue);
    types.push_back(inputs[i].value_or(runtime::Type{}));
    tensors.push_back(i < known.size() && !known[i].empty() ? &known[i] : nullptr);
  }
  for (size_t i = 0; i < outputs; ++i) out.push_back(static_cast<int>(in.size() + i));
  const runtime::Node node = runtime::MakeNode("node", std::move(fields), in, out);
  std::vector<runtime::Type> output_types(outputs);
  std::vector<runtime::Tensor> values(outputs);
  runtime::InferContext context{node, types, tensors, output_types, values};
  PLEAT_RETURN_IF_ERROR(runtime::RuleOf(node.op.type).infer(context));
  return output_types;
}

// The first output, as doubles; prints the failure and returns nothing when there is one.
std::vector<double> Numbers(const runtime::Result<std::vector<runtime::Tensor>>& result);

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_RUNTIME_OPS_SUPPORT_H_
