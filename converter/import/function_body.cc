#include "converter/import/function_body.h"

#include <google/protobuf/repeated_field.h>
#include <google/protobuf/unknown_field_set.h>

namespace pleat::converter {
namespace {

using onnx::AttributeProto;

const AttributeProto* Find(const google::protobuf::RepeatedPtrField<AttributeProto>& attributes,
                           const std::string& name) {
  for (const AttributeProto& attribute : attributes) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

// FunctionProto.attribute_proto, which only newer protobuf schemas than the installed one declare:
// attributes with their defaults.
google::protobuf::RepeatedPtrField<AttributeProto> DefaultsOf(const onnx::FunctionProto& function) {
  constexpr int kAttributeProto = 11;
  google::protobuf::RepeatedPtrField<AttributeProto> defaults;
  const auto& fields = function.unknown_fields();
  for (int i = 0; i < fields.field_count(); ++i) {
    const auto& field = fields.field(i);
    if (field.number() != kAttributeProto) continue;
    if (field.type() != google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED) continue;
    // It parses: the wire scan has been through it.
    static_cast<void>(defaults.Add()->ParseFromString(field.length_delimited()));
  }
  return defaults;
}

class Binder {
 public:
  Binder(const onnx::FunctionProto& function, const onnx::NodeProto& call)
      : defaults_(DefaultsOf(function)), call_(call) {}

  void Bind(onnx::NodeProto* node) const {
    google::protobuf::RepeatedPtrField<AttributeProto> bound;
    for (AttributeProto& attribute : *node->mutable_attribute()) {
      if (attribute.ref_attr_name().empty()) {
        BindGraphs(&attribute);
        *bound.Add() = std::move(attribute);
        continue;
      }
      const AttributeProto* value = Find(call_.attribute(), attribute.ref_attr_name());
      if (value == nullptr) value = Find(defaults_, attribute.ref_attr_name());
      if (value == nullptr) continue;
      AttributeProto* added = bound.Add();
      *added = *value;
      added->set_name(attribute.name());
    }
    node->mutable_attribute()->Swap(&bound);
  }

 private:
  void BindGraphs(AttributeProto* attribute) const {
    if (attribute->has_g()) BindNodes(attribute->mutable_g());
    for (onnx::GraphProto& graph : *attribute->mutable_graphs()) BindNodes(&graph);
  }
  void BindNodes(onnx::GraphProto* graph) const {
    for (onnx::NodeProto& node : *graph->mutable_node()) Bind(&node);
  }

  const google::protobuf::RepeatedPtrField<AttributeProto> defaults_;
  const onnx::NodeProto& call_;
};

}  // namespace

std::string FunctionKey(const std::string& domain, const std::string& name) {
  return (domain == "ai.onnx" ? "" : domain) + '\n' + name;
}

onnx::GraphProto BodyOf(const onnx::FunctionProto& function, const onnx::NodeProto& call) {
  onnx::GraphProto body;
  for (const std::string& name : function.input()) body.add_input()->set_name(name);
  for (const std::string& name : function.output()) body.add_output()->set_name(name);
  const Binder binder(function, call);
  const std::string prefix = (call.name().empty() ? call.output(0) : call.name()) + "/";
  for (const onnx::NodeProto& node : function.node()) {
    onnx::NodeProto* added = body.add_node();
    *added = node;
    binder.Bind(added);
    const bool unnamed = node.name().empty() && node.output_size() > 0;
    added->set_name(prefix + (unnamed ? node.output(0) : node.name()));
  }
  return body;
}

}  // namespace pleat::converter
