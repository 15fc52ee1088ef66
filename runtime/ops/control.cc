// If, Loop and Scan: operators that run subgraphs. The rules check that a node and its subgraphs
// fit each other and say what comes out; runtime/control.cc runs them.
#include <string>

#include "runtime/ops/operands.h"

namespace pleat::runtime {
namespace {

// What either type may be.
Type Either(const Type& a, const Type& b) {
  if (!a.ranked || !b.ranked || a.shape.size() != b.shape.size()) return {a.element, false, {}};
  Type merged = a;
  for (size_t i = 0; i < a.shape.size(); ++i) {
    if (a.shape[i] != b.shape[i]) merged.shape[i] = kUnknownDim;
  }
  return merged;
}

const Type& InputType(const Graph& body, size_t i) {
  return body.values[static_cast<size_t>(body.inputs[i])].type;
}
const Type& OutputType(const Graph& body, size_t i) {
  return body.values[static_cast<size_t>(body.outputs[i])].type;
}

Status CheckCount(const char* what, size_t expected, size_t got) {
  if (expected == got) return Status::Ok();
  return InvalidModel(std::string("expected ") + std::to_string(expected) + " " + what + ", got " +
                      std::to_string(got));
}

Status CheckElement(const char* what, size_t i, ElementType expected, ElementType got) {
  if (expected == got) return Status::Ok();
  return InvalidModel(std::string("expected ") + what + " " + std::to_string(i) + " of " +
                      ElementName(expected) + ", got " + ElementName(got));
}

// The inputs of the node from `first` on are those of the body from `begin` on.
Status CheckPassed(const InferContext& context, const Graph& body, size_t first, size_t begin) {
  for (size_t i = first; i < context.inputs.size(); ++i) {
    if (!context.has_input(i)) return InvalidModel("a value its subgraph needs is left out");
    PLEAT_RETURN_IF_ERROR(CheckElement("input", i, InputType(body, begin + i - first).element,
                                       context.inputs[i].element));
  }
  return Status::Ok();
}

// The types of values that go round: inputs [from, from + count) of the node, the body's from
// `body_from` on, and the body's outputs [begin, begin + count).
Status InferCarried(InferContext& context, const Graph& body, size_t count, size_t from,
                    size_t body_from, size_t begin) {
  for (size_t i = 0; i < count; ++i) {
    const Type& result = OutputType(body, begin + i);
    PLEAT_RETURN_IF_ERROR(
        CheckElement("result", i, InputType(body, body_from + i).element, result.element));
    context.outputs[i] = Either(context.inputs[from + i], result);
  }
  return Status::Ok();
}

Status InferIf(InferContext& context) {
  const Node& node = context.node;
  PLEAT_RETURN_IF_ERROR(CheckCount("subgraphs", 2, node.subgraphs.size()));
  if (!context.has_input(0) || context.inputs[0].element != ElementType::kBool) {
    return InvalidModel("expected a condition of bool");
  }
  for (const Graph& branch : node.subgraphs) {
    PLEAT_RETURN_IF_ERROR(
        CheckCount("inputs of a branch", node.inputs.size() - 1, branch.inputs.size()));
    PLEAT_RETURN_IF_ERROR(
        CheckCount("outputs of a branch", node.outputs.size(), branch.outputs.size()));
    PLEAT_RETURN_IF_ERROR(CheckPassed(context, branch, 1, 0));
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    const Type& a = OutputType(node.subgraphs[0], i);
    const Type& b = OutputType(node.subgraphs[1], i);
    PLEAT_RETURN_IF_ERROR(CheckElement("output", i, a.element, b.element));
    context.outputs[i] = Either(a, b);
  }
  return Status::Ok();
}

Status InferLoop(InferContext& context) {
  const Node& node = context.node;
  PLEAT_RETURN_IF_ERROR(CheckCount("subgraphs", 1, node.subgraphs.size()));
  const Graph& body = node.subgraphs[0];
  const int64_t stated = node.As<fb::LoopT>()->carried;
  if (stated < 0 || stated > static_cast<int64_t>(node.inputs.size()) - 2) {
    return InvalidModel("expected inputs for " + std::to_string(stated) + " carried values, got " +
                        std::to_string(node.inputs.size()));
  }
  const auto carried = static_cast<size_t>(stated);
  PLEAT_RETURN_IF_ERROR(CheckCount("inputs of the body", node.inputs.size(), body.inputs.size()));
  PLEAT_RETURN_IF_ERROR(
      CheckCount("outputs of the body", node.outputs.size() + 1, body.outputs.size()));
  if (node.outputs.size() < carried) return InvalidModel("expected an output per carried value");
  if (context.has_input(0)) {
    PLEAT_RETURN_IF_ERROR(
        CheckElement("input", 0, ElementType::kInt64, context.inputs[0].element));
  }
  if (context.has_input(1)) {
    PLEAT_RETURN_IF_ERROR(CheckElement("input", 1, ElementType::kBool, context.inputs[1].element));
  }
  PLEAT_RETURN_IF_ERROR(
      CheckElement("body input", 0, ElementType::kInt64, InputType(body, 0).element));
  PLEAT_RETURN_IF_ERROR(
      CheckElement("body input", 1, ElementType::kBool, InputType(body, 1).element));
  PLEAT_RETURN_IF_ERROR(
      CheckElement("body output", 0, ElementType::kBool, OutputType(body, 0).element));
  PLEAT_RETURN_IF_ERROR(CheckPassed(context, body, 2, 2));
  PLEAT_RETURN_IF_ERROR(InferCarried(context, body, carried, 2, 2, 1));
  for (size_t i = carried; i < node.outputs.size(); ++i) {
    context.outputs[i] = OutputType(body, i + 1);
    Shape& shape = context.outputs[i].shape;
    if (context.outputs[i].ranked) shape.insert(shape.begin(), kUnknownDim);
  }
  return Status::Ok();
}


Status InferScan(InferContext& context) {
  const Node& node = context.node;
  const fb::ScanT& fields = *node.As<fb::ScanT>();
  PLEAT_RETURN_IF_ERROR(CheckCount("subgraphs", 1, node.subgraphs.size()));
  const Graph& body = node.subgraphs[0];
  const size_t sequences = fields.input_axes.size(), gathered = fields.output_axes.size();
  PLEAT_RETURN_IF_ERROR(CheckCount("input directions", sequences, fields.input_reversed.size()));
  PLEAT_RETURN_IF_ERROR(CheckCount("output directions", gathered, fields.output_reversed.size()));
  const int64_t most = static_cast<int64_t>(node.inputs.size()) - static_cast<int64_t>(sequences);
  if (sequences == 0 || fields.states < 0 || fields.states > most) {
    return InvalidModel("expected at least one sequence and inputs for " +
                        std::to_string(fields.states) + " states, got " +
                        std::to_string(node.inputs.size()));
  }
  const auto states = static_cast<size_t>(fields.states);
  PLEAT_RETURN_IF_ERROR(CheckCount("inputs of the body", node.inputs.size(), body.inputs.size()));
  PLEAT_RETURN_IF_ERROR(CheckCount("outputs", states + gathered, node.outputs.size()));
  PLEAT_RETURN_IF_ERROR(
      CheckCount("outputs of the body", node.outputs.size(), body.outputs.size()));
  PLEAT_RETURN_IF_ERROR(CheckPassed(context, body, 0, 0));
  PLEAT_RETURN_IF_ERROR(InferCarried(context, body, states, 0, 0, 0));
  int64_t steps = kUnknownDim;
  for (size_t i = 0; i < sequences; ++i) {
    const Type& x = context.inputs[states + i];
    if (!x.ranked) continue;
    PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.input_axes[i], x.rank()));
    const int64_t size = x.shape[static_cast<size_t>(axis)];
    if (size == kUnknownDim) continue;
    if (steps != kUnknownDim && steps != size) {
      return InvalidModel("its sequences have " + std::to_string(steps) + " and " +
                          std::to_string(size) + " slices");
    }
    steps = size;
  }
  for (size_t i = 0; i < gathered; ++i) {
    Type& type = context.outputs[states + i];
    type = OutputType(body, states + i);
    if (!type.ranked) continue;
    PLEAT_ASSIGN_OR_RETURN(const int axis, NormalizeAxis(fields.output_axes[i], type.rank() + 1));
    type.shape.insert(type.shape.begin() + axis, steps);
  }
  return Status::Ok();
}

// Kernels cannot run subgraphs: a session does.
Status Prepare(PrepareContext&) { return Unsupported("it runs subgraphs"); }

}  // namespace

extern const OpRule kIfRule, kLoopRule, kScanRule;
const OpRule kIfRule = {"If", InferIf, Prepare};
const OpRule kLoopRule = {"Loop", InferLoop, Prepare};
const OpRule kScanRule = {"Scan", InferScan, Prepare};

}  // namespace pleat::runtime
