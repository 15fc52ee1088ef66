// Networks in which a batch norm must stay, one for each reason there is; they still have to give
// the right answers.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <regex>
#include <set>
#include <sstream>

#include "converter/reasons.h"
#include "tests/converter/onnx_builder.h"
#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using kernels::UnaryKind;

struct Case {
  const char* code;
  const char* what;
  std::function<Graph()> make;
  converter::ConvertOptions options = {};
};

// A network that ends in what `build` makes of a convolution's image [2, 4, 5, 5].
std::function<Graph()> Behind(const std::function<ValueId(Net&, ValueId)>& build) {
  return [build] {
    Net net;
    net.Output(build(net, net.Conv(net.Input({2, 4, 5, 5}), {.outputs = 4, .kernel = {1, 1}})));
    return std::move(net.graph);
  };
}

std::function<Graph()> Onnx(const std::function<void(OnnxBuilder&)>& build, int64_t opset = 17) {
  return [build, opset] {
    OnnxBuilder builder(opset);
    builder.Input("x", {2, 2, 3});
    for (const char* name : {"gamma", "beta", "mean", "variance"}) {
      builder.Weight(name, {2}, {1, 3});
    }
    builder.Weight("w", {2, 2, 1}, {1, 2, 3, 4}).Node("Conv", {"x", "w"}, {"h"}).Output("y");
    build(builder);
    auto graph = builder.Import();
    EXPECT_TRUE(graph.ok()) << graph.status().message();
    return graph.ok() ? std::move(*graph) : Graph();
  };
}

std::vector<std::string> Parameters(const std::string& last = "variance") {
  return {"h", "gamma", "beta", "mean", last};
}

fb::PoolT Pool(fb::PoolKind kind) {
  fb::PoolT pool;
  pool.kind = kind;
  pool.window = std::make_unique<fb::WindowT>();
  pool.window->kernel = {2, 2};
  pool.window->pads = {1, 1, 1, 1};
  pool.count_include_pad = true;
  return pool;
}

