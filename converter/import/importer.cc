#include "converter/import/importer.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "converter/import/context.h"
#include "converter/import/function_body.h"
#include "converter/import/imports.h"
#include "converter/import/narrow.h"
#include "converter/import/node_order.h"
#include "converter/import/refusals.h"
#include "converter/import/tensor_proto.h"
#include "converter/import/text.h"
#include "converter/onnx_reader.h"
#include "converter/operators.h"

namespace pleat::converter {
namespace {

using runtime::ElementType;
using runtime::Graph;
using runtime::InvalidArgument;
using runtime::InvalidModel;
using runtime::kNoValue;
using runtime::kUnknownDim;
using runtime::Node;
using runtime::Result;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using runtime::Type;
using runtime::Unsupported;
using runtime::Value;
using runtime::ValueId;

size_t Index(ValueId id) { return static_cast<size_t>(id); }

Node CastNode(const std::string& name, ElementType to, ValueId from, ValueId result) {
  runtime::fb::CastT fields;
  fields.to = static_cast<uint8_t>(to);
  return runtime::MakeNode(name, std::move(fields), {from}, {result});
}

Result<const onnx::TypeProto_Tensor*> TensorTypeOf(const onnx::ValueInfoProto& info) {
  if (info.type().has_tensor_type()) return &info.type().tensor_type();
  return RefuseType("only tensors are supported, not sequences, maps or optionals");
}

constexpr int kMaxCallDepth = 100;

Scope ScopeOf(onnx::GraphProto& graph, GraphBuilder& builder, int64_t opset, Scope* outer) {
  Scope scope;
  scope.builder = &builder;
  scope.outer = outer;
  scope.opset = opset;
  if (outer != nullptr) scope.depth = outer->depth;
  for (auto& tensor : *graph.mutable_initializer()) {
    scope.initializers.emplace(tensor.name(), &tensor);
  }
  return scope;
}

bool Knows(const Scope* scope, const std::string& name) {
  for (; scope != nullptr; scope = scope->outer) {
    if (scope->values.contains(name) || scope->initializers.contains(name)) return true;
  }
  return false;
}

}  // namespace

Importer::Importer(onnx::ModelProto& model, const ConvertOptions& options)
    : model_(model), options_(options), external_(options.folder) {
  for (const auto& input : model.graph().input()) {
    const int type = input.type().tensor_type().elem_type();
    takes_float64_ = takes_float64_ || type == onnx::TensorProto::DOUBLE;
  }
  for (const onnx::FunctionProto& function : model.functions()) {
    functions_.emplace(FunctionKey(function.domain(), function.name()), &function);
  }
}

ElementType Importer::ComputeType(ElementType type) const {
  if (type == ElementType::kFloat64 && takes_float64_) return type;
  return kernels::IsFloat(type) ? ElementType::kFloat32 : type;
}

Result<Graph> Importer::Run() {
  Graph& graph = builder_->graph();
  onnx::GraphProto& source = *model_.mutable_graph();
  graph.name = source.name();
  graph.producer = model_.producer_name();
  if (!model_.producer_version().empty()) graph.producer += " " + model_.producer_version();
  Scope scope = ScopeOf(source, *builder_, OpsetOf(model_), nullptr);
  PLEAT_RETURN_IF_ERROR(ImportInputs(scope));
  PLEAT_RETURN_IF_ERROR(ImportNodes(source, scope));
  PLEAT_RETURN_IF_ERROR(RefusedNodes());
  for (const auto& output : source.output()) {
    PLEAT_RETURN_IF_ERROR(ImportOutput(output, scope).In("graph output " + Quoted(output.name())));
  }
  graph.EliminateDead();
  PLEAT_RETURN_IF_ERROR(runtime::CheckGraph(graph));
  return std::move(graph);
}

Result<ValueId> Importer::Lookup(const std::string& name, Scope& scope) {
  if (const auto value = scope.values.find(name); value != scope.values.end()) return value->second;
  Graph& graph = scope.builder->graph();
  const auto initializer = scope.initializers.find(name);
  if (initializer != scope.initializers.end()) {
    onnx::TensorProto& proto = *initializer->second;
    const Result<Tensor> tensor = TensorOfProto(proto, &external_);
    if (!tensor.ok()) return tensor.status().In("initializer " + Quoted(name));
    delete proto.release_raw_data();
    google::protobuf::RepeatedField<float>().Swap(proto.mutable_float_data());
    const ValueId id =
        graph.AddConstant(name, runtime::Cast(*tensor, ComputeType(tensor->element())));
    scope.builder->SetNarrow(id, proto.data_type());
    scope.values.emplace(name, id);
    return id;
  }
  if (scope.outer == nullptr) return InvalidModel("nothing makes " + Quoted(name));
  PLEAT_ASSIGN_OR_RETURN(const ValueId outside, Lookup(name, *scope.outer));
  if (scope.captured == nullptr || outside == kRefused || outside == kNoValue) return outside;
  ValueId id;
  if (TensorSequences::IsSequence(outside)) {
    std::vector<ValueId> inside;
    for (const ValueId value : sequences_.Values(outside)) inside.push_back(Capture(value, scope));
    PLEAT_ASSIGN_OR_RETURN(id, sequences_.Add(std::move(inside)));
  } else {
    id = Capture(outside, scope);
  }
  scope.values.emplace(name, id);
  return id;
}

Result<ValueId> Importer::LookupOutput(const std::string& name, Scope& scope) {
  PLEAT_ASSIGN_OR_RETURN(const ValueId id, Lookup(name, scope));
  if (id != kNoValue) return id;
  return InvalidModel("output " + Quoted(name) + " is an input that the call leaves out");
}

ValueId Importer::Capture(ValueId outside, Scope& scope) {
  Graph& graph = scope.builder->graph();
  const Value& value = scope.outer->builder->graph().values[Index(outside)];
  const ValueId inside = value.constant ? graph.AddConstant(value.name, *value.constant)
                                        : graph.AddValue(value.name, value.type);
  scope.builder->SetNarrow(inside, scope.outer->builder->narrow(outside));
  if (value.constant) return inside;
  scope.captured->push_back(outside);
  graph.inputs.push_back(inside);
  return inside;
}

Status Importer::ImportInputs(Scope& scope) {
  const auto& inputs = model_.graph().input();
  for (const auto& [name, shape] : options_.input_shapes) {
    const auto found = std::ranges::find_if(
        inputs, [&name = name](const auto& input) { return input.name() == name; });
    if (found != inputs.end() && !scope.initializers.contains(name)) continue;
    std::string known;
    for (const auto& input : inputs) {
      if (!scope.initializers.contains(input.name())) known += " " + Quoted(input.name());
    }
    return InvalidArgument("a shape is given for " + Quoted(name) + "; the model's inputs are" +
                           known);
  }
  for (const auto& input : inputs) {
    const auto given = options_.input_shapes.find(input.name());
    if (given == options_.input_shapes.end() || !input.type().has_tensor_type()) continue;
    const auto& dims = input.type().tensor_type().shape().dim();
    for (int i = 0; i < dims.size() && Index(i) < given->second.size(); ++i) {
      const int64_t size = given->second[Index(i)];
      if (dims[i].dim_param().empty() || size == kUnknownDim) continue;
      const auto [known, added] = symbol_sizes_.emplace(dims[i].dim_param(), size);
      if (!added && known->second != size) {
        return InvalidArgument("the shapes given make size " + Quoted(dims[i].dim_param()) +
                               " both " + std::to_string(known->second) + " and " +
                               std::to_string(size));
      }
    }
  }
  for (const auto& input : inputs) {
    if (scope.initializers.contains(input.name())) continue;
    PLEAT_RETURN_IF_ERROR(ImportInput(input, scope).In("graph input " + Quoted(input.name())));
  }
  return Status::Ok();
}

Status Importer::ImportInput(const onnx::ValueInfoProto& input, Scope& scope) {
  PLEAT_ASSIGN_OR_RETURN(const onnx::TypeProto_Tensor* declared, TensorTypeOf(input));
  PLEAT_ASSIGN_OR_RETURN(const ElementType element, CarrierOfOnnx(declared->elem_type()));
  Graph& graph = builder_->graph();
  Value value;
  value.name = input.name();
  value.type.element = element;
  value.type.ranked = declared->has_shape();
  for (const auto& dim : declared->shape().dim()) {
    const bool known = dim.has_dim_value() && dim.dim_value() >= 0;
    const auto fixed = symbol_sizes_.find(dim.dim_param());
    const bool is_fixed = !dim.dim_param().empty() && fixed != symbol_sizes_.end();
    value.type.shape.push_back(known ? dim.dim_value() : is_fixed ? fixed->second : kUnknownDim);
    value.symbols.push_back(known || is_fixed ? "" : dim.dim_param());
  }
  PLEAT_RETURN_IF_ERROR(ApplyInputShape(input, &value));
  PLEAT_RETURN_IF_ERROR(runtime::CheckType(value.type));
  Type computed = value.type;
  computed.element = ComputeType(element);
  const ValueId id = graph.AddValue(input.name(), value.type);
  graph.values[Index(id)].symbols = value.symbols;
  graph.inputs.push_back(id);
  ValueId inside = id;
  if (computed.element != element) {
    inside = graph.AddValue(input.name() + "/" + ElementName(computed.element), computed);
    PLEAT_RETURN_IF_ERROR(builder_->Add(CastNode(input.name(), computed.element, id, inside)));
  }
  builder_->SetNarrow(inside, declared->elem_type());
  scope.values.emplace(input.name(), inside);
  return Status::Ok();
}

Status Importer::ApplyInputShape(const onnx::ValueInfoProto& input, Value* value) {
  const auto given = options_.input_shapes.find(input.name());
  if (given == options_.input_shapes.end()) return Status::Ok();
  const runtime::Shape& shape = given->second;
  if (value->type.ranked && value->type.shape.size() != shape.size()) {
    return InvalidArgument("the shape given is " + runtime::ShapeText(shape) +
                           ", the model declares " + runtime::ShapeText(value->type.shape));
  }
  value->symbols.resize(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] != kUnknownDim) value->symbols[i].clear();
  }
  value->type.ranked = true;
  value->type.shape = shape;
  return Status::Ok();
}

