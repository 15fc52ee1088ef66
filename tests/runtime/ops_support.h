// One operator at a time: types and numbers out of a node and tensors.
#ifndef PLEAT_TESTS_RUNTIME_OPS_SUPPORT_H_
#define PLEAT_TESTS_RUNTIME_OPS_SUPPORT_H_

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

// The first output, as doubles; prints the failure and returns nothing when there is one.
std::vector<double> Numbers(const runtime::Result<std::vector<runtime::Tensor>>& result);

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_RUNTIME_OPS_SUPPORT_H_
