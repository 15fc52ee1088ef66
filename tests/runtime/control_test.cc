// Subgraphs: what is refused before a run, and what a file keeps.
#include <gtest/gtest.h>

#include "runtime/model_file.h"
#include "runtime/session.h"

namespace pleat::runtime {
namespace {

const Type kF32 = {ElementType::kFloat32, true, {2}};
const Type kBool = {ElementType::kBool, true, {}};
const Type kInt64 = {ElementType::kInt64, true, {}};

// One node on x (and w, when there is one): y = x + x or x + w.
Graph Adds(bool constant) {
  Graph graph;
  const ValueId x = graph.AddValue("x", kF32);
  const ValueId w =
      constant ? graph.AddConstant("w", Tensor::Vector(std::vector<float>{10, 20})) : x;
  const ValueId y = graph.AddValue("y", kF32);
  graph.inputs = {x};
  graph.outputs = {y};
  graph.nodes.push_back(MakeNode("add", fb::BinaryT{}, {x, w}, {y}));
  return graph;
}

Graph Chooses() {
  Graph graph;
  const ValueId c = graph.AddValue("c", kBool), x = graph.AddValue("x", kF32);
  const ValueId y = graph.AddValue("y", kF32);
  graph.inputs = {c, x};
  graph.outputs = {y};
  graph.nodes.push_back(MakeNode("if", fb::IfT{}, {c, x}, {y}));
  graph.nodes[0].subgraphs = {Adds(false), Adds(true)};
  return graph;
}

// v goes round: v + v.
Graph Loops() {
  Graph body;
  const ValueId i = body.AddValue("i", kInt64), c = body.AddValue("c", kBool);
  const ValueId v = body.AddValue("v", kF32), again = body.AddValue("again", kBool);
  const ValueId next = body.AddValue("next", kF32);
  body.inputs = {i, c, v};
  body.outputs = {again, next};
  body.nodes.push_back(MakeNode("again", fb::IdentityT{}, {c}, {again}));
  body.nodes.push_back(MakeNode("add", fb::BinaryT{}, {v, v}, {next}));
  Graph graph;
  const ValueId m = graph.AddValue("m", kInt64), x = graph.AddValue("x", kF32);
  const ValueId y = graph.AddValue("y", kF32);
  graph.inputs = {m, x};
  graph.outputs = {y};
  fb::LoopT fields;
  fields.carried = 1;
  graph.nodes.push_back(MakeNode("loop", std::move(fields), {m, kNoValue, x}, {y}));
  graph.nodes[0].subgraphs.push_back(std::move(body));
  return graph;
}

Status Check(Graph graph) {
  PLEAT_RETURN_IF_ERROR(CheckGraph(graph));
  return InferGraph(graph, false);
}

void ExpectRefused(const Graph& graph, StatusCode code, const std::string& words) {
  const Status status = Check(graph);
  EXPECT_EQ(status.code(), code);
  EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  const std::string file = SerializeGraph(graph);
  EXPECT_EQ(ParseGraph(std::as_bytes(std::span(file)), nullptr).status().code(), code);
}

TEST(Control, WhatDoesNotFitIsRefused) {
  ASSERT_TRUE(Check(Chooses()).ok());
  ASSERT_TRUE(Check(Loops()).ok());
  Graph graph = Chooses();
  graph.nodes[0].subgraphs.pop_back();
  ExpectRefused(graph, StatusCode::kInvalidModel, "expected 2 subgraphs, got 1");
  graph = Chooses();
  graph.nodes[0].inputs.push_back(graph.inputs[1]);
  ExpectRefused(graph, StatusCode::kInvalidModel, "expected 2 inputs of a branch, got 1");
  graph = Chooses();
  graph.nodes[0].inputs[0] = graph.inputs[1];
  ExpectRefused(graph, StatusCode::kInvalidModel, "condition");
  graph = Chooses();
  graph.nodes[0].subgraphs[1].values[0].type.element = ElementType::kInt64;
  EXPECT_FALSE(Check(graph).ok());
  graph = Chooses();
  graph.nodes[0].subgraphs[0].nodes[0].inputs[0] = 99;
  ExpectRefused(graph, StatusCode::kInvalidModel, "names no value");
  graph = Adds(false);
  graph.nodes[0].subgraphs.push_back(Adds(false));
  ExpectRefused(graph, StatusCode::kInvalidModel, "without subgraphs");
  for (const int64_t carried : {int64_t{-1}, int64_t{2}, INT64_MAX}) {
    graph = Loops();
    graph.nodes[0].As<fb::LoopT>()->carried = carried;
    EXPECT_FALSE(Check(graph).ok()) << carried;
  }
  graph = Loops();
  std::swap(graph.nodes[0].subgraphs[0].outputs[0], graph.nodes[0].subgraphs[0].outputs[1]);
  ExpectRefused(graph, StatusCode::kInvalidModel, "expected");
}

// s + e goes round and is gathered, over the rows of xs.
Graph Scans() {
  Graph body;
  const ValueId s = body.AddValue("s", kF32), e = body.AddValue("e", kF32);
  const ValueId sum = body.AddValue("sum", kF32), row = body.AddValue("row", kF32);
  body.inputs = {s, e};
  body.outputs = {sum, row};
  body.nodes.push_back(MakeNode("add", fb::BinaryT{}, {s, e}, {sum}));
  body.nodes.push_back(MakeNode("row", fb::IdentityT{}, {sum}, {row}));
  Graph graph;
  const ValueId first = graph.AddValue("first", kF32);
  const ValueId xs = graph.AddValue("xs", {ElementType::kFloat32, true, {3, 2}});
  const ValueId last = graph.AddValue("last", kF32), rows = graph.AddValue("rows", kF32);
  graph.inputs = {first, xs};
  graph.outputs = {last, rows};
  fb::ScanT fields;
  fields.states = 1;
  fields.input_axes = fields.output_axes = {0};
  fields.input_reversed = fields.output_reversed = {false};
  graph.nodes.push_back(MakeNode("scan", std::move(fields), {first, xs}, {last, rows}));
  graph.nodes[0].subgraphs.push_back(std::move(body));
  return graph;
}

// What the rule says of the graph once the node, or its first subgraph, is changed.
template <class Change>
void ExpectSays(Graph graph, Change&& change, const std::string& words) {
  change(graph.nodes[0], graph.nodes[0].subgraphs[0]);
  ExpectRefused(graph, StatusCode::kInvalidModel, words);
}

TEST(Control, EachMisfitOfAnIfIsNamed) {
  ExpectSays(Chooses(), [](Node&, Graph& branch) { branch.outputs.push_back(0); },
             "expected 1 outputs of a branch, got 2");
  ExpectSays(Chooses(), [](Node& node, Graph&) { node.inputs[1] = kNoValue; },
             "a value its subgraph needs is left out");
  ExpectSays(Chooses(), [](Node& node, Graph&) { node.inputs[0] = kNoValue; },
             "expected a condition of bool");
  ExpectSays(Chooses(), [](Node&, Graph& branch) {
    branch.values[0].type.element = ElementType::kInt64;
  }, "expected input 1 of int64, got float32");
  ExpectSays(Chooses(), [](Node&, Graph& branch) {
    fb::CastT cast;
    cast.to = static_cast<uint8_t>(ElementType::kInt64);
    branch.nodes = {MakeNode("cast", std::move(cast), {0}, branch.outputs)};
  }, "expected output 0 of int64, got float32");
}

TEST(Control, EachMisfitOfALoopIsNamed) {
  ExpectSays(Loops(), [](Node& node, Graph&) { node.subgraphs.push_back(Adds(false)); },
             "expected 1 subgraphs, got 2");
  for (const int64_t carried : {-1, 2}) {
    ExpectSays(Loops(), [&](Node& node, Graph&) { node.As<fb::LoopT>()->carried = carried; },
               "expected inputs for " + std::to_string(carried) + " carried values, got 3");
  }
  ExpectSays(Loops(), [](Node& node, Graph&) { node.inputs.resize(1); },
             "expected inputs for 1 carried values, got 1");
  ExpectSays(Loops(), [](Node&, Graph& body) { body.inputs.push_back(body.AddValue("z", kF32)); },
             "expected 3 inputs of the body, got 4");
  ExpectSays(Loops(), [](Node&, Graph& body) { body.outputs.pop_back(); },
             "expected 2 outputs of the body, got 1");
  ExpectSays(Loops(), [](Node& node, Graph& body) {
    node.As<fb::LoopT>()->carried = 2;
    node.inputs.push_back(node.inputs[2]);
    body.inputs.push_back(body.AddValue("z", kF32));
  }, "expected an output per carried value");
  ExpectSays(Loops(), [](Node& node, Graph&) { node.inputs[0] = node.inputs[2]; },
             "expected input 0 of int64, got float32");
  ExpectSays(Loops(), [](Node& node, Graph&) { node.inputs[1] = node.inputs[2]; },
             "expected input 1 of bool, got float32");
  ExpectSays(Loops(), [](Node& node, Graph&) { node.inputs[2] = kNoValue; },
             "a value its subgraph needs is left out");
  ExpectSays(Loops(), [](Node&, Graph& body) { body.values[0].type = kF32; },
             "expected body input 0 of int64, got float32");
  ExpectSays(Loops(), [](Node&, Graph& body) { body.values[1].type = kInt64; },
             "expected body input 1 of bool, got int64");
  ExpectSays(Loops(), [](Node&, Graph& body) { body.outputs[0] = body.inputs[0]; },
             "expected body output 0 of bool, got int64");
  ExpectSays(Loops(), [](Node&, Graph& body) { body.outputs[1] = body.inputs[0]; },
             "expected result 0 of float32, got int64");
}

TEST(Control, EachMisfitOfAScanIsNamed) {
  ASSERT_TRUE(Check(Scans()).ok()) << Check(Scans()).message();
  const auto says = [](auto&& change, const std::string& words) {
    ExpectSays(Scans(), [&](Node& node, Graph& body) { change(*node.As<fb::ScanT>(), node, body); },
               words);
  };
  says([](fb::ScanT&, Node& node, Graph&) { node.subgraphs.push_back(Adds(false)); },
       "expected 1 subgraphs, got 2");
  says([](fb::ScanT& scan, Node&, Graph&) { scan.input_reversed = {false, true}; },
       "expected 1 input directions, got 2");
  says([](fb::ScanT& scan, Node&, Graph&) { scan.output_reversed = {}; },
       "expected 1 output directions, got 0");
  says([](fb::ScanT& scan, Node&, Graph&) { scan.input_axes = {}, scan.input_reversed = {}; },
       "expected at least one sequence");
  for (const int64_t states : {-1, 2}) {
    says([&](fb::ScanT& scan, Node&, Graph&) { scan.states = states; },
         "inputs for " + std::to_string(states) + " states, got 2");
  }
  says([](fb::ScanT&, Node&, Graph& body) { body.inputs.push_back(body.AddValue("z", kF32)); },
       "expected 2 inputs of the body, got 3");
  says([](fb::ScanT& scan, Node&, Graph&) { scan.output_axes = {}, scan.output_reversed = {}; },
       "expected 1 outputs, got 2");
  says([](fb::ScanT&, Node&, Graph& body) { body.outputs.pop_back(); },
       "expected 2 outputs of the body, got 1");
  says([](fb::ScanT&, Node& node, Graph&) { node.inputs[0] = kNoValue; },
       "a value its subgraph needs is left out");
  says([](fb::ScanT&, Node&, Graph& body) {
    for (Value& value : body.values) value.type.element = ElementType::kFloat64;
  }, "expected input 0 of float64, got float32");
  says([](fb::ScanT&, Node&, Graph& body) {
    fb::CastT cast;
    cast.to = static_cast<uint8_t>(ElementType::kInt64);
    body.nodes.push_back(MakeNode("cast", std::move(cast), {0}, {body.AddValue("c", kInt64)}));
    body.outputs[0] = body.nodes.back().outputs[0];
  }, "expected result 0 of float32, got int64");
  says([](fb::ScanT& scan, Node&, Graph&) { scan.input_axes = {2}; }, "axis 2 is outside [-2, 2)");
  says([](fb::ScanT& scan, Node&, Graph&) { scan.output_axes = {2}; }, "axis 2 is outside [-2, 2)");
  Graph graph = Scans();
  graph.inputs.push_back(graph.AddValue("ys", {ElementType::kFloat32, true, {4, 2}}));
  graph.nodes[0].inputs.push_back(graph.inputs.back());
  graph.nodes[0].As<fb::ScanT>()->input_axes = {0, 0};
  graph.nodes[0].As<fb::ScanT>()->input_reversed = {false, false};
  Graph& body = graph.nodes[0].subgraphs[0];
  body.inputs.push_back(body.AddValue("f", kF32));
  ExpectRefused(graph, StatusCode::kInvalidModel, "its sequences have 3 and 4 slices");
}

TEST(Control, DepthIsLimited) {
  Graph graph = Chooses();
  for (int depth = 1; depth < kMaxSubgraphDepth; ++depth) {
    Graph outer = Chooses();
    // The inner graph has inputs c and x as well: pass both.
    outer.nodes[0].inputs = {outer.inputs[0], outer.inputs[0], outer.inputs[1]};
    outer.nodes[0].subgraphs[0] = std::move(graph);
    graph = std::move(outer);
    Graph small = Adds(false);
    const ValueId c = small.AddValue("c", kBool);
    small.inputs.insert(small.inputs.begin(), c);
    graph.nodes[0].subgraphs[1] = std::move(small);
  }
  EXPECT_TRUE(Check(graph).ok()) << Check(graph).message();
  const std::string file = SerializeGraph(graph);
  EXPECT_TRUE(ParseGraph(std::as_bytes(std::span(file)), nullptr).ok());
  Graph outer = Chooses();
  outer.nodes[0].inputs = {outer.inputs[0], outer.inputs[0], outer.inputs[1]};
  Graph small = graph.nodes[0].subgraphs[1];
  outer.nodes[0].subgraphs = {std::move(graph), std::move(small)};
  ExpectRefused(outer, StatusCode::kLimitExceeded, "deep");
}

TEST(Control, RunsFromAFile) {
  const std::string file = SerializeGraph(Chooses());
  const auto model = Model::FromBytes(std::as_bytes(std::span(file)));
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->weight_bytes(), 8u);
  Session session(*model, {});
  const Tensor x = Tensor::Vector(std::vector<float>{1, 2});
  for (const bool c : {true, false, true}) {
    const auto result = session.Run({Tensor::Of<bool>({}, std::span<const bool>(&c, 1)), x});
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(ToDoubles((*result)[0]),
              c ? (std::vector<double>{2, 4}) : (std::vector<double>{11, 22}));
  }
}

TEST(Control, RunsInDouble) {
  const auto model = Model::FromGraph(PromoteToDouble(Loops()));
  ASSERT_TRUE(model.ok());
  Session session(*model, {.share_buffers = false});
  const int64_t trips = 3;
  const auto result = session.Run({Tensor::Of<int64_t>({}, std::span<const int64_t>(&trips, 1)),
                                   Tensor::Vector(std::vector<double>{1, 0.1})});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(ToDoubles((*result)[0]), (std::vector<double>{8, 0.8}));
  EXPECT_EQ(session.ValueAfterRun(model.value()->graph().outputs[0]).count(), 2);
}

}  // namespace
}  // namespace pleat::runtime
