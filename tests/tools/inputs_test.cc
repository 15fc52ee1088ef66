#include "tools/inputs.h"

#include <gtest/gtest.h>

#include "runtime/session.h"
#include "tests/tools/temp_folder.h"
#include "tools/network.h"
#include "tools/npy.h"
#include "tools/npz.h"

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Graph;
using runtime::kUnknownDim;
using runtime::Result;
using runtime::Shape;
using runtime::StatusCode;
using runtime::Tensor;

Graph Inputs(std::vector<runtime::Value> values) {
  Graph graph;
  for (runtime::Value& value : values) {
    graph.inputs.push_back(static_cast<int>(graph.values.size()));
    graph.values.push_back(std::move(value));
  }
  return graph;
}

TEST(InputsTest, FilesAreFoundByName) {
  const TempFolder folder;
  const Graph graph = Inputs({{"a", {.shape = {2}}}, {"b", {.shape = {kUnknownDim, 1}}}});
  ASSERT_TRUE(WriteNpy(folder / "a.npy", Tensor::Vector<float>({1, 2})).ok());
  ASSERT_TRUE(WriteNpy(folder / "b.npy", Tensor::Vector<float>({3}).Reshaped({1, 1})).ok());
  const std::string a = "a=" + folder / "a.npy", b = "b=" + folder / "b.npy";

  const auto both = ReadInputs(graph, {b, a, b}, {});
  ASSERT_TRUE(both.ok()) << both.status().message();
  EXPECT_EQ((*both)[0].data<float>()[1], 2);
  EXPECT_EQ((*both)[1].shape(), (Shape{2, 1})) << "the second b joins the batch";

  EXPECT_EQ(ReadInputs(graph, {a}, {}).status().message(), "no --input for 'b' (float32[?,1])");
  EXPECT_EQ(ReadInputs(graph, {a, folder / "b.npy"}, {}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadInputs(graph, {a, b, a}, {}).status().message(),
            "input 'a': expected float32[2], got float32[4]");
  EXPECT_EQ(ReadInputs(graph, {a, "b=x.txt"}, {}).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadInputs(graph, {a, "b=x.npy"}, {}).status().code(), StatusCode::kIo);
}

TEST(InputsTest, TheNameMayBeLeftOutOfOneInput) {
  const TempFolder folder;
  const Graph graph = Inputs({{"a", {.shape = {2}}}});
  ASSERT_TRUE(WriteNpy(folder / "x.npy", Tensor::Vector<float>({1, 2})).ok());
  EXPECT_TRUE(ReadInputs(graph, {folder / "x.npy"}, {}).ok());
  ASSERT_TRUE(WriteNpy(folder / "d.npy", Tensor::Vector<double>({1, 2})).ok());
  EXPECT_EQ(ReadInputs(graph, {folder / "d.npy"}, {}).status().message(),
            "input 'a': expected float32[2], got float64[2]");
}

TEST(InputsTest, ArchivesGoByName) {
  const TempFolder folder;
  const Graph graph = Inputs({{"a", {.shape = {2}}}, {"b", {.shape = {1}}}});
  const Tensor a = Tensor::Vector<float>({1, 2}), b = Tensor::Vector<float>({3});
  const auto write = [&](const std::string& name, const std::vector<NamedArray>& arrays) {
    return folder.Write(name, *SerializeNpz(arrays));
  };
  const std::string named = write("named.npz", {{"b", b}, {"label", b}, {"a", a}});
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{named},
                                             {"b=" + named, "a=" + named},
                                             {write("placed.npz", {{"arr_0", a}, {"arr_1", b}})},
                                             {"a=" + write("x.npz", {{"x", a}}),
                                              "b=" + write("y.npz", {{"y", b}})}}) {
    const auto both = ReadInputs(graph, flags, {});
    ASSERT_TRUE(both.ok()) << both.status().message();
    EXPECT_EQ((*both)[0].data<float>()[1], 2);
    EXPECT_EQ((*both)[1].data<float>()[0], 3);
  }
  EXPECT_EQ(ReadInputs(graph, {write("mistyped.npz", {{"a", a}, {"bb", b}})}, {}).status().message(),
            "no --input for 'b' (float32[1]); arrays that are no input: 'bb'");
  EXPECT_EQ(ReadInputs(graph, {folder / "none.npz"}, {}).status().code(), StatusCode::kIo);
  EXPECT_EQ(ReadInputs(graph, {folder.Write("bad.npz", "PK")}, {}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(InputsTest, FilesWithoutAnEndingAreKnownByTheirBytes) {
  const TempFolder folder;
  const Graph graph = Inputs({{"a", {.shape = {2}}}});
  const Tensor a = Tensor::Vector<float>({1, 2});
  for (const std::string& bytes : {SerializeNpy(a), *SerializeNpz({{"a", a}})}) {
    const auto read = ReadInputs(graph, {folder.Write("data", bytes)}, {});
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ((*read)[0].data<float>()[1], 2);
  }
}

TEST(InputsTest, ShapesAreParsed) {
  const auto shapes = ParseShapes({"x:1,3,?,224", "a:0:7", "s:", "l:[1,3,?]", "t:1x3x?", "w:N,3,height"});
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  EXPECT_EQ(shapes->at("l"), (Shape{1, 3, kUnknownDim}));
  EXPECT_EQ(shapes->at("t"), (Shape{1, 3, kUnknownDim}));
  EXPECT_EQ(shapes->at("w"), (Shape{kUnknownDim, 3, kUnknownDim}));
  EXPECT_EQ(shapes->at("x"), (Shape{1, 3, kUnknownDim, 224}));
  EXPECT_EQ(shapes->at("a:0"), (Shape{7}));
  EXPECT_EQ(shapes->at("s"), (Shape{}));
  for (const char* wrong : {"x", ":1", "x:1,,2", "x:-1", "x:1.5", "x:99999999999999999999"}) {
    EXPECT_EQ(ParseShapes({wrong}).status().code(), StatusCode::kInvalidArgument) << wrong;
  }
  EXPECT_FALSE(ParseShapes({"x:1", "x:1"}).ok());
}

// Whether the numbers that are not zero fill [2, 224] shows only when the network runs.
TEST(InputsTest, SizesAreChosenThatTheWholeRunAccepts) {
  Graph graph = Inputs({{"x", {.shape = {1, kUnknownDim}}}});
  const auto places = graph.AddValue("places");
  const auto y = graph.AddValue("y");
  const auto shape = graph.AddConstant("shape", Tensor::Vector<int64_t>({2, 224}));
  graph.outputs = {y};
  graph.nodes.push_back(runtime::MakeNode("find", runtime::fb::NonZeroT(), {0}, {places}));
  graph.nodes.push_back(runtime::MakeNode("fill", runtime::fb::ReshapeT(), {places, shape}, {y}));
  const auto model = runtime::Model::FromGraph(std::move(graph));
  ASSERT_TRUE(model.ok()) << model.status().message();
  runtime::Session session(*model, {});
  std::vector<std::string> assumed;
  const auto shapes = ChooseRunnableShapes(session, {}, &assumed);
  ASSERT_TRUE(shapes.ok()) << shapes.status().message();
  EXPECT_EQ(*shapes, (std::vector<Shape>{{1, 224}}));
  EXPECT_EQ(assumed, (std::vector<std::string>{"input 'x' taken as [1,224]"}));
}

TEST(InputsTest, UnknownSizesAreChosenAlikeForOneSymbol) {
  const Graph graph =
      Inputs({{"x", {.shape = {kUnknownDim, 3, kUnknownDim}}, {"batch", "", "time"}},
              {"y", {.shape = {kUnknownDim, kUnknownDim}}, {"time", "batch"}}});
  std::vector<std::string> assumed;
  const auto shapes = ChooseShapes(graph, {}, kDefaultSize, &assumed);
  ASSERT_TRUE(shapes.ok());
  EXPECT_EQ((*shapes)[0], (Shape{1, 3, kDefaultSize}));
  EXPECT_EQ((*shapes)[1], (Shape{kDefaultSize, 1}));
  ASSERT_EQ(assumed.size(), 2u);
  EXPECT_EQ(assumed[0], "input 'x' taken as [1,3,64]");

  const auto given = ChooseShapes(graph, {{"x", {5, 3, 7}}}, kDefaultSize, &assumed);
  ASSERT_TRUE(given.ok());
  EXPECT_EQ((*given)[1], (Shape{7, 5}));
  EXPECT_FALSE(ChooseShapes(graph, {{"x", {5, 3}}}, kDefaultSize, &assumed).ok());
  EXPECT_FALSE(ChooseShapes(graph, {{"z", {5}}}, kDefaultSize, &assumed).ok());
}

TEST(InputsTest, RandomNumbersDependOnTheSeedAlone) {
  const Graph graph = Inputs({{"x", {.shape = {1000}}},
                              {"i", {.element = ElementType::kInt64, .shape = {100}}},
                              {"b", {.element = ElementType::kBool, .shape = {100}}}});
  const std::vector<Shape> shapes = {{1000}, {100}, {100}};
  const std::vector<Tensor> once = RandomInputs(graph, shapes, 1);
  EXPECT_EQ(SerializeNpy(once[0]), SerializeNpy(RandomInputs(graph, shapes, 1)[0]));
  EXPECT_NE(SerializeNpy(once[0]), SerializeNpy(RandomInputs(graph, shapes, 2)[0]));
  float low = 1, high = -1;
  for (const float x : once[0].data<float>()) low = std::min(low, x), high = std::max(high, x);
  EXPECT_GE(low, -1);
  EXPECT_LT(low, -0.9);
  EXPECT_LT(high, 1);
  EXPECT_GT(high, 0.9);
  for (const int64_t i : once[1].data<int64_t>()) EXPECT_TRUE(i == 0 || i == 1);
  EXPECT_EQ(once[2].element(), ElementType::kBool);
}

}  // namespace
}  // namespace pleat::tools
