#include "converter/emit/statistics.h"

#include <algorithm>
#include <set>

#include "converter/emit/onnx_edit.h"
#include "converter/import/node_order.h"
#include "converter/import/tensor_proto.h"
#include "converter/onnx_reader.h"

namespace pleat::converter {
namespace {

using onnx::GraphProto;
using onnx::NodeProto;
using runtime::Result;
using runtime::Tensor;

constexpr int kMean = 3, kVariance = 4;  // inputs
constexpr int64_t kMostChannels = 1 << 24;

const onnx::AttributeProto* Find(const NodeProto& node, const std::string& name) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

void Set(NodeProto& node, const std::string& name, onnx::AttributeProto value) {
  for (int i = node.attribute_size(); i-- > 0;) {
    if (node.attribute(i).name() == name) node.mutable_attribute()->DeleteSubrange(i, 1);
  }
  value.set_name(name);
  *node.add_attribute() = std::move(value);
}

onnx::AttributeProto IntOf(int64_t value) {
  onnx::AttributeProto attribute;
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
  return attribute;
}

onnx::AttributeProto FloatOf(float value) {
  onnx::AttributeProto attribute;
  attribute.set_type(onnx::AttributeProto::FLOAT);
  attribute.set_f(value);
  return attribute;
}

bool IsNorm(const NodeProto& node) {
  const bool own = node.domain().empty() || node.domain() == "ai.onnx";
  return own && node.op_type() == "BatchNormalization" && node.input_size() > kVariance &&
         node.output_size() > 0;
}

bool InTraining(const NodeProto& node, int64_t opset) {
  const auto* flag = Find(node, opset >= 14 ? "training_mode" : "is_test");
  if (opset >= 14) return flag != nullptr && flag->i() != 0;
  if (opset < 7) return flag == nullptr || flag->i() == 0;
  for (int i = 1; i < node.output_size(); ++i) {
    if (!node.output(i).empty()) return true;
  }
  return false;
}

// The type that a constant is stored in.
int DataTypeOf(const GraphProto& graph, const OnnxEdit& edit, std::string name) {
  for (int hops = 0; hops <= graph.node_size(); ++hops) {
    if (const onnx::TensorProto* stored = edit.Initializer(name)) return stored->data_type();
    const auto maker = std::ranges::find_if(graph.node(), [&](const NodeProto& node) {
      return node.output_size() > 0 && node.output(0) == name;
    });
    if (maker == graph.node().end()) break;
    if (const auto* value = Find(*maker, "value")) return value->t().data_type();
    if (maker->op_type() != "Identity" || maker->input_size() != 1) break;
    name = maker->input(0);
  }
  return onnx::TensorProto::FLOAT;
}

}  // namespace

Result<Measuring> MeasuringOnnx(std::span<const std::byte> bytes) {
  PLEAT_ASSIGN_OR_RETURN(const auto model, ReadOnnx(bytes));
  const int64_t opset = OpsetOf(*model);
  GraphProto& graph = *model->mutable_graph();
  OnnxEdit edit(graph, model->ir_version());
  Measuring result;
  std::set<std::string> outputs;
  std::vector<NodeProto> shapes;
  for (NodeProto& node : *graph.mutable_node()) {
    if (!IsNorm(node)) continue;
    const bool stored = edit.IsConstant(node.input(kMean)) && edit.IsConstant(node.input(kVariance));
    if (!stored || edit.IsConstant(node.input(0)) || InTraining(node, opset)) {
      result.left.push_back(NodeName(node));
      continue;
    }
    MeasuredNorm norm;
    norm.node = NodeName(node);
    norm.y = node.output(0);
    const auto* epsilon = Find(node, "epsilon");
    norm.epsilon = epsilon == nullptr ? 1e-5f : epsilon->f();
    norm.stored_mean = node.input(kMean);
    norm.stored_variance = node.input(kVariance);
    norm.mean = edit.FreshName(norm.node + "/mean");
    norm.variance = edit.FreshName(norm.node + "/variance");
    norm.shape = edit.FreshName(norm.node + "/shape");
    for (const int input : {kMean, kVariance}) {
      // What is stored may be no number at all, which no factor makes vanish.
      const onnx::TensorProto* numbers = edit.Initializer(node.input(input));
      if (numbers == nullptr || numbers->dims_size() != 1) continue;
      if (numbers->dims(0) < 0 || numbers->dims(0) > kMostChannels) continue;
      PLEAT_ASSIGN_OR_RETURN(const auto element, ElementTypeOfOnnx(numbers->data_type()));
      node.set_input(input,
                     edit.AddInitializer("zeros", Tensor::Make(element, {numbers->dims(0)})));
    }
    while (node.output_size() > 1) node.mutable_output()->RemoveLast();
    *node.add_output() = norm.mean;
    *node.add_output() = norm.variance;
    Set(node, opset >= 14 ? "training_mode" : "is_test", IntOf(opset >= 14 ? 1 : 0));
    Set(node, "momentum", FloatOf(0));  // what comes out is the batch's alone
    shapes.push_back({});
    shapes.back().set_op_type("Shape");
    shapes.back().add_input(node.input(0));
    shapes.back().add_output(norm.shape);
    outputs.insert({norm.mean, norm.variance, norm.shape, norm.stored_mean, norm.stored_variance});
    result.norms.push_back(std::move(norm));
  }
  if (result.norms.empty()) {
    return runtime::Unsupported("it has no BatchNormalization with stored statistics");
  }
  for (NodeProto& shape : shapes) *graph.add_node() = std::move(shape);
  graph.clear_output();
  graph.clear_value_info();
  for (const std::string& name : outputs) graph.add_output()->set_name(name);
  PLEAT_ASSIGN_OR_RETURN(result.onnx, Serialized(*model));
  return result;
}

Result<std::string> WithStatistics(std::span<const std::byte> bytes, const std::string& folder,
                                   const std::map<std::string, Statistics>& statistics) {
  PLEAT_ASSIGN_OR_RETURN(const auto model, ReadOnnx(bytes));
  GraphProto& graph = *model->mutable_graph();
  PLEAT_RETURN_IF_ERROR(TakeExternalDataIn(folder, graph));
  OnnxEdit edit(graph, model->ir_version());
  for (NodeProto& node : *graph.mutable_node()) {
    const auto found = IsNorm(node) ? statistics.find(node.output(0)) : statistics.end();
    if (found == statistics.end()) continue;
    const auto put = [&](int input, const Tensor& numbers) -> runtime::Status {
      const std::string name = node.input(input);
      PLEAT_ASSIGN_OR_RETURN(const auto element, ElementTypeOfOnnx(DataTypeOf(graph, edit, name)));
      node.set_input(input, edit.AddInitializer(name, runtime::Cast(numbers, element)));
      return runtime::Status::Ok();
    };
    PLEAT_RETURN_IF_ERROR(put(kMean, found->second.mean));
    PLEAT_RETURN_IF_ERROR(put(kVariance, found->second.variance));
  }
  edit.Finish();
  return Serialized(*model);
}

Result<Measuring> MeasuringOnnxFile(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadModelFile(path));
  PLEAT_ASSIGN_OR_RETURN(Measuring measuring, MeasuringOnnx(bytes));
  measuring.folder = FolderOf(path);
  return measuring;
}

Result<std::string> WithStatisticsInFile(const std::string& path,
                                         const std::map<std::string, Statistics>& statistics) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadModelFile(path));
  return WithStatistics(bytes, FolderOf(path), statistics);
}

}  // namespace pleat::converter
