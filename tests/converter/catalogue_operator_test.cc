// Bad inputs of tests/catalogue.txt: tensors (C) and operators (D), converted, loaded and run.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using runtime::ElementType;
using runtime::Model;
using runtime::Session;
using runtime::Shape;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Attributes;
using tests::OnnxBuilder;
using Int64s = std::vector<int64_t>;

constexpr int64_t kHuge = int64_t{1} << 62;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr float kInf = std::numeric_limits<float>::infinity();

// The whole way: converted, written, loaded, planned and run on zeros.
runtime::Result<std::vector<Tensor>> RunOnZeros(const OnnxBuilder& builder) {
  const std::string bytes = builder.Bytes();
  PLEAT_ASSIGN_OR_RETURN(const runtime::Graph graph,
                         ConvertOnnx(std::as_bytes(std::span(bytes)), {}));
  const std::string file = runtime::SerializeGraph(graph);
  PLEAT_ASSIGN_OR_RETURN(auto model, Model::FromBytes(std::as_bytes(std::span(file))));
  std::vector<Tensor> inputs;
  for (const runtime::ValueId id : model->graph().inputs) {
    runtime::Type type = model->graph().values[static_cast<size_t>(id)].type;
    for (int64_t& size : type.shape) size = size < 0 ? 1 : size;
    inputs.push_back(Tensor::Make(type.element, type.shape));
  }
  Session session(model, {.max_arena_bytes = int64_t{256} << 20});
  return session.Run(inputs);
}
Status Outcome(const OnnxBuilder& builder) { return RunOnZeros(builder).status(); }

struct Operand {
  Shape dims;
  Int64s integers = {};  // a constant of int64 where there are some
  bool constant = false;
};

OnnxBuilder One(const std::string& op, const std::vector<Operand>& operands,
                const Attributes& attributes = {}, int outputs = 1) {
  OnnxBuilder builder;
  std::vector<std::string> names, made;
  for (const Operand& operand : operands) {
    names.push_back("i" + std::to_string(names.size()));
    if (operand.constant) {
      builder.Int64s(names.back(), operand.integers);
    } else {
      builder.Input(names.back(), operand.dims);
    }
  }
  for (int i = 0; i < outputs; ++i) made.push_back("y" + std::to_string(i));
  builder.Node(op, names, made, attributes);
  for (const std::string& name : made) builder.Output(name);
  return builder;
}
Operand List(Int64s integers) { return {{}, std::move(integers), true}; }

std::string LastNode(OnnxBuilder builder) { return builder.last_node().ShortDebugString(); }

void ExpectRefused(const OnnxBuilder& builder, StatusCode code = StatusCode::kInvalidModel) {
  const Status status = Outcome(builder);
  EXPECT_EQ(status.code(), code) << LastNode(builder) << ": " << status.message();
}
void ExpectRuns(const OnnxBuilder& builder) {
  const Status status = Outcome(builder);
  EXPECT_TRUE(status.ok()) << LastNode(builder) << ": " << status.message();
}

OnnxBuilder Conv(const Attributes& attributes, const Shape& x = {1, 2, 6, 6},
                 const Shape& w = {2, 2, 3, 3}) {
  return One("Conv", {{x}, {w}}, attributes);
}

TEST(Catalogue, C4_EmptyTensors) {
  ExpectRuns(One("Relu", {{{0, 3}}}));
  ExpectRuns(One("Concat", {{{0, 3}}, {{2, 3}}}, {{"axis", int64_t{0}}}));
  ExpectRuns(One("MatMul", {{{2, 0}}, {{0, 3}}}));
  ExpectRuns(One("Conv", {{{0, 2, 6, 6}}, {{2, 2, 3, 3}}}));
  ExpectRefused(Conv({}, {1, 2, 6, 6}, {2, 2, 0, 3}));
}

TEST(Catalogue, C12_WeightsThatAreNoNumbers) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  OnnxBuilder builder;
  builder.Input("x", {4}).Weight("w", {4}, {nan, kInf, -kInf, 1e-45f});
  builder.Node("Add", {"x", "w"}, {"y"}).Output("y");
  const auto outputs = RunOnZeros(builder);
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  const std::span<const float> y = (*outputs)[0].data<float>();
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], kInf);
  EXPECT_EQ(y[2], -kInf);
  EXPECT_EQ(y[3], 1e-45f);
}

