// If, Loop, Scan: their subgraphs become subgraphs of the node, with what they capture as inputs.
// Where sequences of tensors go through them, which no run knows, their nodes are written out.
#include <algorithm>

#include "converter/import/emit.h"
#include "converter/import/imports.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::ElementType;
using runtime::Graph;
using runtime::kUnknownDim;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;

// What either type may be.
Type Either(const Type& a, const Type& b) {
  if (!a.ranked || !b.ranked || a.rank() != b.rank()) return {a.element, false, {}};
  Type merged = a;
  for (size_t i = 0; i < a.shape.size(); ++i) {
    if (a.shape[i] != b.shape[i]) merged.shape[i] = kUnknownDim;
  }
  return merged;
}

// The branch's captured inputs become all those of `captured`, in that order.
void CaptureAll(Subgraph* branch, const std::vector<ValueId>& captured,
                const ImportContext& context) {
  std::vector<ValueId> inputs;
  for (const ValueId outside : captured) {
    const auto found = std::find(branch->captured.begin(), branch->captured.end(), outside);
    const auto index = static_cast<size_t>(found - branch->captured.begin());
    inputs.push_back(found != branch->captured.end()
                         ? branch->graph.inputs[index]
                         : branch->graph.AddValue("captured" + std::to_string(outside),
                                                  context.type(outside)));
  }
  branch->graph.inputs = std::move(inputs);
}

Status InlineBranch(ImportContext& context, onnx::GraphProto& taken) {
  if (taken.input_size() > 0) return context.Invalid("a branch has inputs of its own");
  const std::vector<ValueId> outputs = context.Inline(taken, {});
  if (!context.ok()) return context.status();
  if (static_cast<int>(outputs.size()) != context.output_count()) {
    return context.Invalid("a branch has " + std::to_string(outputs.size()) +
                           " outputs, expected " + std::to_string(context.output_count()));
  }
  for (int i = 0; i < context.output_count(); ++i) {
    context.Return(i, outputs[static_cast<size_t>(i)]);
  }
  return context.status();
}

// A body whose first `carried.size()` inputs after `first` go round: they have the types that they
// start with and those that an iteration gives them, body output `begin` and on.
Result<Subgraph> ImportBody(ImportContext& context, const onnx::GraphProto& body,
                            std::vector<Type> types, size_t first, size_t carried, size_t begin) {
  const size_t refused = context.RefusedSoFar();
  for (;;) {
    context.ForgetRefused(refused);
    Result<Subgraph> imported = context.ImportSubgraph(body, types);
    if (!imported.ok()) return imported;
    const Graph& graph = imported->graph;
    if (graph.outputs.size() < begin + carried) {
      return runtime::InvalidModel("its body has " + std::to_string(graph.outputs.size()) +
                                   " outputs, expected " + std::to_string(begin + carried) +
                                   " or more");
    }
    bool settled = true;
    for (size_t i = 0; i < carried; ++i) {
      const Type& result = graph.values[static_cast<size_t>(graph.outputs[begin + i])].type;
      const Type merged = Either(types[first + i], result);
      settled = settled && merged == types[first + i];
      types[first + i] = merged;
    }
    // Each round some size or rank is given up, so there is a last one.
    if (settled) return imported;
  }
}

// A scalar, or a vector of one where the body declares that.
Type OneOf(ElementType element, const onnx::ValueInfoProto& declared) {
  const bool vector = declared.type().tensor_type().shape().dim_size() == 1;
  return {element, true, vector ? runtime::Shape{1} : runtime::Shape{}};
}

// The nodes of a body on these inputs, behind those of the rounds before.
std::vector<ValueId> WriteOut(ImportContext& context, const onnx::GraphProto& body,
                              std::span<const ValueId> inputs) {
  onnx::GraphProto round = body;
  std::vector<ValueId> outputs = context.Inline(round, inputs);
  if (std::ranges::count(outputs, Importer::kRefused) > 0) {
    context.Unsupported("nodes of its body are not supported");
  }
  return outputs;
}

// Fails for more rounds than can be written out.
bool FewRounds(ImportContext& context, const onnx::GraphProto& body, size_t rounds) {
  constexpr size_t kMaxRounds = 10'000, kMaxBytes = size_t{1} << 31;
  if (rounds <= kMaxRounds && rounds * body.ByteSizeLong() <= kMaxBytes) return true;
  context.Fail(runtime::LimitExceeded("its body would be written out " + std::to_string(rounds) +
                                      " times"));
  return false;
}

