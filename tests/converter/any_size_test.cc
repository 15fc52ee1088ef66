// One converted file for every batch and image size: the same bits as a file fixed to that shape.
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tests/converter/onnx_builder.h"
#include "tests/support/random.h"

namespace pleat::converter {
namespace {

using runtime::Shape;
using runtime::Tensor;
using tests::OnnxBuilder;

using Int64s = std::vector<int64_t>;

// A small network of what fully convolutional ones are made of, any batch, height and width: folds,
// a depthwise step, strides, a skip, a resize to a computed size, a pooled gate, a flattened head.
OnnxBuilder Network() {
  tests::Random random(5);
  OnnxBuilder builder(13);
  builder.Input("x", {-1, 3, -1, -1});
  auto* dims = builder.graph().mutable_input(0)->mutable_type()->mutable_tensor_type();
  dims->mutable_shape()->mutable_dim(0)->set_dim_param("N");
  const auto weight = [&](const std::string& name, Int64s shape) {
    size_t count = 1;
    for (const int64_t size : shape) count *= static_cast<size_t>(size);
    builder.Weight(name, std::move(shape), random.Values<float>(count, 0.1, 0.9));
  };
  weight("w1", {24, 3, 3, 3});
  weight("wd", {24, 1, 3, 3});
  weight("w2", {24, 24, 1, 1});
  weight("w3", {8, 48, 3, 3});
  for (const char* name : {"g", "b", "m", "v"}) weight(name, {24});
  const Int64s ones = {1, 1, 1, 1};
  builder.Node("Conv", {"x", "w1"}, {"c1"}, {{"pads", ones}});
  builder.Node("BatchNormalization", {"c1", "g", "b", "m", "v"}, {"n1"});
  builder.Node("Relu", {"n1"}, {"r1"});
  builder.Node("Conv", {"r1", "wd"}, {"d"},
               {{"pads", ones}, {"strides", Int64s{2, 2}}, {"group", int64_t{24}}});
  builder.Node("Conv", {"d", "w2"}, {"c2"}).Node("Sigmoid", {"c2"}, {"s"});
  builder.Node("Shape", {"r1"}, {"size"}).Node("Resize", {"s", "", "", "size"}, {"up"});
  builder.Node("Concat", {"r1", "up"}, {"both"}, {{"axis", int64_t{1}}});
  builder.Node("Conv", {"both", "w3"}, {"c3"}, {{"pads", ones}});
  builder.Node("GlobalAveragePool", {"c3"}, {"mean"}).Node("Mul", {"c3", "mean"}, {"y"});
  builder.Node("Shape", {"mean"}, {"ms"}).Int64s("zero", {0}).Int64s("rest", {-1});
  builder.Node("Gather", {"ms", "zero"}, {"batch"});
  builder.Node("Concat", {"batch", "rest"}, {"flat"}, {{"axis", int64_t{0}}});
  builder.Node("Reshape", {"mean", "flat"}, {"head"});
  return builder.Output("y").Output("head");
}

std::shared_ptr<const runtime::Model> Converted(const ConvertOptions& options) {
  const std::string bytes = Network().Bytes();
  auto graph = ConvertOnnx(std::as_bytes(std::span(bytes)), options);
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  if (!graph.ok()) return nullptr;
  const std::string file = runtime::SerializeGraph(*graph);
  Tensor kept = Tensor::Make(runtime::ElementType::kUint8, {static_cast<int64_t>(file.size())});
  std::memcpy(kept.mutable_raw(), file.data(), file.size());
  auto model = runtime::Model::FromBytes({static_cast<const std::byte*>(kept.raw()), file.size()},
                                         std::make_shared<Tensor>(kept));
  EXPECT_TRUE(model.ok()) << model.status().message();
  return model.ok() ? *model : nullptr;
}

TEST(AnySizeTest, SameBitsAsAFixedFile) {
  const auto any = Converted({});
  ASSERT_NE(any, nullptr);
  for (const int threads : {1, 2}) {
    runtime::Session session(any, {.threads = threads});
    for (const int64_t batch : {1, 3, 8}) {
      for (const auto& [height, width] :
           std::vector<std::pair<int64_t, int64_t>>{
               {17, 23}, {32, 32}, {8, 41}}) {
        const Shape shape = {batch, 3, height, width};
        ConvertOptions fixed;
        fixed.input_shapes["x"] = shape;
        const auto model = Converted(fixed);
        ASSERT_NE(model, nullptr);
        EXPECT_TRUE(model->graph().values[static_cast<size_t>(model->graph().outputs[0])]
                        .type.Known());
        runtime::Session alone(model, {.threads = threads});
        tests::Random random(static_cast<uint64_t>(batch * height));
        const Tensor x = Tensor::Of<float>(
            shape, random.Values<float>(static_cast<size_t>(runtime::ElementCount(shape))));
        const auto got = session.Run({x}), expected = alone.Run({x});
        ASSERT_TRUE(got.ok()) << got.status().message();
        ASSERT_TRUE(expected.ok()) << expected.status().message();
        for (size_t o = 0; o < 2; ++o) {
          ASSERT_EQ((*got)[o].type(), (*expected)[o].type());
          EXPECT_EQ(std::memcmp((*got)[o].raw(), (*expected)[o].raw(), (*got)[o].bytes()), 0)
              << runtime::ShapeText(shape) << " output " << o;
        }
      }
    }
  }
}

}  // namespace
}  // namespace pleat::converter
