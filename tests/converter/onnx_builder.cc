#include "tests/converter/onnx_builder.h"

#include <gtest/gtest.h>

#include "runtime/session.h"

namespace pleat::tests {
namespace {

using onnx::AttributeProto;

struct Setter {
  AttributeProto* proto;
  void operator()(int64_t value) {
    proto->set_type(AttributeProto::INT);
    proto->set_i(value);
  }
  void operator()(float value) {
    proto->set_type(AttributeProto::FLOAT);
    proto->set_f(value);
  }
  void operator()(const std::string& value) {
    proto->set_type(AttributeProto::STRING);
    proto->set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) {
    proto->set_type(AttributeProto::INTS);
    for (const int64_t value : values) proto->add_ints(value);
  }
  void operator()(const std::vector<float>& values) {
    proto->set_type(AttributeProto::FLOATS);
    for (const float value : values) proto->add_floats(value);
  }
  void operator()(const onnx::TensorProto& value) {
    proto->set_type(AttributeProto::TENSOR);
    *proto->mutable_t() = value;
  }
  void operator()(const onnx::GraphProto& value) {
    proto->set_type(AttributeProto::GRAPH);
    *proto->mutable_g() = value;
  }
};

}  // namespace

onnx::TensorProto FloatProto(std::vector<int64_t> dims, const std::vector<float>& values) {
  onnx::TensorProto proto;
  proto.set_data_type(onnx::TensorProto::FLOAT);
  for (const int64_t dim : dims) proto.add_dims(dim);
  for (const float value : values) proto.add_float_data(value);
  return proto;
}

onnx::TensorProto Int64Proto(std::vector<int64_t> dims, const std::vector<int64_t>& values) {
  onnx::TensorProto proto;
  proto.set_data_type(onnx::TensorProto::INT64);
  for (const int64_t dim : dims) proto.add_dims(dim);
  for (const int64_t value : values) proto.add_int64_data(value);
  return proto;
}

onnx::NodeProto NodeProtoOf(const std::string& op, const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs, const Attributes& attributes) {
  onnx::NodeProto node;
  node.set_op_type(op);
  node.set_name(outputs.empty() ? "node" : outputs[0] + "_node");
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  for (const auto& [name, value] : attributes) {
    AttributeProto* attribute = node.add_attribute();
    attribute->set_name(name);
    std::visit(Setter{attribute}, value);
  }
  return node;
}

OnnxBuilder::OnnxBuilder(int64_t opset, int64_t ir_version) {
  model_.set_ir_version(ir_version);
  model_.add_opset_import()->set_version(opset);
  graph().set_name("test");
}

OnnxBuilder& OnnxBuilder::Input(const std::string& name, const std::vector<int64_t>& dims,
                                int type) {
  onnx::ValueInfoProto* input = graph().add_input();
  input->set_name(name);
  auto* tensor = input->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  tensor->mutable_shape();
  for (const int64_t dim : dims) {
    auto* added = tensor->mutable_shape()->add_dim();
    if (dim >= 0) added->set_dim_value(dim);
  }
  return *this;
}

OnnxBuilder& OnnxBuilder::Output(const std::string& name, int type) {
  onnx::ValueInfoProto* output = graph().add_output();
  output->set_name(name);
  output->mutable_type()->mutable_tensor_type()->set_elem_type(type);
  return *this;
}

OnnxBuilder& OnnxBuilder::Weight(const std::string& name, std::vector<int64_t> dims,
                                 const std::vector<float>& values) {
  onnx::TensorProto* tensor = graph().add_initializer();
  *tensor = FloatProto(std::move(dims), values);
  tensor->set_name(name);
  return *this;
}

OnnxBuilder& OnnxBuilder::Int64s(const std::string& name, const std::vector<int64_t>& values) {
  onnx::TensorProto* tensor = graph().add_initializer();
  *tensor = Int64Proto({static_cast<int64_t>(values.size())}, values);
  tensor->set_name(name);
  return *this;
}

OnnxBuilder& OnnxBuilder::Node(const std::string& op, const std::vector<std::string>& inputs,
                               const std::vector<std::string>& outputs,
                               const Attributes& attributes) {
  *graph().add_node() = NodeProtoOf(op, inputs, outputs, attributes);
  return *this;
}

runtime::Result<runtime::Graph> OnnxBuilder::Import(
    const converter::ConvertOptions& options) const {
  const std::string bytes = Bytes();
  return converter::ImportOnnx(std::as_bytes(std::span(bytes)), options);
}

runtime::Result<std::vector<runtime::Tensor>> ImportAndRun(
    const OnnxBuilder& builder, const std::vector<runtime::Tensor>& inputs) {
  PLEAT_ASSIGN_OR_RETURN(runtime::Graph graph, builder.Import());
  PLEAT_ASSIGN_OR_RETURN(auto model, runtime::Model::FromGraph(std::move(graph)));
  runtime::Session::Options options;
  options.select.reference = true;
  runtime::Session session(model, options);
  return session.Run(inputs);
}

std::vector<double> Answer(const OnnxBuilder& builder, const std::vector<runtime::Tensor>& inputs) {
  const auto outputs = ImportAndRun(builder, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().message();
  if (!outputs.ok() || outputs->size() != 1) return {};
  return runtime::ToDoubles((*outputs)[0]);
}

runtime::Tensor Floats(runtime::Shape shape, const std::vector<float>& values) {
  return runtime::Tensor::Of<float>(std::move(shape), values);
}

std::string Ops(const runtime::Result<runtime::Graph>& graph) {
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  if (!graph.ok()) return "";
  std::string text;
  for (const runtime::Node& node : graph->nodes) {
    text += (text.empty() ? "" : " ") + std::string(node.OpName());
  }
  return text;
}

}  // namespace pleat::tests