// Whether a value is known, and is the one bool `true`.
bool IsTrue(ImportContext& context, ValueId id) {
  const Tensor known = TensorSequences::IsSequence(id) ? Tensor() : context.constant(id);
  if (known.element() != ElementType::kBool || known.count() != 1) {
    context.Unsupported("it carries a sequence of tensors and whether it goes on is known only at "
                        "run time; make its number of rounds and its condition constants");
    return false;
  }
  return known.data<bool>()[0];
}

ValueId Stacked(ImportContext& context, std::vector<ValueId> rounds) {
  for (ValueId& round : rounds) {
    if (TensorSequences::IsSequence(round)) {
      context.Unsupported("it gathers sequences of tensors");
      return runtime::kNoValue;
    }
    fb::UnsqueezeT fields;
    fields.axes = {0};
    round = context.Emit(std::move(fields), {round});
  }
  return rounds.empty() ? runtime::kNoValue : EmitConcat(context, 0, std::move(rounds));
}

// `state`: what is carried. Its values may be sequences.
Status WriteOutLoop(ImportContext& context, const onnx::GraphProto& body,
                    std::vector<ValueId> state) {
  const Tensor known = context.constant_input(0);
  if (known.empty() || known.count() != 1 || kernels::IsFloat(known.element())) {
    return context.Unsupported("it carries a sequence of tensors and its number of rounds is known "
                               "only at run time; make it a constant");
  }
  const auto rounds = static_cast<size_t>(std::max<int64_t>(runtime::ToInt64s(known)[0], 0));
  if (!FewRounds(context, body, rounds)) return context.status();
  const size_t carried = state.size(), all = static_cast<size_t>(body.output_size());
  if (all < 1 + carried) return context.Invalid("its body has fewer outputs than it carries");
  std::vector<std::vector<ValueId>> gathered(all - 1 - carried);
  const ValueId yes = context.CastTo(ElementType::kBool, context.Int64(1));
  bool on = !context.has_input(1) || IsTrue(context, context.input(1));
  for (size_t round = 0; on && context.ok() && round < rounds; ++round) {
    const auto number = static_cast<int64_t>(round);
    const auto shaped = [&](ValueId id, int input) {
      const bool vector = OneOf(ElementType::kInt64, body.input(input)).rank() == 1;
      return vector ? EmitReshape(context, id, {1}) : id;
    };
    std::vector<ValueId> inputs = {shaped(context.Int64(number), 0), shaped(yes, 1)};
    inputs.insert(inputs.end(), state.begin(), state.end());
    const std::vector<ValueId> made = WriteOut(context, body, inputs);
    if (!context.ok()) break;
    on = IsTrue(context, made[0]);
    const auto states = made.begin() + 1;
    state.assign(states, states + static_cast<int64_t>(carried));
    for (size_t i = 0; i < gathered.size(); ++i) gathered[i].push_back(made[1 + carried + i]);
  }
  for (size_t i = 0; context.ok() && i < carried; ++i) {
    context.Return(static_cast<int>(i), state[i]);
  }
  for (size_t i = 0; context.ok() && i < gathered.size(); ++i) {
    context.Return(static_cast<int>(carried + i), Stacked(context, std::move(gathered[i])));
  }
  return context.status();
}

std::vector<bool> Backwards(const std::vector<int64_t>& directions) {
  std::vector<bool> reversed;
  for (const int64_t direction : directions) reversed.push_back(direction != 0);
  return reversed;
}

}  // namespace

Status ImportIf(ImportContext& context) {
  onnx::GraphProto* then_branch = context.GraphOf("then_branch");
  onnx::GraphProto* else_branch = context.GraphOf("else_branch");
  if (then_branch == nullptr || else_branch == nullptr) {
    return context.Invalid("a branch is missing");
  }
  const Tensor condition = context.constant_input(0);
  if (context.input_type(0).element != ElementType::kBool ||
      (!condition.empty() && condition.count() != 1)) {
    return context.Invalid("its condition is not one bool");
  }
  if (!condition.empty()) {
    return InlineBranch(context, condition.data<bool>()[0] ? *then_branch : *else_branch);
  }
  std::vector<Subgraph> branches;
  for (const onnx::GraphProto* branch : {then_branch, else_branch}) {
    if (branch->input_size() > 0) return context.Invalid("a branch has inputs of its own");
    Result<Subgraph> imported = context.ImportSubgraph(*branch, {});
    if (!imported.ok()) return context.Fail(imported.status());
    branches.push_back(std::move(imported).value());
  }
  std::vector<ValueId> captured = branches[0].captured;
  for (const ValueId id : branches[1].captured) {
    if (std::find(captured.begin(), captured.end(), id) == captured.end()) captured.push_back(id);
  }
  std::vector<Graph> graphs;
  for (Subgraph& branch : branches) {
    CaptureAll(&branch, captured, context);
    graphs.push_back(std::move(branch.graph));
  }
  std::vector<ValueId> inputs = {context.input(0)};
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  const size_t outputs = graphs[0].outputs.size();
  return context.DoneWithSubgraphs(fb::IfT(), std::move(inputs), std::move(graphs), outputs);
}