std::vector<Case> Cases() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {
      {"BN_TRAINING_MODE", "the flag", Onnx([](OnnxBuilder& builder) {
         builder.Node("BatchNormalization", Parameters(), {"y"}, {{"training_mode", int64_t{1}}});
       })},
      {"BN_TRAINING_MODE", "no is_test", Onnx([](OnnxBuilder& builder) {
         builder.Node("BatchNormalization", Parameters(), {"y"});
       }, 6)},
      {"BN_TRAINING_MODE", "outputs of training", Onnx([](OnnxBuilder& builder) {
         builder.Node("BatchNormalization", Parameters(), {"y", "m", "v"}).Output("m").Output("v");
       }, 9)},
      {"BN_PARAM_NOT_CONST", "variance is an input", Onnx([](OnnxBuilder& builder) {
         builder.Input("v", {2}).Node("Abs", {"v"}, {"positive"});
         builder.Node("BatchNormalization", Parameters("positive"), {"y"});
       })},
      {"BN_PARAM_NOT_CONST", "the mean is an input", Onnx([](OnnxBuilder& builder) {
         builder.Input("m", {2}).Node("Abs", {"m"}, {"middle"});
         builder.Node("BatchNormalization", {"h", "gamma", "beta", "middle", "variance"}, {"y"});
       })},
      {"BN_PARAM_SHAPE", "a number for every place", Onnx([](OnnxBuilder& builder) {
         for (const char* name : {"g", "b", "m", "v"}) {
           builder.Weight(name, {2, 3}, {1, 2, 3, 4, 5, 6});
         }
         builder.Node("BatchNormalization", {"h", "g", "b", "m", "v"}, {"y"},
                      {{"spatial", int64_t{0}}});
       }, 7)},
      {"BN_BAD_VARIANCE", "negative", Onnx([](OnnxBuilder& builder) {
         builder.Weight("bad", {2}, {1, -1}).Node("BatchNormalization", Parameters("bad"), {"y"});
       })},
      {"BN_BAD_VARIANCE", "nothing to divide by", Onnx([](OnnxBuilder& builder) {
         builder.Weight("bad", {2}, {1, 0});
         builder.Node("BatchNormalization", Parameters("bad"), {"y"}, {{"epsilon", 0.0f}});
       })},
      {"BN_BAD_VARIANCE", "infinite shift", Behind([=](Net& net, ValueId y) {
         return net.BatchNorm(y, 1, {1, 1, 1, 1}, {0, kInfinity, 0, 0});
       })},
      {"OVERFLOW", "of a weight", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(y, 1, {1, 3e38, 1, 1}, {0, 0, 0, 0});
       })},
      {"OVERFLOW", "of the bias", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(y, 1, {1, 1, 1, 1}, {0, -1e39, 0, 0});
       })},
      {"UNDERFLOW", "of a whole channel", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(y, 1, {1, 1e-42, 1, 1}, {0, 0, 0, 0});
       })},
      {"PRODUCER_NOT_LINEAR", "an input of the network", [] {
         Net net;
         net.Output(net.BatchNorm(net.Input({2, 4, 5, 5})));
         return std::move(net.graph);
       }},
      {"PRODUCER_NOT_LINEAR", "a maximum of two", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(net.Binary(fb::BinaryKind::Max, y, net.Weights({4, 1, 1})));
       })},
      {"PRODUCER_NOT_LINEAR", "a softmax", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(net.Add(fb::SoftmaxT{.axis = 1}, {y}));
       })},
      {"PRODUCER_NOT_LINEAR", "a shift behind Relu", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(net.Relu(y), 1, {1, 2, 1, 2}, {1, 1, 1, 1});
       })},
      {"PRODUCER_MULTI_USE", "read twice", Behind([](Net& net, ValueId y) {
         net.Output(net.Relu(y));
         return net.BatchNorm(y);
       })},
      {"PRODUCER_IS_OUTPUT", "seen by the caller", Behind([](Net& net, ValueId y) {
         net.Output(y);
         return net.BatchNorm(y);
       })},
      {"WEIGHT_NOT_CONST", "weights from the caller", [] {
         Net net;
         net.Output(net.BatchNorm(net.MatMul(net.Input({3, 4}), net.Input({4, 4}))));
         return std::move(net.graph);
       }},
      {"WEIGHT_NOT_CONST", "within a scale of such a product", [] {
         Net net;
         const ValueId y = net.MatMul(net.Input({3, 4}), net.Input({4, 4}));
         const ValueId scaled = net.Binary(fb::BinaryKind::Mul, y, net.Weights({4}));
         net.Output(net.BatchNorm(scaled));
         return std::move(net.graph);
       }},
      {"AXIS_MISMATCH", "rows of a product", [] {
         Net net;
         net.Output(net.BatchNorm(net.MatMul(net.Input({2, 4, 4}), net.Weights({4, 4}))));
         return std::move(net.graph);
       }},
      {"AXIS_MISMATCH", "ONNX Runtime's MatMul, Transpose", [] {
         Net net;
         net.Output(net.BatchNorm(
             net.Transpose(net.MatMul(net.Input({6, 4}), net.Weights({4, 6})), {1, 0})));
         return std::move(net.graph);
       }},
      {"AXIS_MISMATCH", "ONNX Runtime's MatMul, Reshape", [] {
         Net net;
         net.Output(net.BatchNorm(
             net.Reshape(net.MatMul(net.Input({6, 4}), net.Weights({4, 6})), {2, 6, 3})));
         return std::move(net.graph);
       }},
      {"GEMM_BIAS_SHAPE", "one number a row", [] {
         Net net;
         net.Output(net.BatchNorm(
             net.MatMul(net.Input({3, 5}), net.Weights({5, 4}), net.Weights({3, 1}))));
         return std::move(net.graph);
       }},
      {"ACT_NOT_HOMOGENEOUS", "Relu6", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(net.Unary(y, UnaryKind::kClip, 0, 6), 1, {1, 2, 1, 2}, {0, 0, 0, 0});
       })},
      {"NEG_SCALE", "behind Relu", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(net.Relu(y), 1, {1, -2, 1, 2}, {0, 0, 0, 0});
       })},
      {"NEG_SCALE", "behind maxima", Behind([](Net& net, ValueId y) {
         const ValueId maxima = net.Add(Pool(fb::PoolKind::Max), {y});
         return net.BatchNorm(maxima, 1, {1, -2, 1, 2}, {0, 1, 0, 1});
       })},
      {"GATE", "a squeeze-and-excitation gate", Behind([](Net& net, ValueId y) {
         fb::ReduceT mean;
         mean.kind = fb::ReduceKind::Mean;
         mean.axes = {2, 3};
         const ValueId middle = net.Add(std::move(mean), {y});
         const ValueId gate = net.Conv(middle, {.outputs = 4, .kernel = {1, 1}});
         return net.BatchNorm(net.Binary(fb::BinaryKind::Mul, y, gate));
       })},
      {"ADD_ONE_SIDED", "a skip connection", [] {
         Net net;
         const ValueId x = net.Input({2, 4, 5, 5});
         const ValueId y = net.Conv(net.Relu(x), {.outputs = 4, .kernel = {1, 1}});
         net.Output(net.BatchNorm(net.Binary(fb::BinaryKind::Add, x, y)));
         return std::move(net.graph);
       }},
      {"POOL_INCLUDE_PAD", "an average with padding", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(net.Add(Pool(fb::PoolKind::Average), {y}));
       })},
      {"DTYPE_CAST", "float64 between", Behind([](Net& net, ValueId y) {
         fb::CastT cast;
         cast.to = static_cast<uint8_t>(ElementType::kFloat64);
         return net.BatchNorm(net.Add(std::move(cast), {y}));
       })},
      {"DYNAMIC_SHAPE", "parts of sizes not known", [] {
         Net net;
         const ValueId x = net.Input({2, kUnknownDim, 5});
         const ValueId w = net.Weights({5, 5});
         fb::ConcatT concat;
         concat.axis = 1;
         const ValueId y = net.Add(std::move(concat), {net.MatMul(x, w), net.MatMul(x, w)});
         net.Output(net.BatchNorm(y, 1, {1, 2, 3, 4}, {1, 2, 3, 4}));
         return std::move(net.graph);
       }},
      {"PAD_SHIFT", "a border of zeros", Behind([](Net& net, ValueId y) {
         return net.BatchNorm(
             net.Add(fb::PadT{}, {y, net.Int64s({0, 0, 1, 1, 0, 0, 1, 1})}));
       })},
      {"NO_PROLOGUE", "in front of a window", [] {
         Net net;
         const ValueId x = net.Input({2, 4, 5, 5});
         net.Output(x);
         net.Output(net.Add(Pool(fb::PoolKind::Max), {net.Relu(net.BatchNorm(x))}));
         return std::move(net.graph);
       }},
      {"NO_PROLOGUE", "in front of a depthwise convolution", [] {
         Net net;
         const ValueId x = net.Input({2, 4, 5, 5});
         net.Output(x);
         net.Output(net.Conv(net.Relu(net.BatchNorm(x)), {.outputs = 4, .group = 4}));
         return std::move(net.graph);
       }},
      {"FOLDING_OFF", "as asked", Behind([](Net& net, ValueId y) { return net.BatchNorm(y); }),
       {.fold = false}},
  };
}

