#include "converter/emit/onnx_edit.h"

#include <functional>
#include <limits>

#include "converter/import/tensor_proto.h"

namespace pleat::converter {
namespace {

using onnx::GraphProto;
using onnx::NodeProto;

using Rename = std::function<std::string(const std::string&)>;

void RenameReads(const Rename& rename, GraphProto* graph);

void RenameReads(const Rename& rename, NodeProto* node) {
  for (std::string& input : *node->mutable_input()) input = rename(input);
  for (auto& attribute : *node->mutable_attribute()) {
    if (attribute.has_g()) RenameReads(rename, attribute.mutable_g());
    for (auto& body : *attribute.mutable_graphs()) RenameReads(rename, &body);
  }
}

void RenameReads(const Rename& rename, GraphProto* graph) {
  for (NodeProto& node : *graph->mutable_node()) RenameReads(rename, &node);
  for (auto& output : *graph->mutable_output()) output.set_name(rename(output.name()));
}

// Calls `visit` with each name that the node, or a graph inside it, mentions as read.
void VisitReads(const NodeProto& node, const std::function<void(const std::string&)>& visit) {
  const std::function<void(const GraphProto&)> inside = [&](const GraphProto& graph) {
    for (const NodeProto& inner : graph.node()) VisitReads(inner, visit);
    for (const auto& output : graph.output()) visit(output.name());
  };
  for (const std::string& input : node.input()) visit(input);
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) inside(attribute.g());
    for (const GraphProto& body : attribute.graphs()) inside(body);
  }
}

template <class List, class Keep>
void KeepIf(List* list, const Keep& keep) {
  List kept;
  for (auto& entry : *list) {
    if (keep(entry)) kept.Add()->Swap(&entry);
  }
  list->Swap(&kept);
}

int DataTypeOf(runtime::ElementType element) {
  for (int type = 1; type <= onnx::TensorProto::BFLOAT16; ++type) {
    const auto found = ElementTypeOfOnnx(type);
    if (found.ok() && *found == element) return type;
  }
  return onnx::TensorProto::UNDEFINED;
}

}  // namespace

onnx::TensorProto ProtoOfTensor(const std::string& name, const runtime::Tensor& tensor) {
  onnx::TensorProto proto;
  proto.set_name(name);
  proto.set_data_type(DataTypeOf(tensor.element()));
  for (const int64_t size : tensor.shape()) proto.add_dims(size);
  proto.set_raw_data(tensor.raw(), tensor.bytes());
  return proto;
}

runtime::Status TakeExternalDataIn(const std::string& folder, GraphProto& graph) {
  ExternalData external(folder);
  for (auto& proto : *graph.mutable_initializer()) {
    if (proto.data_location() != onnx::TensorProto::EXTERNAL) continue;
    PLEAT_ASSIGN_OR_RETURN(const runtime::Tensor tensor, TensorOfProto(proto, &external));
    proto = ProtoOfTensor(std::string(proto.name()), tensor);
  }
  return runtime::Status::Ok();
}

runtime::Result<std::string> Serialized(const onnx::ModelProto& model) {
  std::string text;
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !model.SerializeToString(&text)) {
    return runtime::LimitExceeded("the model is beyond the 2 GiB that one ONNX file holds");
  }
  return text;
}

void SetInts(NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  for (auto& attribute : *node.mutable_attribute()) {
    if (attribute.name() != name) continue;
    attribute.clear_ints();
    for (int64_t value : values) attribute.add_ints(value);
    return;
  }
  auto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values) attribute->add_ints(value);
}

OnnxEdit::OnnxEdit(GraphProto& graph, int64_t ir_version) : graph_(graph), ir_version_(ir_version) {
  std::unordered_set<std::string> given;
  for (const auto& input : graph.input()) given.insert(input.name());
  names_ = given;
  for (const auto& tensor : graph.initializer()) {
    names_.insert(tensor.name());
    if (ir_version < 4 || !given.contains(tensor.name())) constants_.insert(tensor.name());
  }
  const std::function<void(const GraphProto&)> name_all = [&](const GraphProto& inside) {
    for (const NodeProto& node : inside.node()) {
      names_.insert(node.output().begin(), node.output().end());
      VisitReads(node, [&](const std::string& name) { names_.insert(name); });
    }
  };
  name_all(graph);
  for (bool grown = true; grown;) {
    grown = false;
    for (const NodeProto& node : graph.node()) {
      bool constant = true;
      VisitReads(node, [&](const std::string& name) {
        constant = constant && (name.empty() || constants_.contains(name));
      });
      if (!constant) continue;
      for (const std::string& output : node.output()) {
        grown = constants_.insert(output).second || grown;
      }
    }
  }
}

const onnx::TensorProto* OnnxEdit::Initializer(const std::string& name) const {
  for (const auto& tensor : graph_.initializer()) {
    if (tensor.name() == name) return &tensor;
  }
  return nullptr;
}