TEST(Catalogue, C13_WeightsKeepTheirBits) {
  const uint32_t bits[] = {0x80000000u, 0x7fc12345u, 0xff800001u, 1u};
  float values[4];
  std::memcpy(values, bits, sizeof(bits));
  OnnxBuilder builder;
  builder.Weight("w", {4}, {values, values + 4}).Output("w");
  const auto outputs = RunOnZeros(builder);
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ(std::memcmp((*outputs)[0].raw(), bits, sizeof(bits)), 0);
}

TEST(Catalogue, C11_SparseTensorsAreRefusedByName) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Add", {"x", "s"}, {"y"}).Output("y");
  onnx::SparseTensorProto* sparse = builder.graph().add_sparse_initializer();
  *sparse->mutable_values() = tests::FloatProto({1}, {1});
  sparse->mutable_values()->set_name("s");
  *sparse->mutable_indices() = tests::Int64Proto({1}, {kMost});
  sparse->add_dims(kMost);
  const Status status = Outcome(builder);
  EXPECT_TRUE(status.code() == StatusCode::kInvalidModel ||
              status.code() == StatusCode::kUnsupported)
      << status.message();
}

TEST(Catalogue, D2_Strides) {
  for (const int64_t stride : {int64_t{0}, int64_t{-1}, kHuge, kMost, kLeast}) {
    ExpectRefused(Conv({{"strides", Int64s{1, stride}}}));
    ExpectRefused(One("MaxPool", {{{1, 1, 6, 6}}}, {{"kernel_shape", Int64s{2, 2}},
                                                    {"strides", Int64s{stride, 1}}}));
  }
  ExpectRefused(Conv({{"strides", Int64s{1}}}));
}

TEST(Catalogue, D3_Dilations) {
  for (const int64_t dilation : {int64_t{0}, int64_t{-1}, int64_t{1} << 40, kHuge, kMost}) {
    ExpectRefused(Conv({{"dilations", Int64s{1, dilation}}}));
  }
}

TEST(Catalogue, D4_Kernels) {
  for (const int64_t size : {int64_t{0}, int64_t{-1}, int64_t{4}, kHuge}) {
    ExpectRefused(Conv({{"kernel_shape", Int64s{3, size}}}));
    ExpectRefused(One("AveragePool", {{{1, 1, 3, 3}}}, {{"kernel_shape", Int64s{1, size}}}));
  }
  ExpectRefused(Conv({}, {1, 2, 6, 6}, {2, 2, 3}));
  ExpectRefused(Conv({}, {1, 2, 6, 6}, {2, 2, 3, 3, 3}));
  ExpectRefused(Conv({}, {1, 2}, {2, 2}));
  ExpectRefused(One("ConvTranspose", {{{1, 2, 2, 2}}, {{2, 1, 2, 2}}},
                    {{"kernel_shape", Int64s{-1, -1}}, {"output_shape", Int64s{4, 4}}}));
}

TEST(Catalogue, D5_KernelsLargerThanTheImage) {
  ExpectRefused(Conv({}, {1, 2, 2, 2}));
  ExpectRefused(One("MaxPool", {{{1, 1, 2, 2}}}, {{"kernel_shape", Int64s{3, 3}}}));
}

TEST(Catalogue, D6_Pads) {
  for (const int64_t pad : {int64_t{-1}, kHuge, kMost, kLeast}) {
    ExpectRefused(Conv({{"pads", Int64s{1, 1, 1, pad}}}));
  }
  ExpectRefused(Conv({{"pads", Int64s{1, 1, 1}}}));
  ExpectRefused(Conv({{"auto_pad", "SAME"}}));
  ExpectRuns(Conv({{"pads", Int64s{7, 7, 7, 7}}}));
}

TEST(Catalogue, D7_Groups) {
  for (const int64_t group : {int64_t{0}, int64_t{-1}, int64_t{2}, int64_t{3}, kMost}) {
    ExpectRefused(Conv({{"group", group}}));
  }
}