TEST(MustNotFold, EveryReasonKeepsItsNetworkRight) {
  std::set<std::string_view> tested;
  for (const Case& test : Cases()) {
    SCOPED_TRACE(std::string(test.code) + ": " + test.what);
    const Graph converted = ExpectSameAnswers(test.make(), 1e-5, test.options);
    ASSERT_EQ(converted.batch_norms.size(), 1u);
    EXPECT_EQ(Fate(converted), std::string("KEPT ") + test.code);
    EXPECT_FALSE(converted.batch_norms[0].detail.empty());
    EXPECT_FALSE(converter::RemedyFor(test.code).empty());
    tested.insert(test.code);
  }
  for (const converter::Reason& reason : converter::Reasons()) {
    EXPECT_TRUE(tested.contains(reason.code)) << reason.code << " has no test network";
  }
}

// A fold forward that fails for this leaves the word to the fold backward.
constexpr const char* kNeverSaid = "BN_OUTPUT_MULTI_USE";

// A code is a string of capitals with an underscore, or one of two words.
TEST(MustNotFold, EveryCodeInTheSourceIsListed) {
  std::set<std::string> listed;
  for (const converter::Reason& reason : converter::Reasons()) listed.emplace(reason.code);
  const std::regex code("\"([A-Z]+(?:_[A-Z]+)+|OVERFLOW|UNDERFLOW|GATE)\"");
  size_t found = 0;
  const std::filesystem::path root = PLEAT_SOURCE_DIR;
  std::vector<std::filesystem::path> files = {root / "converter/import/batch_norm.cc"};
  for (const auto& entry : std::filesystem::directory_iterator(root / "converter/passes")) {
    if (entry.path().extension() == ".cc") files.push_back(entry.path());
  }
  for (const auto& path : files) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    const std::string source = text.str();
    for (std::sregex_iterator it(source.begin(), source.end(), code), end; it != end; ++it) {
      ++found;
      const std::string name = (*it)[1];
      EXPECT_TRUE(listed.contains(name) || name == kNeverSaid) << name << " in " << path;
    }
  }
  EXPECT_GT(found, 40u);
}

}  // namespace
}  // namespace pleat::tests
