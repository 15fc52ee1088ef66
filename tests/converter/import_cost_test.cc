// The cost of conversion, loading and planning grows with the number of nodes, not with its square.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
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

// One value that so many nodes read, each with neighbours that fold or go, and one node that reads
// what all of them make.
std::string Hub(int nodes, const std::string& last) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2, 1, 1}).Weight("w", {2, 2, 1, 1}, {0.5f, 0, 0, 0.5f});
  builder.Weight("c", {2, 1, 1}, {3, 4}).Node("Conv", {"x", "w"}, {"hub"});
  std::vector<std::string> made;
  for (int i = 0; i < nodes / 4; ++i) {
    const std::string name = std::to_string(i);
    builder.Node("Identity", {"hub"}, {"i" + name}).Node("Conv", {"i" + name, "w"}, {"v" + name});
    builder.Node("Mul", {"v" + name, "c"}, {"m" + name}).Node("Relu", {"m" + name}, {"r" + name});
    made.push_back("r" + name);
    if (i % 2 == 0) made.push_back("i" + name);
  }
  if (last == "Sum") {
    builder.Node(last, made, {"y"});
  } else {
    builder.Node(last, made, {"y"}, {{"axis", int64_t{1}}});
  }
  return builder.Output("y").Bytes();
}

// A chain of sums of products with a skip around each, and of steps that let a scale pass.
std::string Skips(int nodes) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2, 1, 1}).Weight("w", {2, 2, 1, 1}, {0.5f, 0, 0, 0.5f});
  builder.Weight("g", {2}, {1, 2}).Weight("b", {2}, {0, 1}).Weight("c", {1}, {0.5f});
  std::string last = "x";
  for (int i = 0; i < nodes / 6; ++i) {
    const std::string name = std::to_string(i);
    builder.Node("Conv", {last, "w"}, {"v" + name}).Node("Conv", {last, "w"}, {"u" + name});
    builder.Node("Add", {"v" + name, "u" + name}, {"t" + name});
    builder.Node("BatchNormalization", {"t" + name, "g", "b", "b", "g"}, {"n" + name});
    builder.Node("Add", {"n" + name, last}, {"s" + name});
    builder.Node("Mul", {"s" + name, "c"}, {"m" + name});
    last = "m" + name;
  }
  return builder.Output(last).Bytes();
}

// A chain of steps that all let a scale pass, with scales between them.
std::string Links(int nodes) {
  OnnxBuilder builder(13);
  builder.Input("x", {1, 2, 1, 1}).Weight("c", {1}, {0.999f});
  std::string last = "x";
  for (int i = 0; i < nodes; ++i) {
    const std::string next = "v" + std::to_string(i);
    if (i % 2 == 0) {
      builder.Node("Relu", {last}, {next});
    } else {
      builder.Node("Mul", {last, "c"}, {next});
    }
    last = next;
  }
  return builder.Output(last).Bytes();
}

// Processor seconds to convert, write, load and plan.
double SecondsFor(const std::string& onnx) {
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

using Make = std::string (*)(int nodes);
constexpr std::pair<const char*, Make> kNetworks[] = {
    {"a chain", Chain},
    {"a value with many readers", [](int nodes) { return Hub(nodes, "Concat"); }},
    {"a sum of many", [](int nodes) { return Hub(nodes, "Sum"); }},
    {"skips", Skips},
    {"links", Links},
};

TEST(ImportCostTest, IsLinear) {
  for (const auto& [what, make] : kNetworks) {
    const double few = SecondsFor(make(300)), many = SecondsFor(make(3000));
    // A tenth of the work of any quadratic step would show as 10 times more than this.
    EXPECT_LT(many, 30 * few + 0.5) << what << ": " << few << " s, then " << many << " s";
  }
}

TEST(ImportCostTest, AHundredThousandNodes) {
  if (std::getenv("PLEAT_LONG_TESTS") == nullptr) GTEST_SKIP() << "set PLEAT_LONG_TESTS";
  for (const auto& [what, make] : kNetworks) {
    const std::string onnx = make(100000);
    const pid_t child = fork();  // memory is counted by process
    if (child == 0) {
      const double seconds = SecondsFor(onnx);
      std::printf("%s: %.1f s\n", what, seconds);
      std::fflush(stdout);
      _exit(testing::Test::HasFailure() || seconds >= 10 ? 1 : 0);
    }
    int status = 0;
    rusage usage{};
    ASSERT_EQ(wait4(child, &status, 0, &usage), child);
    EXPECT_EQ(status, 0) << what << ": not converted within 10 s";
    EXPECT_LT(usage.ru_maxrss, 1 << 20) << what << ": kilobytes";
    std::printf("%s: %ld MiB\n", what, usage.ru_maxrss / 1024);
  }
}

TEST(ImportCostTest, TensorsStayWithinTheirLimit) {
  OnnxBuilder builder(13);  // half a kilobyte that asks for 4 x 16 MiB
  builder.Input("x", {1}).Int64s("size", {4 << 20});
  std::string last = "x";
  for (int i = 0; i < 4; ++i) {
    const std::string name = std::to_string(i), next = "y" + name;
    builder.Node("ConstantOfShape", {"size"}, {"w" + name}).Node("Add", {last, "w" + name}, {next});
    last = next;
  }
  builder.Output(last);
  ConvertOptions options;
  const std::string bytes = builder.Bytes();
  const auto convert = [&](int64_t limit) {
    options.limits.memory_bytes = limit;
    return ConvertOnnx(std::as_bytes(std::span(bytes)), options).status();
  };
  EXPECT_TRUE(convert(0).ok());
  EXPECT_TRUE(convert(int64_t{1} << 30).ok());
  const runtime::Status refused = convert(40 << 20);
  EXPECT_EQ(refused.code(), runtime::StatusCode::kLimitExceeded) << refused.message();
  EXPECT_NE(refused.message().find("more than the limit of 41943040"), std::string::npos)
      << refused.message();
}

}  // namespace
}  // namespace pleat::converter
