// The type rule of one operator on types alone.
#ifndef PLEAT_TESTS_RUNTIME_INFER_SUPPORT_H_
#define PLEAT_TESTS_RUNTIME_INFER_SUPPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "runtime/op.h"

namespace pleat::tests {

// The type of every output for inputs of these types, no numbers known.
template <class T>
runtime::Result<std::vector<runtime::Type>> InferTypes(T fields,
                                                       const std::vector<runtime::Type>& inputs,
                                                       size_t outputs = 1) {
  std::vector<runtime::ValueId> in, out;
  for (size_t i = 0; i < inputs.size(); ++i) in.push_back(static_cast<int>(i));
  for (size_t i = 0; i < outputs; ++i) out.push_back(static_cast<int>(in.size() + i));
  const runtime::Node node = runtime::MakeNode("node", std::move(fields), in, out);
  const std::vector<const runtime::Tensor*> known(inputs.size());
  std::vector<runtime::Type> types(outputs);
  std::vector<runtime::Tensor> values(outputs);
  runtime::InferContext context{node, inputs, known, types, values};
  const runtime::Status status = runtime::RuleOf(node.op.type).infer(context);
  if (!status.ok()) return status;
  return types;
}

// "float32[1,?]" of the first output, or the failure's message.
template <class T>
std::string InferText(T fields, const std::vector<runtime::Type>& inputs) {
  const auto types = InferTypes(std::move(fields), inputs);
  return types.ok() ? runtime::TypeText((*types)[0]) : types.status().message();
}

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_RUNTIME_INFER_SUPPORT_H_