Status Importer::ImportNodes(onnx::GraphProto& graph, Scope& scope) {
  PLEAT_ASSIGN_OR_RETURN(
      const std::vector<int> order,
      NodesInOrder(graph, [&](const std::string& name) { return Knows(scope.outer, name); }));
  for (const auto& output : graph.output()) scope.read.insert(output.name());
  for (const int index : order) {
    for (std::string& name : NamesRead(graph.node(index))) scope.read.insert(std::move(name));
  }
  for (const int index : order) {
    onnx::NodeProto& node = *graph.mutable_node(index);
    const Status status = ImportNode(node, scope);
    if (status.code() != StatusCode::kUnsupported) {
      PLEAT_RETURN_IF_ERROR(status.In(NodeText(node)));
      continue;
    }
    const std::string what = OperatorText(node, model_, scope.opset) + ": " + status.message();
    refused_.push_back({NodeName(node), what, status});
    for (const std::string& output : node.output()) scope.values[output] = kRefused;
  }
  return Status::Ok();
}

Status Importer::ImportNode(onnx::NodeProto& node, Scope& scope) {
  if (++imported_nodes_ > options_.limits.nodes) {
    return runtime::LimitExceeded("the model has more nodes, its functions expanded, than the " +
                                  std::to_string(options_.limits.nodes) + " allowed");
  }
  std::vector<ValueId> inputs;
  bool refused = false;
  for (const std::string& name : node.input()) {
    ValueId id = kNoValue;
    if (!name.empty()) {
      PLEAT_ASSIGN_OR_RETURN(id, Lookup(name, scope));
    }
    refused = refused || id == kRefused;
    inputs.push_back(id);
  }
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();

  const auto function = functions_.find(FunctionKey(node.domain(), node.op_type()));
  if (function != functions_.end()) {
    return ImportCall(*function->second, node, inputs, scope);
  }
  const bool own = node.domain().empty() || node.domain() == "ai.onnx";
  if (own && scope.opset == 0) {
    return InvalidModel("the model does not import the operator set of ai.onnx");
  }
  const OperatorImport* entry = FindImport(node.domain(), node.op_type());
  if (entry == nullptr) return RefuseOperator(node.domain(), node.op_type());
  if (own && scope.opset < entry->since) {
    return Unsupported("the operator is known from operator set " + std::to_string(entry->since) +
                       " on; export with that one or a newer one");
  }
  PLEAT_RETURN_IF_ERROR(CheckInputCount(*entry, inputs));
  if (node.output_size() > entry->most_outputs) {
    return InvalidModel("it has " + std::to_string(node.output_size()) +
                        " outputs, expected at most " + std::to_string(entry->most_outputs));
  }
  if (!refused) return ImportOperator(*entry, node, std::move(inputs), scope);
  for (const std::string& output : node.output()) scope.values[output] = kRefused;
  return Status::Ok();
}

