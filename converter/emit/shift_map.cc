#include "converter/emit/shift_map.h"

#include <algorithm>

#include "converter/import/tensor_proto.h"
#include "converter/passes/fold_weights.h"
#include "runtime/op.h"

namespace pleat::converter {
namespace {

using onnx::NodeProto;
using runtime::Result;

const fb::WindowT& WindowOf(const Node& node) {
  const auto* conv = node.As<fb::ConvT>();
  return conv != nullptr ? *conv->window : *node.As<fb::ConvTransposeT>()->window;
}

NodeProto MakeNode(const std::string& op, const std::vector<std::string>& inputs,
                   const std::string& output) {
  NodeProto node;
  node.set_op_type(op);
  node.set_name(output);
  for (const std::string& input : inputs) node.add_input(input);
  node.add_output(output);
  return node;
}
}  // namespace

const Tensor* TapBiasOf(const Graph& graph, const Node& node) {
  if (node.As<fb::ConvT>() == nullptr && node.As<fb::ConvTransposeT>() == nullptr) return nullptr;
  return graph.ConstantOf(node.input(TapBiasPosition(node)));
}

Tensor TapWeights(const Node& node, const Tensor& tap_bias) {
  Shape shape = tap_bias.shape();
  shape.insert(shape.begin() + (node.As<fb::ConvT>() != nullptr ? 1 : 0), 1);
  return runtime::Cast(tap_bias, ElementType::kFloat32).Reshaped(shape);
}

Result<Tensor> ShiftMap(const Graph& graph, const Node& node, const Tensor& tap_bias) {
  Shape image = TypeOf(graph, node.inputs[0]).shape;
  image[0] = image[1] = 1;
  if (std::count(image.begin(), image.end(), kUnknownDim) > 0) return Tensor();
  // The node on an image of zeros, of one channel: only the taps' biases remain.
  Node alone = node;
  if (auto* conv = alone.As<fb::ConvT>()) {
    conv->group = 1;
    conv->activation = {};
  } else {
    alone.As<fb::ConvTransposeT>()->group = 1;
    alone.As<fb::ConvTransposeT>()->activation = {};
  }
  const size_t at = TapBiasPosition(node);
  alone.inputs.assign(at + 1, kNoValue);
  alone.inputs[0] = 0;
  alone.inputs[1] = 1;
  alone.inputs[at] = 2;
  alone.outputs = {3};
  const auto zeros = [](Shape shape) {
    const auto count = static_cast<size_t>(runtime::ElementCount(shape));
    return Tensor::Of<float>(std::move(shape), std::vector<float>(count, 0.0f));
  };
  const Tensor x = zeros(image), weights = zeros(TapWeights(node, tap_bias).shape());
  std::vector<const Tensor*> inputs(at + 1, nullptr);
  inputs[0] = &x;
  inputs[1] = &weights;
  inputs[at] = &tap_bias;
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> maps, runtime::EvaluateNode(alone, inputs));
  return maps[0];
}

std::vector<NodeProto> ShiftNodes(const Graph& graph, const Node& node, const NodeProto& source,
                                  const ShiftNames& names, OnnxEdit& edit) {
  const std::string& y = source.output(0);
  std::vector<int64_t> spatial;
  for (int i = 2; i < TypeOf(graph, node.inputs[0]).rank(); ++i) spatial.push_back(i);
  const auto fresh = [&](const char* what) { return edit.FreshName(y + what); };
  const std::string axes = edit.AddInitializer(y + "_axes", Tensor::Vector(spatial));
  const std::string one = edit.AddInitializer(y + "_one", Tensor::Vector<int64_t>({1, 1}));
  const std::string shape = fresh("_image"), sizes = fresh("_sizes"), wanted = fresh("_ones_shape");
  std::vector<NodeProto> nodes = {MakeNode("Shape", {names.image}, shape),
                                  MakeNode("Gather", {shape, axes}, sizes),
                                  MakeNode("Concat", {one, sizes}, wanted),
                                  MakeNode("ConstantOfShape", {wanted}, fresh("_ones"))};
  auto* axis = nodes[2].add_attribute();
  axis->set_name("axis");
  axis->set_type(onnx::AttributeProto::INT);
  axis->set_i(0);
  auto* value = nodes[3].add_attribute();
  value->set_name("value");
  value->set_type(onnx::AttributeProto::TENSOR);
  const Tensor number = Tensor::Of<float>({1}, std::vector<float>{1});
  const auto type = ElementTypeOfOnnx(edit.Initializer(names.taps)->data_type());
  *value->mutable_t() = ProtoOfTensor(
      "", runtime::Cast(number, type.ok() ? *type : ElementType::kFloat32));
  NodeProto conv = source;
  conv.clear_input();
  conv.add_input(nodes[3].output(0));
  conv.add_input(names.taps);
  conv.set_output(0, fresh("_shifts"));
  conv.set_name(conv.output(0));
  for (auto& attribute : *conv.mutable_attribute()) {
    if (attribute.name() == "group") attribute.set_i(1);
  }
  // A Pad in front may have gone into the window.
  const fb::WindowT& window = WindowOf(node);
  if (window.auto_pad == fb::AutoPad::NotSet && !window.pads.empty()) {
    SetInts(conv, "pads", window.pads);
  }
  nodes.push_back(conv);
  return nodes;
}

}  // namespace pleat::converter