Status ImportLoop(ImportContext& context) {
  const onnx::GraphProto* body = context.GraphOf("body");
  if (body == nullptr || body->input_size() < 2) {
    return context.Invalid("its body is missing or lacks inputs");
  }
  const auto carried = static_cast<size_t>(body->input_size()) - 2;
  std::vector<ValueId> inputs = context.inputs();
  inputs.resize(std::max<size_t>(inputs.size(), 2), runtime::kNoValue);
  if (inputs.size() != 2 + carried) {
    return context.Invalid("it has " + std::to_string(inputs.size()) + " inputs, its body " +
                           std::to_string(body->input_size()));
  }
  if (std::any_of(inputs.begin(), inputs.end(), TensorSequences::IsSequence)) {
    return WriteOutLoop(context, *body, {inputs.begin() + 2, inputs.end()});
  }
  std::vector<Type> types = {OneOf(ElementType::kInt64, body->input(0)),
                             OneOf(ElementType::kBool, body->input(1))};
  for (size_t i = 2; i < inputs.size(); ++i) types.push_back(context.type(inputs[i]));
  Result<Subgraph> imported = ImportBody(context, *body, std::move(types), 2, carried, 1);
  if (!imported.ok()) return context.Fail(imported.status());
  fb::LoopT fields;
  fields.carried = static_cast<int64_t>(carried);
  inputs.insert(inputs.end(), imported->captured.begin(), imported->captured.end());
  const size_t outputs = imported->graph.outputs.size() - 1;
  return context.DoneWithSubgraphs(std::move(fields), std::move(inputs), {imported->graph},
                                   outputs);
}

namespace {

// Scan from operator set 9 on, of values with these ids; the node's fields and its body.
struct ScanParts {
  fb::ScanT fields;
  size_t states;
};

Result<ScanParts> ReadScan(ImportContext& context, const onnx::GraphProto& body, size_t inputs) {
  const int64_t sequences = context.Int("num_scan_inputs", 0);
  if (sequences < 1 || sequences > static_cast<int64_t>(inputs)) {
    return runtime::InvalidModel("num_scan_inputs is " + std::to_string(sequences) + " of " +
                                 std::to_string(inputs) + " inputs");
  }
  ScanParts parts;
  parts.states = inputs - static_cast<size_t>(sequences);
  if (static_cast<size_t>(body.input_size()) != inputs ||
      static_cast<size_t>(body.output_size()) < parts.states) {
    return runtime::InvalidModel("its body has " + std::to_string(body.input_size()) +
                                 " inputs and " + std::to_string(body.output_size()) +
                                 " outputs, which does not fit " + std::to_string(inputs) +
                                 " inputs");
  }
  const size_t gathered = static_cast<size_t>(body.output_size()) - parts.states;
  parts.fields.states = static_cast<int64_t>(parts.states);
  const std::vector<int64_t> no_inputs(static_cast<size_t>(sequences), 0), no_outputs(gathered, 0);
  parts.fields.input_axes = context.Ints("scan_input_axes", no_inputs);
  parts.fields.output_axes = context.Ints("scan_output_axes", no_outputs);
  const char* directions = context.opset() < 9 ? "directions" : "scan_input_directions";
  parts.fields.input_reversed = Backwards(context.Ints(directions, no_inputs));
  parts.fields.output_reversed = Backwards(context.Ints("scan_output_directions", no_outputs));
  if (parts.fields.input_axes.size() != no_inputs.size() ||
      parts.fields.input_reversed.size() != no_inputs.size() ||
      parts.fields.output_axes.size() != no_outputs.size() ||
      parts.fields.output_reversed.size() != no_outputs.size()) {
    return runtime::InvalidModel("its axes or directions are not as many as its sequences");
  }
  return parts;
}

// A type without one of its axes, which counts from the end when negative.
Result<Type> WithoutAxis(Type type, int64_t axis) {
  if (!type.ranked) return type;
  PLEAT_ASSIGN_OR_RETURN(const int at, runtime::NormalizeAxis(axis, type.rank()));
  type.shape.erase(type.shape.begin() + at);
  return type;
}

// Operator set 8 scans every sequence of a batch: a Scan along the batch whose body is the Scan of
// one sequence, with the same outputs.
Graph ScanOfOne(const ScanParts& parts, const Subgraph& body, const std::vector<Type>& types,
                const std::string& name) {
  Graph graph;
  graph.name = name;
  for (size_t i = 0; i < types.size(); ++i) {
    graph.inputs.push_back(graph.AddValue("input" + std::to_string(i), types[i]));
  }
  for (size_t i = 0; i < body.captured.size(); ++i) {
    const ValueId inside = body.graph.inputs[types.size() + i];
    graph.inputs.push_back(graph.AddValue("captured" + std::to_string(i),
                                          body.graph.values[static_cast<size_t>(inside)].type));
  }
  for (size_t i = 0; i < body.graph.outputs.size(); ++i) {
    graph.outputs.push_back(graph.AddValue("output" + std::to_string(i)));
  }
  runtime::Node node = runtime::MakeNode(name, parts.fields, graph.inputs, graph.outputs);
  node.subgraphs.push_back(body.graph);
  graph.nodes.push_back(std::move(node));
  return graph;
}

}  // namespace