Status Importer::ImportOperator(const OperatorImport& entry, onnx::NodeProto& node,
                                std::vector<ValueId> inputs, Scope& scope) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (TakesSequence(node.op_type(), i) || !TensorSequences::IsSequence(inputs[i])) continue;
    return Unsupported("its input " + std::to_string(i) + " is a sequence of tensors");
  }
  PLEAT_ASSIGN_OR_RETURN(const int narrow, NarrowMoved(*builder_, node.op_type(), inputs));
  ImportContext context(*this, scope, node, std::move(inputs));
  const Status imported = entry.import(context);
  PLEAT_RETURN_IF_ERROR(context.status());
  PLEAT_RETURN_IF_ERROR(imported);
  PLEAT_RETURN_IF_ERROR(context.CheckAllRead());
  for (int i = 0; i < node.output_size(); ++i) {
    if (!context.wants(i)) continue;
    const ValueId id = context.results()[Index(i)];
    if (id == kNoValue) {
      if (!context.is_read(i)) continue;
      return Unsupported("its output " + std::to_string(i) + " is not supported");
    }
    builder_->SetNarrow(id, narrow);
    scope.values[node.output(i)] = id;
  }
  return Status::Ok();
}

Status Importer::ImportCall(const onnx::FunctionProto& function, const onnx::NodeProto& call,
                            const std::vector<ValueId>& inputs, Scope& scope) {
  if (scope.depth >= kMaxCallDepth) {
    return InvalidModel("functions call each other more than " + std::to_string(kMaxCallDepth) +
                        " deep");
  }
  if (inputs.size() > Index(function.input_size()) || call.output_size() > function.output_size()) {
    return InvalidModel("the call has more inputs or outputs than the function");
  }
  onnx::GraphProto body = BodyOf(function, call);
  int64_t opset = scope.opset;
  for (const auto& import : function.opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
  }
  Scope inside = ScopeOf(body, *builder_, opset, nullptr);
  inside.depth = scope.depth + 1;
  for (int i = 0; i < function.input_size(); ++i) {
    inside.values.emplace(function.input(i),
                          Index(i) < inputs.size() ? inputs[Index(i)] : kNoValue);
  }
  PLEAT_RETURN_IF_ERROR(ImportNodes(body, inside));
  for (int i = 0; i < call.output_size(); ++i) {
    if (call.output(i).empty()) continue;
    PLEAT_ASSIGN_OR_RETURN(const ValueId id, LookupOutput(function.output(i), inside));
    scope.values[call.output(i)] = id;
  }
  return Status::Ok();
}

