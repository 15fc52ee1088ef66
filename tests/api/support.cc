#include "tests/api/support.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "kernels/activation.h"
#include "runtime/model_file.h"

namespace pleat::tests {
namespace {

using namespace pleat::runtime;

std::string Bytes(Graph graph) {
  const Status checked = CheckGraph(graph);
  EXPECT_TRUE(checked.ok()) << checked.message();
  const Status inferred = InferGraph(graph, /*evaluate=*/false);
  EXPECT_TRUE(inferred.ok()) << inferred.message();
  return SerializeGraph(graph);
}

std::string MakeOpenModel() {
  Graph graph;
  graph.name = "open";
  graph.producer = "test";
  const ValueId image = graph.AddValue(
      "image", {ElementType::kFloat32, true, {kUnknownDim, 3, kUnknownDim, kUnknownDim}});
  graph.values.back().symbols = {"batch", "", "height", ""};
  const ValueId offset = graph.AddValue("offset", {ElementType::kFloat32, true, {3, 1, 1}});
  const ValueId sum = graph.AddValue("sum");
  const ValueId positive = graph.AddValue("positive");
  graph.inputs = {image, offset};
  graph.outputs = {sum, positive, image};
  graph.nodes.push_back(MakeNode("add", fb::BinaryT{}, {image, offset}, {sum}));
  fb::UnaryT relu;
  relu.activation = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kClip), 0, INFINITY);
  graph.nodes.push_back(MakeNode("relu", std::move(relu), {sum}, {positive}));
  fb::BatchNormT folded, kept;
  folded.node = "bn1";
  folded.status = fb::FoldStatus::Folded;
  kept.node = "bn2";
  graph.batch_norms = {folded, kept};
  return Bytes(std::move(graph));
}

std::string MakeConvModel() {
  Graph graph;
  const ValueId x = graph.AddValue("x", {ElementType::kFloat32, true, {1, 2, 8, 8}});
  std::vector<float> weights(32 * 2 * 3 * 3);
  for (size_t i = 0; i < weights.size(); ++i)
    weights[i] = static_cast<float>(i % 17) / 16.0f - 0.4f;
  const ValueId w = graph.AddConstant("w", Tensor::Of<float>({32, 2, 3, 3}, weights));
  const ValueId y = graph.AddValue("y");
  graph.inputs = {x};
  graph.outputs = {y};
  fb::ConvT conv;
  conv.window = std::make_unique<fb::WindowT>();
  conv.window->kernel = {3, 3};
  graph.nodes.push_back(MakeNode("conv", std::move(conv), {x, w}, {y}));
  return Bytes(std::move(graph));
}

std::string MakeIntegerModel() {
  Graph graph;
  const ValueId x = graph.AddValue("x", {ElementType::kInt64, true, {2}});
  const ValueId y = graph.AddValue("y");
  graph.inputs = {x};
  graph.outputs = {y};
  graph.nodes.push_back(MakeNode("add", fb::BinaryT{}, {x, x}, {y}));
  return Bytes(std::move(graph));
}

std::string MakeOpenPairModel() {
  Graph graph;
  const Type open{ElementType::kFloat32, true, {kUnknownDim, kUnknownDim}};
  const ValueId a = graph.AddValue("a", open), b = graph.AddValue("b", open);
  const ValueId c = graph.AddValue("c");
  graph.inputs = {a, b};
  graph.outputs = {c};
  graph.nodes.push_back(MakeNode("add", fb::BinaryT{}, {a, b}, {c}));
  return Bytes(std::move(graph));
}

std::string MakeWinogradModel() {
  Graph graph;
  ValueId x = graph.AddValue("x", {ElementType::kFloat32, true, {1, 16, 16, 16}});
  graph.inputs = {x};
  for (const char* name : {"conv1", "conv2"}) {
    std::vector<float> weights(16 * 16 * 3 * 3);
    for (size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 19) / 90 - 0.1f;
    const ValueId w =
        graph.AddConstant(name + std::string("_w"), Tensor::Of<float>({16, 16, 3, 3}, weights));
    const ValueId y = graph.AddValue(name + std::string("_y"));
    fb::ConvT conv;
    conv.window = std::make_unique<fb::WindowT>();
    conv.window->kernel = {3, 3};
    conv.window->pads = {1, 1, 1, 1};
    conv.channels_last = true;
    graph.nodes.push_back(MakeNode(name, std::move(conv), {x, w}, {y}));
    x = y;
  }
  graph.outputs = {x};
  return Bytes(std::move(graph));
}

}  // namespace

const std::string& OpenPairModel() {
  static const std::string bytes = MakeOpenPairModel();
  return bytes;
}
const std::string& WinogradModel() {
  static const std::string bytes = MakeWinogradModel();
  return bytes;
}
const std::string& OpenModel() {
  static const std::string bytes = MakeOpenModel();
  return bytes;
}

const std::string& ConvModel() {
  static const std::string bytes = MakeConvModel();
  return bytes;
}

const std::string& IntegerModel() {
  static const std::string bytes = MakeIntegerModel();
  return bytes;
}

ModelHandle Load(const std::string& bytes) {
  pleat_model* model = nullptr;
  EXPECT_EQ(pleat_model_load_memory(bytes.data(), bytes.size(), PLEAT_COPY, &model), PLEAT_OK)
      << pleat_last_error()->message;
  return ModelHandle(model);
}

SessionHandle MakeSession(const pleat_model* model, const pleat_options* options) {
  pleat_session* session = nullptr;
  EXPECT_EQ(pleat_session_create(model, options, &session), PLEAT_OK)
      << pleat_last_error()->message;
  return SessionHandle(session);
}

pleat_tensor Dense(const std::vector<float>& numbers, const std::vector<int64_t>& shape) {
  auto tensor = Sized<pleat_tensor>();
  tensor.data = numbers.data();
  tensor.bytes = numbers.size() * sizeof(float);
  tensor.element = PLEAT_FLOAT32;
  tensor.rank = shape.size();
  tensor.shape = shape.data();
  return tensor;
}

std::vector<float> Floats(pleat_session* session, size_t output) {
  auto tensor = Sized<pleat_tensor>();
  EXPECT_EQ(pleat_get_output(session, output, &tensor), PLEAT_OK) << pleat_last_error()->message;
  if (tensor.data == nullptr) return {};
  const auto* first = static_cast<const float*>(tensor.data);
  return {first, first + tensor.bytes / sizeof(float)};
}

OpenInputs::OpenInputs(int64_t height, int64_t width)
    : image(static_cast<size_t>(3 * height * width)),
      offset{1, 2, 3},
      image_shape{1, 3, height, width},
      offset_shape{3, 1, 1} {
  std::iota(image.begin(), image.end(), -10.0f);
}

pleat_code OpenInputs::Set(pleat_session* session) const {
  const pleat_tensor first = Dense(image, image_shape), second = Dense(offset, offset_shape);
  const pleat_code code = pleat_set_input(session, 0, &first);
  return code != PLEAT_OK ? code : pleat_set_input(session, 1, &second);
}

std::vector<float> OpenInputs::ExpectedSum() const {
  std::vector<float> sum = image;
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += offset[i / (sum.size() / 3)];
  return sum;
}

}  // namespace pleat::tests