std::string OnnxEdit::FreshName(const std::string& wish) {
  std::string name = wish;
  for (int i = 2; !names_.insert(name).second; ++i) name = wish + "_" + std::to_string(i);
  return name;
}

std::string OnnxEdit::AddInitializer(const std::string& wish, const runtime::Tensor& tensor) {
  const std::string name = FreshName(wish);
  *graph_.add_initializer() = ProtoOfTensor(name, tensor);
  if (ir_version_ < 4) {
    onnx::ValueInfoProto* input = graph_.add_input();
    input->set_name(name);
    auto* type = input->mutable_type()->mutable_tensor_type();
    type->set_elem_type(DataTypeOf(tensor.element()));
    for (const int64_t size : tensor.shape()) {
      type->mutable_shape()->add_dim()->set_dim_value(size);
    }
  }
  return name;
}

void OnnxEdit::Alias(const std::string& name, const std::string& instead) {
  alias_[name] = instead;
}

void OnnxEdit::Replace(int index, std::vector<NodeProto> nodes) {
  replaced_[index] = std::move(nodes);
}

std::string OnnxEdit::Resolve(const std::string& name) const {
  auto at = alias_.find(name);
  if (at == alias_.end()) return name;
  while (alias_.contains(at->second)) at = alias_.find(at->second);
  return at->second;
}

// A graph output that became another tensor gives that tensor its name, or is copied from it where
// the tensor has to keep its own.
void OnnxEdit::KeepOutputs() {
  std::unordered_set<std::string> fixed = constants_;
  for (const auto& input : graph_.input()) fixed.insert(input.name());
  for (const auto& output : graph_.output()) {
    if (!alias_.contains(output.name())) fixed.insert(output.name());
  }
  std::map<std::string, std::string> renamed;
  for (const auto& output : graph_.output()) {
    if (!alias_.contains(output.name())) continue;
    const std::string made = Resolve(output.name());
    if (!fixed.contains(made) && renamed.emplace(made, output.name()).second) continue;
    NodeProto* copy = graph_.add_node();
    copy->set_op_type("Identity");
    copy->set_name(output.name());
    copy->add_input(made);
    copy->add_output(output.name());
  }
  const Rename rename = [&](const std::string& name) {
    const auto found = renamed.find(name);
    return found == renamed.end() ? name : found->second;
  };
  for (NodeProto& node : *graph_.mutable_node()) {
    RenameReads(rename, &node);
    for (std::string& output : *node.mutable_output()) output = rename(output);
  }
}

void OnnxEdit::DropUnused() {
  std::vector<char> needed(static_cast<size_t>(graph_.node_size()), 0);
  std::unordered_set<std::string> read;
  for (const auto& output : graph_.output()) read.insert(output.name());
  for (bool grown = true; grown;) {
    grown = false;
    for (int i = graph_.node_size(); i-- > 0;) {
      char& mark = needed[static_cast<size_t>(i)];
      if (mark != 0) continue;
      for (const std::string& output : graph_.node(i).output()) {
        if (!output.empty() && read.contains(output)) mark = 1;
      }
      if (mark == 0) continue;
      grown = true;
      VisitReads(graph_.node(i), [&](const std::string& name) { read.insert(name); });
    }
  }
  size_t next = 0;
  KeepIf(graph_.mutable_node(), [&](const NodeProto&) { return needed[next++] != 0; });
  std::unordered_set<std::string> stays = read, gone, made;
  if (ir_version_ >= 4) {
    for (const auto& input : graph_.input()) stays.insert(input.name());
  }
  KeepIf(graph_.mutable_initializer(), [&](const onnx::TensorProto& tensor) {
    if (!stays.contains(tensor.name())) gone.insert(tensor.name());
    return stays.contains(tensor.name());
  });
  KeepIf(graph_.mutable_input(),
         [&](const onnx::ValueInfoProto& input) { return !gone.contains(input.name()); });
  for (const NodeProto& node : graph_.node()) {
    made.insert(node.output().begin(), node.output().end());
  }
  KeepIf(graph_.mutable_value_info(),
         [&](const onnx::ValueInfoProto& info) { return made.contains(info.name()); });
}

void OnnxEdit::Finish() {
  const Rename resolve = [this](const std::string& name) { return Resolve(name); };
  google::protobuf::RepeatedPtrField<NodeProto> nodes;
  for (int i = 0; i < graph_.node_size(); ++i) {
    const auto found = replaced_.find(i);
    if (found == replaced_.end()) {
      nodes.Add()->Swap(graph_.mutable_node(i));
      continue;
    }
    for (NodeProto& node : found->second) nodes.Add()->Swap(&node);
  }
  graph_.mutable_node()->Swap(&nodes);
  for (NodeProto& node : *graph_.mutable_node()) {
    bool aliased = false;
    for (const std::string& output : node.output()) aliased = aliased || alias_.contains(output);
    if (aliased) {
      node.Clear();
    } else {
      RenameReads(resolve, &node);
    }
  }
  KeepOutputs();
  DropUnused();
}

}  // namespace pleat::converter
