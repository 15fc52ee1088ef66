#include "converter/import/graph_builder.h"

#include <algorithm>

#include "converter/import/narrow_type.h"
#include "runtime/checked.h"
#include "runtime/op.h"

namespace pleat::converter {
namespace {

using runtime::kNoValue;
using runtime::Node;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::Value;
using runtime::ValueId;

// Constants made at import: one tensor, and all of them together.
constexpr int64_t kMaxEvaluatedTensor = int64_t{1} << 30;
constexpr int64_t kMaxEvaluatedBytes = int64_t{2} << 30;

size_t Index(ValueId id) { return static_cast<size_t>(id); }

}  // namespace

Type GraphBuilder::type(ValueId id) const {
  return id < 0 ? Type{} : graph_.values[Index(id)].type;
}

Tensor GraphBuilder::constant(ValueId id) const {
  const Tensor* tensor = id < 0 ? nullptr : graph_.ConstantOf(id);
  return tensor == nullptr ? Tensor() : *tensor;
}

int GraphBuilder::narrow(ValueId id) const {
  const auto found = narrow_.find(id);
  return found == narrow_.end() ? 0 : found->second;
}

void GraphBuilder::SetNarrow(ValueId id, int data_type) {
  if (id >= 0 && NarrowTypeOf(data_type) != nullptr) narrow_[id] = data_type;
}

Status GraphBuilder::Add(Node node) {
  std::vector<Type> types;
  std::vector<const Tensor*> known;
  bool all_known = node.subgraphs.empty();
  for (const ValueId input : node.inputs) {
    types.push_back(type(input));
    known.push_back(graph_.ConstantOf(input));
    all_known = all_known && (input == kNoValue || known.back() != nullptr);
  }
  std::vector<Type> output_types(node.outputs.size());
  std::vector<Tensor> values(node.outputs.size());
  runtime::InferContext context{node, types, known, output_types, values};
  PLEAT_RETURN_IF_ERROR(runtime::RuleOf(node.op.type).infer(context));
  bool all_values = true;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    PLEAT_RETURN_IF_ERROR(runtime::CheckType(output_types[i]));
    graph_.values[Index(node.outputs[i])].type = output_types[i];
    all_values = all_values && !values[i].empty();
  }
  if (all_values) {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      graph_.values[Index(node.outputs[i])].constant = values[i];
    }
    return Status::Ok();
  }
  bool done = false;
  if (all_known) PLEAT_RETURN_IF_ERROR(Evaluate(node, known, &done));
  if (!done) graph_.nodes.push_back(std::move(node));
  return Status::Ok();
}

Status GraphBuilder::Evaluate(const Node& node, const std::vector<const Tensor*>& known,
                              bool* done) {
  int64_t bytes = 0;
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    const Type& type = graph_.values[Index(output)].type;
    if (!type.Known()) return Status::Ok();
    const auto size = static_cast<int64_t>(runtime::ByteSize(type));
    if (size > kMaxEvaluatedTensor) return Status::Ok();
    bytes += size;
  }
  if (bytes > kMaxEvaluatedBytes - evaluated_bytes_) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(std::vector<Tensor> results, runtime::EvaluateNode(node, known));
  evaluated_bytes_ += bytes;
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    Value& value = graph_.values[Index(node.outputs[i])];
    value.type = results[i].type();
    value.constant = std::move(results[i]);
  }
  *done = true;
  return Status::Ok();
}

}  // namespace pleat::converter
