#include "runtime/op.h"

#include <algorithm>
#include <array>
#include <limits>

#include "runtime/evaluation.h"
#include "runtime/ops/ops.h"

namespace pleat::runtime {

const OpRule& RuleOf(fb::Op type) {
  static constexpr auto kRules = [] {
    std::array<const OpRule*, static_cast<size_t>(fb::Op::MAX) + 1> rules{};
#define PLEAT_OP(name) rules[static_cast<size_t>(fb::Op::name)] = &k##name##Rule;
#include "runtime/ops/ops.inc"
#undef PLEAT_OP
    return rules;
  }();
  const OpRule* rule = kRules[static_cast<size_t>(type)];
  PLEAT_CHECK(rule != nullptr, "every operator has a rule");
  return *rule;
}

Result<std::vector<Tensor>> EvaluateNode(const Node& node, std::span<const Tensor* const> inputs) {
  double budget = std::numeric_limits<double>::infinity();
  return EvaluateWithin(node, inputs, &budget);
}

Result<std::vector<Tensor>> EvaluateWithin(const Node& node, std::span<const Tensor* const> inputs,
                                           double* budget) {
  const OpRule& rule = RuleOf(node.op.type);
  std::vector<Type> types;
  for (const Tensor* tensor : inputs) types.push_back(tensor ? tensor->type() : Type{});
  std::vector<Type> output_types(node.outputs.size());
  std::vector<Tensor> values(node.outputs.size());
  InferContext infer{node, types, inputs, output_types, values};
  PLEAT_RETURN_IF_ERROR(rule.infer(infer));
  if (std::all_of(values.begin(), values.end(), [](const Tensor& t) { return !t.empty(); })) {
    return values;
  }
  for (size_t i = 0; i < output_types.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    if (!output_types[i].Known()) return Unsupported("the output's shape depends on data");
    PLEAT_RETURN_IF_ERROR(CheckType(output_types[i]));
  }
  PrepareContext prepare{.node = node, .inputs = types, .outputs = output_types, .known = inputs};
  prepare.select.reference = true;
  PLEAT_RETURN_IF_ERROR(rule.prepare(prepare));
  if (prepare.view_of >= 0) {
    values[0] = inputs[static_cast<size_t>(prepare.view_of)]->Reshaped(output_types[0].shape);
    return values;
  }
  if (prepare.multiply_adds > *budget) return LimitExceeded("too much to compute ahead of a run");
  *budget -= prepare.multiply_adds;
  std::vector<const void*> sources;
  for (int operand : prepare.operands) {
    sources.push_back(inputs[static_cast<size_t>(operand)]->raw());
  }
  std::vector<void*> targets;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    values[i] = Tensor::Make(output_types[i].element, output_types[i].shape);
    targets.push_back(values[i].mutable_raw());
  }
  Tensor scratch =
      Tensor::Make(ElementType::kUint8, {static_cast<int64_t>(prepare.kernel->scratch_bytes(1))});
  kernels::ThreadPool threads(1);
  prepare.kernel->Run({sources.data(), targets.data(), scratch.mutable_raw(), &threads});
  return values;
}

}  // namespace pleat::runtime