Result<std::vector<ValueId>> Importer::Inline(onnx::GraphProto& graph, Scope& outer,
                                              std::span<const ValueId> inputs) {
  Scope scope = ScopeOf(graph, *builder_, outer.opset, &outer);
  for (size_t i = 0; i < inputs.size(); ++i) {
    scope.values[graph.input(static_cast<int>(i)).name()] = inputs[i];
  }
  PLEAT_RETURN_IF_ERROR(ImportNodes(graph, scope));
  std::vector<ValueId> outputs;
  for (const auto& output : graph.output()) {
    PLEAT_ASSIGN_OR_RETURN(const ValueId id, LookupOutput(output.name(), scope));
    outputs.push_back(id);
  }
  return outputs;
}

Result<Subgraph> Importer::ImportSubgraph(const onnx::GraphProto& source, Scope& outer,
                                          std::span<const Type> inputs) {
  if (subgraph_depth_ >= runtime::kMaxSubgraphDepth) {
    return runtime::LimitExceeded("subgraphs lie more than " +
                                  std::to_string(runtime::kMaxSubgraphDepth) + " deep");
  }
  onnx::GraphProto graph = source;
  GraphBuilder inside;
  inside.graph().name = graph.name();
  Subgraph result;
  Scope scope = ScopeOf(graph, inside, outer.opset, &outer);
  scope.captured = &result.captured;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = graph.input(static_cast<int>(i)).name();
    const ValueId id = inside.graph().AddValue(name, inputs[i]);
    inside.graph().inputs.push_back(id);
    scope.values[name] = id;
  }
  GraphBuilder* const around = std::exchange(builder_, &inside);
  ++subgraph_depth_;
  Status status = ImportNodes(graph, scope);
  for (int i = 0; status.ok() && i < graph.output_size(); ++i) {
    const std::string& name = graph.output(i).name();
    const Result<ValueId> id = LookupOutput(name, scope);
    if (id.ok() && TensorSequences::IsSequence(*id)) {
      status = RefuseType("a sequence of tensors leaves a subgraph");
      break;
    }
    if (id.ok() && inside.narrow(*id) != 0) {
      status = RefuseType("a tensor of a narrow type leaves a subgraph; cast it first");
      break;
    }
    if (!id.ok() || *id == kRefused) {
      // For the reason its nodes are refused for.
      status = id.ok() ? Status(StatusCode::kUnsupported, "nodes of its subgraph are not supported",
                                refused_.back().status.rule())
                       : id.status();
      break;
    }
    AddOutput(name, *id, inside.type(*id).element);
  }
  --subgraph_depth_;
  builder_ = around;
  PLEAT_RETURN_IF_ERROR(status);
  inside.graph().EliminateDead();
  result.graph = std::move(inside.graph());
  return result;
}