Status ImportScan(ImportContext& context) {
  const onnx::GraphProto* body = context.GraphOf("body");
  if (body == nullptr) return context.Invalid("its body is missing");
  const bool batched = context.opset() < 9;
  if (batched && context.has_input(0)) {
    return context.Unsupported("sequence lengths of operator set 8");
  }
  std::vector<ValueId> inputs = context.inputs();
  if (batched && !inputs.empty()) inputs.erase(inputs.begin());
  Result<ScanParts> read = ReadScan(context, *body, inputs.size());
  if (!context.ok()) return context.status();
  if (!read.ok()) return context.Fail(read.status());
  ScanParts& parts = *read;
  std::vector<Type> of_one, slices;
  for (size_t i = 0; i < inputs.size(); ++i) {
    Result<Type> one = context.type(inputs[i]);
    if (batched) one = WithoutAxis(*one, 0);
    if (!one.ok()) return context.Fail(one.status());
    of_one.push_back(*one);
    if (i >= parts.states) one = WithoutAxis(*one, parts.fields.input_axes[i - parts.states]);
    if (!one.ok()) return context.Fail(one.status());
    slices.push_back(*one);
  }
  Result<Subgraph> imported = ImportBody(context, *body, slices, 0, parts.states, 0);
  if (!imported.ok()) return context.Fail(imported.status());
  Graph graph = std::move(imported->graph);
  fb::ScanT fields = parts.fields;
  if (batched) {
    imported->graph = std::move(graph);
    graph = ScanOfOne(parts, *imported, of_one, context.name());
    if (Status inferred = runtime::InferGraph(graph, false); !inferred.ok()) {
      return context.Fail(inferred);
    }
    fields = {};
    fields.input_axes.assign(inputs.size(), 0);
    fields.input_reversed.assign(inputs.size(), false);
    fields.output_axes.assign(graph.outputs.size(), 0);
    fields.output_reversed.assign(graph.outputs.size(), false);
  }
  inputs.insert(inputs.end(), imported->captured.begin(), imported->captured.end());
  const size_t outputs = graph.outputs.size();
  return context.DoneWithSubgraphs(std::move(fields), std::move(inputs), {std::move(graph)},
                                   outputs);
}

// The body for the tensors of each place: of all that are sequences, tensors as they are.
Status ImportSequenceMap(ImportContext& context) {
  const onnx::GraphProto* body = context.GraphOf("body");
  if (body == nullptr || body->input_size() != context.input_count()) {
    return context.Invalid("its body is missing, or has other inputs");
  }
  const size_t length = context.Sequence(0).size();
  if (!context.ok() || !FewRounds(context, *body, length)) return context.status();
  std::vector<std::vector<ValueId>> made(static_cast<size_t>(body->output_size()));
  for (size_t place = 0; place < length; ++place) {
    std::vector<ValueId> inputs = context.inputs();
    for (int i = 0; i < context.input_count(); ++i) {
      if (!TensorSequences::IsSequence(context.input(i))) continue;
      const auto values = context.Sequence(i);
      if (values.size() != length) {
        return context.Invalid("its input " + std::to_string(i) + " has " +
                               std::to_string(values.size()) + " tensors, input 0 " +
                               std::to_string(length));
      }
      inputs[static_cast<size_t>(i)] = values[place];
    }
    const std::vector<ValueId> outputs = WriteOut(context, *body, inputs);
    if (std::any_of(outputs.begin(), outputs.end(), TensorSequences::IsSequence)) {
      context.Unsupported("it makes sequences of sequences");
    }
    if (!context.ok()) return context.status();
    for (size_t i = 0; i < outputs.size(); ++i) made[i].push_back(outputs[i]);
  }
  for (size_t i = 0; i < made.size(); ++i) {
    context.Return(static_cast<int>(i), context.MakeSequence(std::move(made[i])));
  }
  return context.status();
}

}  // namespace pleat::converter