TEST(Catalogue, D8_ChannelsAndBiases) {
  ExpectRefused(Conv({}, {1, 3, 6, 6}));
  ExpectRefused(One("Conv", {{{1, 2, 6, 6}}, {{2, 2, 3, 3}}, {{3}}}));
  ExpectRefused(One("Conv", {{{1, 2, 6, 6}}, {{2, 2, 3, 3}}, {{1, 2}}}));
}

TEST(Catalogue, D9_WindowsThatLieInThePadding) {
  for (const int64_t include : {0, 1}) {
    const OnnxBuilder pool = One(
        "AveragePool", {{{1, 1, 5, 5}}},
        {{"kernel_shape", Int64s{3, 3}}, {"strides", Int64s{3, 3}}, {"ceil_mode", int64_t{1}},
         {"pads", Int64s{1, 1, 1, 1}}, {"count_include_pad", include}});
    const auto outputs = RunOnZeros(pool);
    ASSERT_TRUE(outputs.ok()) << outputs.status().message();
    for (const float y : (*outputs)[0].data<float>()) EXPECT_EQ(y, 0);
  }
}

TEST(Catalogue, D10_PadsOfPoolsAsLargeAsTheWindow) {
  for (const int64_t pad : {int64_t{2}, int64_t{100}, kHuge}) {
    ExpectRefused(One("MaxPool", {{{1, 1, 6, 6}}},
                      {{"kernel_shape", Int64s{2, 2}}, {"pads", Int64s{pad, 0, 0, 0}}}));
  }
}

TEST(Catalogue, D12_GlobalPoolsOfNothing) {
  const Status status = Outcome(One("GlobalAveragePool", {{{1, 2, 0, 0}}}));
  EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidModel) << status.message();
}

TEST(Catalogue, D13_Products) {
  ExpectRefused(One("MatMul", {{{2, 3}}, {{4, 5}}}));
  ExpectRefused(One("MatMul", {{{}}, {{4, 5}}}));
  ExpectRefused(One("Gemm", {{{2, 3}}, {{3, 5}}, {{4}}}));
  ExpectRefused(One("Gemm", {{{3}}, {{3, 5}}}, {{"transA", int64_t{1}}}));
  ExpectRuns(One("Gemm", {{{2, 3}}, {{3, 5}}, {{1, 2, 5}}}));  // leading sizes of 1 add nothing
  ExpectRuns(One("Gemm", {{{2, 0}}, {{0, 5}}, {{5}}}));
  ExpectRuns(One("Gemm", {{{0, 3}}, {{3, 5}}}));
}

TEST(Catalogue, D14_Broadcasts) {
  ExpectRefused(One("Add", {{{2, 3}}, {{2, 4}}}));
  ExpectRefused(One("Add", {{{1 << 20, 1}}, {{1, 1 << 20}}}), StatusCode::kLimitExceeded);
}

TEST(Catalogue, D15_Reshapes) {
  ExpectRefused(One("Reshape", {{{2, 3}}, List({-1, -1})}));
  ExpectRefused(One("Reshape", {{{2, 3}}, List({-2, 3})}));
  ExpectRefused(One("Reshape", {{{2, 3}}, List({4, -1})}));
  ExpectRefused(One("Reshape", {{{2, 3}}, List({7})}));
  ExpectRefused(One("Reshape", {{{2, 3}}, List({1, 1, 0})}));
  ExpectRefused(One("Reshape", {{{2, 3}}, List({kHuge, kHuge})}), StatusCode::kLimitExceeded);
  ExpectRefused(One("Reshape", {{{2, 3}}, List(Int64s(9, 1))}), StatusCode::kLimitExceeded);
  ExpectRefused(One("Reshape", {{{0, 3}}, List({0, -1})}, {{"allowzero", int64_t{1}}}));
}