Status Importer::ImportOutput(const onnx::ValueInfoProto& output, Scope& scope) {
  PLEAT_ASSIGN_OR_RETURN(const ValueId inside, Lookup(output.name(), scope));
  if (TensorSequences::IsSequence(inside)) {
    return RefuseType("it is a sequence; only tensors can be outputs");
  }
  ElementType computed = builder_->graph().values[Index(inside)].type.element;
  ElementType element = computed;
  if (output.has_type()) {
    PLEAT_ASSIGN_OR_RETURN(const onnx::TypeProto_Tensor* declared, TensorTypeOf(output));
    if (declared->elem_type() != 0) {
      PLEAT_ASSIGN_OR_RETURN(element, CarrierOfOnnx(declared->elem_type()));
    }
  }
  if (ComputeType(element) != computed) {
    return InvalidModel(std::string("it is declared ") + ElementName(element) +
                        ", the graph makes " + ElementName(computed));
  }
  AddOutput(output.name(), inside, element);
  return Status::Ok();
}

void Importer::AddOutput(const std::string& name, ValueId inside, ElementType element) {
  Graph& graph = builder_->graph();
  const ElementType computed = graph.values[Index(inside)].type.element;
  const bool taken =
      std::find(graph.outputs.begin(), graph.outputs.end(), inside) != graph.outputs.end();
  const bool is_input =
      std::find(graph.inputs.begin(), graph.inputs.end(), inside) != graph.inputs.end();
  const bool is_constant = graph.values[Index(inside)].constant.has_value();
  if (element == computed && !taken && !is_input && !is_constant) {
    graph.values[Index(inside)].name = name;
    graph.outputs.push_back(inside);
    return;
  }
  if (!taken && !is_input) {
    graph.values[Index(inside)].name = name + "/" + ElementName(computed);
  }
  const ValueId result = graph.AddValue(name, graph.values[Index(inside)].type);
  graph.values[Index(result)].type.element = element;
  Node node = element == computed
                  ? runtime::MakeNode(name, runtime::fb::IdentityT(), {inside}, {result})
                  : CastNode(name, element, inside, result);
  graph.nodes.push_back(std::move(node));
  graph.outputs.push_back(result);
}

Status Importer::RefusedNodes() const {
  if (refused_.empty()) return Status::Ok();
  std::vector<std::pair<std::string, std::string>> lines;  // names, what is said of all of them
  std::unordered_map<std::string_view, size_t> line_of;
  const char* rule = refused_[0].status.rule();
  for (const RefusedNode& node : refused_) {
    const auto [line, added] = line_of.emplace(node.what, lines.size());
    if (added) {
      lines.emplace_back(node.name, node.what);
    } else {
      lines[line->second].first += ", " + node.name;
    }
    if (!IsListedRefusal(node.status)) rule = node.status.rule();
  }
  std::string text = std::to_string(refused_.size()) +
                     (refused_.size() == 1 ? " node is" : " nodes are") + " not supported:";
  for (const auto& [names, what] : lines) {
    text += (refused_.size() == 1 ? " " : "\n  ") + names + " " + what;
  }
  return Status(StatusCode::kUnsupported, text, rule);
}

}  // namespace pleat::converter
