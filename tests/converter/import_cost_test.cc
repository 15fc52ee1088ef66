// The cost of conversion, loading and planning grows with the number of nodes, not with its square.
#include <gtest/gtest.h>

#include <ctime>

#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using tests::OnnxBuilder;

// A chain of so many nodes: folds, fusions, views that go, and steps that stay.
std::string Chain(int nodes) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2, 1, 1}).Weight("w", {2, 2, 1, 1}, {0.5f, 0, 0, 0.5f});
  builder.Weight("g", {2}, {1, 2}).Weight("b", {2}, {0, 1}).Weight("c", {1}, {3});
  builder.Int64s("shape", {1, 2, 1, 1});
  std::string last = "x";
  int made = 0;
  const auto add = [&](const std::string& op, const std::vector<std::string>& more = {}) {
    std::vector<std::string> inputs = {last};
    inputs.insert(inputs.end(), more.begin(), more.end());
    last = "v" + std::to_string(++made);
    builder.Node(op, inputs, {last});
  };
  while (made < nodes) {
    add("Conv", {"w"});
    add("BatchNormalization", {"g", "b", "b", "g"});
    add("Relu");
    add("Identity");
    add("Mul", {"c"});
    add("Sigmoid");
    add("Reshape", {"shape"});
    add("Abs");
    add("Div", {"c"});
    add("Max", {"c"});
  }
  builder.Output(last);
  return builder.Bytes();
}

// Processor seconds to convert, write, load and plan a chain.
double SecondsFor(int nodes) {
  const std::string onnx = Chain(nodes);
  const std::clock_t start = std::clock();
  auto graph = ConvertOnnx(std::as_bytes(std::span(onnx)), {});
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  if (!graph.ok()) return 0;
  const std::string file = runtime::SerializeGraph(*graph);
  auto model = runtime::Model::FromBytes(std::as_bytes(std::span(file)));
  EXPECT_TRUE(model.ok()) << model.status().message();
  runtime::Session session(*model, {});
  const runtime::Shape shapes[] = {{1, 2, 1, 1}};
  EXPECT_TRUE(session.Prepare(shapes).ok());
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(ImportCostTest, IsLinear) {
  const double few = SecondsFor(2000), many = SecondsFor(20000);
  // A tenth of the work of any quadratic step would show as 10 times more than this.
  EXPECT_LT(many, 30 * few + 0.5) << few << " s for 2000 nodes, " << many << " s for 20000";
}

TEST(ImportCostTest, AHundredThousandNodes) {
  if (std::getenv("PLEAT_LONG_TESTS") == nullptr) GTEST_SKIP() << "set PLEAT_LONG_TESTS";
  EXPECT_LT(SecondsFor(100000), 10);
}

}  // namespace
}  // namespace pleat::converter