TEST(Catalogue, D16_Axes) {
  for (const int64_t axis : {int64_t{2}, int64_t{-3}, int64_t{-100000}, kLeast, kMost}) {
    ExpectRefused(One("Concat", {{{2, 3}}, {{2, 3}}}, {{"axis", axis}}));
    ExpectRefused(One("Softmax", {{{2, 3}}}, {{"axis", axis}}));
    ExpectRefused(One("ArgMax", {{{2, 3}}}, {{"axis", axis}}));
    ExpectRefused(One("ReduceMax", {{{2, 3}}}, {{"axes", Int64s{axis}}}));
    ExpectRefused(One("Squeeze", {{{2, 1}}, List({axis})}));
  }
  ExpectRefused(One("ReduceMax", {{{2, 3}}}, {{"axes", Int64s{1, 1}}}));
  ExpectRefused(One("ReduceMax", {{{2, 3}}}, {{"axes", Int64s{1, -1}}}));
  ExpectRefused(One("Unsqueeze", {{{2, 3}}, List({0, 0})}));
}

TEST(Catalogue, D17_Slices) {
  const auto slice = [](int64_t start, int64_t end, int64_t step) {
    return One("Slice", {{{4}}, List({start}), List({end}), List({0}), List({step})});
  };
  ExpectRefused(slice(0, 4, 0));
  for (const int64_t start : {kLeast, int64_t{-1}, int64_t{2}, kMost}) {
    for (const int64_t end : {kLeast, int64_t{0}, int64_t{3}, kMost}) {
      for (const int64_t step : {kLeast, int64_t{-1}, int64_t{2}, kMost}) {
        ExpectRuns(slice(start, end, step));
      }
    }
  }
}

TEST(Catalogue, D18_Concatenations) {
  ExpectRefused(One("Concat", {{{2, 3}}, {{2}}}, {{"axis", int64_t{0}}}));
  ExpectRefused(One("Concat", {{{2, 3}}, {{2, 4}}}, {{"axis", int64_t{0}}}));
  ExpectRefused(One("Concat", {}, {{"axis", int64_t{0}}}));
  ExpectRuns(One("Concat", std::vector<Operand>(300, {{1}}), {{"axis", int64_t{0}}}));
}

TEST(Catalogue, D19_Splits) {
  const auto split = [](Int64s sizes, int outputs) {
    return One("Split", {{{6}}, List(std::move(sizes))}, {}, outputs);
  };
  ExpectRefused(split({2, 3}, 2));
  ExpectRefused(split({7, -1}, 2));
  ExpectRefused(split({6}, 2));
  ExpectRefused(split({kMost, kMost}, 2));
}

TEST(Catalogue, D20_IndicesOutOfRange) {
  for (const int64_t index : {int64_t{4}, int64_t{-5}, kLeast, kMost}) {
    ExpectRefused(One("Gather", {{{4}}, List({index})}));
    ExpectRefused(One("GatherElements", {{{4}}, List({index})}));
  }
}

TEST(Catalogue, D21_Permutations) {
  for (const Int64s& perm : {Int64s{0, 0}, Int64s{0, 2}, Int64s{0}, Int64s{0, 1, 2},
                             Int64s{-1, -2}, Int64s{kLeast, kMost}}) {
    ExpectRefused(One("Transpose", {{{2, 3}}}, {{"perm", perm}}));
  }
}

TEST(Catalogue, D22_SmallNodesWithHugeResults) {
  const StatusCode limit = StatusCode::kLimitExceeded;
  ExpectRefused(One("Expand", {{{1}}, List({int64_t{1} << 40})}), limit);
  ExpectRefused(One("Tile", {{{2}}, List({kHuge})}), limit);
  ExpectRefused(One("ConstantOfShape", {List({int64_t{1} << 30, int64_t{1} << 30})}), limit);
  ExpectRefused(One("Pad", {{{2}}, List({0, int64_t{1} << 41})}), limit);
  ExpectRefused(One("Pad", {{{2}}, List({kMost, kMost})}), limit);
  for (const float scale : {0.f, -1.f, kInf, std::numeric_limits<float>::quiet_NaN(), 1e30f}) {
    OnnxBuilder builder;
    builder.Input("x", {1, 1, 2, 2}).Weight("s", {4}, {1, 1, scale, 1});
    builder.Node("Resize", {"x", "", "s"}, {"y"}).Output("y");
    const Status status = Outcome(builder);
    EXPECT_EQ(status.code(), scale == 1e30f ? limit : StatusCode::kInvalidModel) << scale;
  }
}

TEST(Catalogue, D23_FunctionsAtTheirEdges) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::pair<float, float>& bounds : {std::pair{2.f, 1.f}, std::pair{nan, 1.f},
                                                std::pair{0.f, nan}, std::pair{kInf, -kInf}}) {
    OnnxBuilder clip;
    clip.Input("x", {3}).Weight("low", {}, {bounds.first}).Weight("high", {}, {bounds.second});
    ExpectRuns(clip.Node("Clip", {"x", "low", "high"}, {"y"}).Output("y"));
  }
  ExpectRuns(One("Softmax", {{{2, 0}}}));
  ExpectRefused(One("LRN", {{{1, 2, 3, 3}}}, {{"size", int64_t{0}}}));
  ExpectRuns(One("LeakyRelu", {{{2}}}, {{"alpha", nan}}));
  OnnxBuilder cast;
  cast.Weight("w", {4}, {nan, kInf, -kInf, 3e38f});
  cast.Node("Cast", {"w"}, {"y"}, {{"to", int64_t{onnx::TensorProto::INT8}}});
  ExpectRuns(cast.Output("y", onnx::TensorProto::INT8));
}

// x [1,2,3,3] through a BatchNormalization with these parameters of two channels.
OnnxBuilder Norm(const std::vector<float>& scale, const std::vector<float>& variance,
                 float epsilon = 1e-5f, bool behind_conv = true) {
  OnnxBuilder builder;
  builder.Input("x", {1, 2, 3, 3}).Weight("w", {2, 2, 1, 1}, {1, 2, 3, 4});
  const Shape sizes = {static_cast<int64_t>(scale.size())};
  builder.Weight("s", sizes, scale).Weight("b", sizes, std::vector<float>(scale.size(), 1));
  builder.Weight("m", sizes, std::vector<float>(scale.size(), 0.5f));
  builder.Weight("v", {static_cast<int64_t>(variance.size())}, variance);
  if (behind_conv) builder.Node("Conv", {"x", "w"}, {"c"});
  builder.Node("BatchNormalization", {behind_conv ? "c" : "x", "s", "b", "m", "v"}, {"y"},
               {{"epsilon", epsilon}});
  return builder.Output("y");
}

TEST(Catalogue, D27_EpsilonsThatHelpNot) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // Nothing folds what is not finite: the network runs as its formula says.
  for (const auto& [variance, epsilon] : {std::pair{0.f, 0.f}, std::pair{1.f, nan},
                                          std::pair{1.f, -2.f}, std::pair{-1.f, 1e-5f}}) {
    const std::string bytes = Norm({1, 1}, {variance, 1}, epsilon).Bytes();
    const auto graph = ConvertOnnx(std::as_bytes(std::span(bytes)), {});
    if (!graph.ok()) {
      EXPECT_EQ(graph.status().code(), StatusCode::kInvalidModel) << graph.status().message();
      continue;
    }
    ASSERT_EQ(graph->batch_norms.size(), 1u);
    EXPECT_EQ(graph->batch_norms[0].status, runtime::fb::FoldStatus::Kept) << variance << epsilon;
    EXPECT_FALSE(graph->batch_norms[0].reason.empty());
  }
}

TEST(Catalogue, D29_ParametersOfOtherLengths) {
  EXPECT_EQ(Outcome(Norm({1, 1, 1}, {1, 1, 1})).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Outcome(Norm({1, 1}, {1, 1, 1})).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Outcome(Norm({}, {})).code(), StatusCode::kInvalidModel);
}

TEST(Catalogue, D35_ScalesOfZeroAndInfinity) {
  const auto zero = RunOnZeros(Norm({0, 0}, {1, 1}));
  ASSERT_TRUE(zero.ok()) << zero.status().message();
  for (const float y : (*zero)[0].data<float>()) EXPECT_EQ(y, 1);
  const std::string bytes = Norm({kInf, 1}, {1, 1}).Bytes();
  const auto infinite = ConvertOnnx(std::as_bytes(std::span(bytes)), {});
  ASSERT_TRUE(infinite.ok()) << infinite.status().message();
  EXPECT_EQ(infinite->batch_norms[0].status, runtime::fb::FoldStatus::Kept);
}

}  // namespace
}  // namespace pleat::converter
