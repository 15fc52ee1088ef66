// What the loader, the graph's check, the planner and runs refuse, one fault at a time, and what
// they say then.
#include <gtest/gtest.h>

#include <limits>

#include "runtime/plan.h"
#include "runtime/session.h"
#include "tests/runtime/movement_support.h"
#include "tests/support/model_bytes.h"

namespace pleat::tests {
namespace {

using runtime::Graph;
using runtime::InferGraph;
using runtime::kNoValue;
using runtime::kUnknownDim;
using runtime::MakeNode;
using runtime::MakePlan;
using runtime::Model;
using runtime::Session;
using runtime::Status;
using runtime::StatusCode;
using runtime::Value;
using runtime::ValueId;
namespace fb = runtime::fb;

constexpr int64_t kWide = int64_t{1} << 21;

void ExpectSays(const Status& status, const std::string& words,
                StatusCode code = StatusCode::kInvalidModel) {
  EXPECT_EQ(status.code(), code) << status.message() << "\nexpected: " << words;
  EXPECT_NE(status.message().find(words), std::string::npos)
      << status.message() << "\nexpected: " << words;
}

// x + a -> h, h + b -> y: values 0 to 4 are x, a, b, h, y.
Graph Small() {
  Graph graph;
  const ValueId x = graph.AddValue("x", FloatType({4}));
  const ValueId a = graph.AddConstant("a", Tensor::Vector<float>({1, 2, 3, 4}));
  const ValueId b = graph.AddConstant("b", Tensor::Vector<float>({5, 6, 7, 8}));
  const ValueId h = graph.AddValue("h"), y = graph.AddValue("y");
  graph.inputs = {x};
  graph.outputs = {y};
  graph.nodes.push_back(MakeNode("first", fb::BinaryT(), {x, a}, {h}));
  graph.nodes.push_back(MakeNode("second", fb::BinaryT(), {h, b}, {y}));
  return graph;
}
FileBytes SmallFile() { return BytesOf(SerializeGraph(Small())); }

Status Load(const FileBytes& file) { return Model::FromBytes(file).status(); }
template <class Edit>
Status LoadEdited(Edit&& edit) {
  return Load(Edited(SmallFile(), edit));
}

TEST(RefusedFiles, SectionsThatDoNotFitTheFile) {
  const FileBytes file = SmallFile();
  const uint64_t graph_bytes = HeaderField(file, 24);
  const auto with = [&](std::initializer_list<std::pair<size_t, uint64_t>> fields, size_t more = 0) {
    FileBytes changed = file;
    changed.resize(file.size() + more);
    for (const auto& [at, value] : fields) SetHeaderField(changed, at, value);
    RepairChecksums(changed);
    return Load(changed);
  };
  ASSERT_TRUE(with({}).ok());
  const std::string words = "which its header does not describe: cut off or extended";
  ExpectSays(with({}, 64), words);
  ExpectSays(with({{24, INT64_MAX}}), words);
  ExpectSays(with({{16, 192}, {24, graph_bytes - 64}}), words);
  // The weights begin behind the file's end, and are as long as brings their end back to it.
  const uint64_t odd = file.size() + 1, padded = (odd + 63) / 64 * 64;
  ExpectSays(with({{24, odd - kGraphAt}, {32, padded}, {40, odd - padded}}, 1), words);
}

TEST(RefusedFiles, Values) {
  ASSERT_TRUE(LoadEdited([](fb::GraphT&) {}).ok());
  ExpectSays(LoadEdited([](fb::GraphT& g) { g.values[0]->shape = {-2}; }), "value x: a size is negative");
  ExpectSays(LoadEdited([](fb::GraphT& g) { g.values[0]->ranked = false; }), "value x: a shape without a rank");
  ExpectSays(LoadEdited([](fb::GraphT& g) { g.values[2]->shape = {int64_t{1} << 40, int64_t{1} << 40}; }),
             "value b", StatusCode::kLimitExceeded);
  ExpectSays(LoadEdited([](fb::GraphT& g) {
    g.values[2]->shape = {-1};
    g.values[2]->data_bytes = ~uint64_t{0} - 3;
  }), "value b: expected the bytes of float32[?]");
  ExpectSays(LoadEdited([](fb::GraphT& g) {
    g.values[2]->shape = {1 << 20};
    g.values[2]->data_bytes = 4 << 20;
  }), "value b: its numbers do not lie where they belong");
  ExpectSays(LoadEdited([](fb::GraphT& g) {
    g.values[2]->constant = false;
    g.inputs.push_back(2);
  }), "the weights have unnamed bytes");
  ExpectSays(LoadEdited([](fb::GraphT& g) {
    g.batch_norms.push_back(std::make_unique<fb::BatchNormT>());
    g.batch_norms[0]->status = static_cast<fb::FoldStatus>(9);
  }), "a fold's status is unknown");
  Graph bools;
  const bool truth = true;
  bools.outputs = {bools.AddConstant("c", Tensor::Of<bool>({}, std::span(&truth, 1)))};
  FileBytes file = BytesOf(SerializeGraph(bools));
  ASSERT_TRUE(Load(file).ok());
  file[HeaderField(file, 32)] = std::byte{2};
  RepairChecksums(file);
  ExpectSays(Load(file), "a bool is neither 0 nor 1");
}

TEST(RefusedFiles, Graphs) {
  const auto changed = [](auto&& change) {
    Graph graph = Small();
    change(graph);
    return Model::FromGraph(std::move(graph)).status();
  };
  ASSERT_TRUE(changed([](Graph&) {}).ok());
  ExpectSays(changed([](Graph& g) { g.values[3].type = FloatType(Shape(9, 1)); }), "value h",
             StatusCode::kLimitExceeded);
  ExpectSays(changed([](Graph& g) { g.values[2].type = FloatType({2, 2}); }),
             "constant b: expected float32[2,2], got float32[4]");
  ExpectSays(changed([](Graph& g) { g.inputs.push_back(1); }), "graph input a is made twice");
  ExpectSays(changed([](Graph& g) { g.inputs[0] = 99; }), "a graph input names no value");
  ExpectSays(changed([](Graph& g) { g.inputs.push_back(g.AddValue("x")); }), "two graph inputs are called x");
  ExpectSays(changed([](Graph& g) { g.values[0].symbols = {"a", "b"}; }), "names as many sizes as it has not");
  ExpectSays(changed([](Graph& g) { g.nodes[0].op.Reset(); }), "node first has no operator");
  ExpectSays(changed([](Graph& g) { g.nodes[0].inputs[1] = 99; }), "an input names no value");
  ExpectSays(changed([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); }), "input h is read before it is made");
  ExpectSays(changed([](Graph& g) { g.nodes[1].outputs = {kNoValue}; }), "second (Binary): no outputs");
  ExpectSays(changed([](Graph& g) { g.nodes[1].outputs = {99}; }), "an output names no value");
  ExpectSays(changed([](Graph& g) { g.nodes[1].outputs = {3}; }), "output h is made twice");
  ExpectSays(changed([](Graph& g) { g.outputs = {}; }), "the graph has no outputs");
  ExpectSays(changed([](Graph& g) { g.outputs = {99}; }), "a graph output names no value");
  ExpectSays(changed([](Graph& g) { g.outputs = {g.AddValue("z")}; }), "graph output z is never made");
  Graph large;
  large.inputs = {large.AddValue("x", FloatType({kWide, 1})), large.AddValue("z", FloatType({1, kWide}))};
  large.outputs = {large.AddValue("y")};
  large.nodes.push_back(MakeNode("sum", fb::BinaryT(), {0, 1}, {2}));
  ExpectSays(InferGraph(large, false), "sum (Binary)", StatusCode::kLimitExceeded);
}

TEST(RefusedFiles, Plans) {
  Graph graph;
  const Type open = FloatType({kUnknownDim, kUnknownDim});
  graph.inputs = {graph.AddValue("x", open), graph.AddValue("z", open)};
  graph.outputs = {graph.AddValue("y", open)};
  graph.nodes.push_back(MakeNode("sum", fb::BinaryT(), {0, 1}, {2}));
  const auto plan = [&](std::vector<Shape> shapes) { return MakePlan(graph, shapes, {}).status(); };
  constexpr StatusCode kArgument = StatusCode::kInvalidArgument;
  ASSERT_TRUE(plan({{2, 3}, {2, 3}}).ok());
  ExpectSays(plan({{2, 3}}), "expected 2 inputs, got 1", kArgument);
  ExpectSays(plan({{2, 3}, {2, 3}, {2, 3}}), "expected 2 inputs, got 3", kArgument);
  ExpectSays(plan({{2, 3}, {6}}), "input z: expected shape [?,?], got [6]", kArgument);
  ExpectSays(plan({{2, 3}, {2, -3}}), "input z: expected shape [?,?]", kArgument);
  ExpectSays(plan({{2, 3}, {kWide, kWide}}), "input z", StatusCode::kLimitExceeded);
  ExpectSays(plan({{kWide, 1}, {1, kWide}}), "has more than 2^42 bytes", StatusCode::kLimitExceeded);
  const auto model = *Model::FromGraph(Small());
  Session session(model, {});
  ExpectSays(session.Run({{Tensor::Vector<double>({1, 2, 3, 4})}}).status(),
             "input x: expected float32[4], got float64[4]", kArgument);
  EXPECT_TRUE(session.Run({{Counting({4})}}).ok());
  const Tensor four = Counting({4});
  const runtime::TensorView view{four.element(), four.shape(), four.raw()};
  std::vector<runtime::OutputBuffer> buffers(2);
  ExpectSays(session.RunInto({&view, 1}, buffers, {}), "expected 1 outputs, got 2", kArgument);
}

// y = a Scan over the rows of xs and ys, both of open length, whose rows are gathered as they come:
// grown by one element each time where `grows`.
Graph Scans(bool two) {
  const Type vector = FloatType({kUnknownDim});
  Graph body;
  body.inputs = {body.AddValue("e", vector)};
  if (two) body.inputs.push_back(body.AddValue("f", vector));
  body.outputs = {body.AddValue("row", vector)};
  body.nodes.push_back(MakeNode("neg", fb::IdentityT(), {0}, {body.outputs[0]}));
  Graph graph;
  graph.inputs = {graph.AddValue("xs", FloatType({kUnknownDim, 2}))};
  if (two) graph.inputs.push_back(graph.AddValue("ys", FloatType({kUnknownDim, 2})));
  graph.outputs = {graph.AddValue("rows")};
  fb::ScanT fields;
  fields.input_axes.assign(graph.inputs.size(), 0);
  fields.input_reversed.assign(graph.inputs.size(), false);
  fields.output_axes = {0};
  fields.output_reversed = {false};
  graph.nodes.push_back(MakeNode("scan", std::move(fields), graph.inputs, graph.outputs));
  graph.nodes[0].subgraphs.push_back(std::move(body));
  return graph;
}

TEST(RefusedRuns, Scans) {
  Session both(*Model::FromGraph(Scans(true)), {});
  EXPECT_TRUE(both.Run({{Counting({3, 2}), Counting({3, 2})}}).ok());
  ExpectSays(both.Run({{Counting({3, 2}), Counting({4, 2})}}).status(),
             "its sequences have 3 and 4 slices", StatusCode::kInvalidArgument);
  Session small(*Model::FromGraph(Scans(false)), {.max_arena_bytes = 1024});
  EXPECT_TRUE(small.Run({{Counting({100, 2})}}).ok());
  ExpectSays(small.Run({{Counting({200, 2})}}).status(),
             "the slices gathered need more than the limit of 1024 bytes", StatusCode::kLimitExceeded);
}

// v goes round, grows by one element each time, and is gathered; with a condition c and trips m.
Graph Loops(bool grows) {
  const Type vector = FloatType({kUnknownDim}), open = {ElementType::kBool, false, {}};
  Graph body;
  body.inputs = {body.AddValue("i", LongType({})), body.AddValue("k", open), body.AddValue("v", vector)};
  body.outputs = {body.AddValue("again", open), body.AddValue("next", vector), body.AddValue("slice", vector)};
  body.nodes.push_back(MakeNode("again", fb::IdentityT(), {1}, {3}));
  std::vector<ValueId> parts(grows ? 2 : 1, 2);
  body.nodes.push_back(MakeNode("next", fb::ConcatT(), parts, {4}));
  body.nodes.push_back(MakeNode("slice", fb::IdentityT(), {4}, {5}));
  Graph graph;
  graph.inputs = {graph.AddValue("m", {ElementType::kInt64, false, {}}), graph.AddValue("c", open),
                  graph.AddValue("v0", vector)};
  graph.outputs = {graph.AddValue("last"), graph.AddValue("all")};
  fb::LoopT fields;
  fields.carried = 1;
  graph.nodes.push_back(MakeNode("loop", std::move(fields), graph.inputs, graph.outputs));
  graph.nodes[0].subgraphs.push_back(std::move(body));
  return graph;
}
Tensor Bools(const std::vector<char>& values) {
  Tensor tensor = Tensor::Make(ElementType::kBool, {static_cast<int64_t>(values.size())});
  for (size_t i = 0; i < values.size(); ++i) tensor.mutable_data<bool>()[i] = values[i] != 0;
  return tensor;
}

TEST(RefusedRuns, Loops) {
  constexpr StatusCode kArgument = StatusCode::kInvalidArgument;
  Session session(*Model::FromGraph(Loops(false)), {});
  const Tensor v = Counting({2});
  const auto once = session.Run({{Longs({1}), Bools({1}), v}});
  EXPECT_TRUE(once.ok()) << once.status().message();
  ExpectSays(session.Run({{Longs({1, 2}), Bools({1}), v}}).status(), "expected a trip count of one number", kArgument);
  ExpectSays(session.Run({{Longs({1}), Bools({1, 1}), v}}).status(), "expected a condition of one bool, got bool[2]", kArgument);
  ExpectSays(session.Run({{Longs({1}), Bools({}), v}}).status(), "expected a condition of one bool, got bool[0]", kArgument);
  Graph any = Loops(false);
  for (Graph* graph : {&any, &any.nodes[0].subgraphs[0]}) {
    for (Value& value : graph->values) {
      if (value.type.element == ElementType::kFloat32) value.type = UnrankedFloats();
    }
  }
  Session deep(*Model::FromGraph(std::move(any)), {});
  EXPECT_TRUE(deep.Run({{Longs({1}), Bools({1}), Counting(Shape(7, 1))}}).ok());
  ExpectSays(deep.Run({{Longs({1}), Bools({1}), Counting(Shape(8, 1))}}).status(), "rank 9 is above 8",
             StatusCode::kLimitExceeded);
  Session growing(*Model::FromGraph(Loops(true)), {});
  EXPECT_TRUE(growing.Run({{Longs({1}), Bools({1}), v}}).ok());
  ExpectSays(growing.Run({{Longs({2}), Bools({1}), v}}).status(), "iterations give slices of float32[4] and float32[8]", kArgument);
}

// Runs the tasks, and asks the session for more in the middle of each.
struct Nosy {
  Session* session = nullptr;
  std::vector<Status> said;

  static void Run(void* pool, size_t count, kernels::ThreadPool::Task task, void* argument) {
    auto& nosy = *static_cast<Nosy*>(pool);
    for (size_t i = 0; i < count; ++i) task(argument, i);
    if (nosy.session == nullptr) return;
    const Tensor x = Counting({1, 64, 64});
    const Shape shape = x.shape();
    const runtime::TensorView view{x.element(), shape, x.raw()};
    nosy.said.push_back(nosy.session->Run({{x}}).status());
    nosy.said.push_back(nosy.session->RunInto({&view, 1}, {}, {}));
    nosy.said.push_back(nosy.session->Prepare({&shape, 1}).status());
  }
};

TEST(RefusedRuns, WhileAnotherRuns) {
  Graph graph;
  graph.inputs = {graph.AddValue("x", FloatType({1, 256, 256}))};
  const ValueId w = graph.AddConstant("w", Counting({256, 256}));
  graph.outputs = {graph.AddValue("y")};
  graph.nodes.push_back(MakeNode("product", fb::MatMulT(), {0, w}, graph.outputs));
  ASSERT_TRUE(InferGraph(graph, false).ok());
  Nosy nosy;
  Session session(*Model::FromGraph(std::move(graph)),
                  {.threads = 4, .parallel_for = &Nosy::Run, .pool = &nosy});
  ASSERT_TRUE(session.Run({{Counting({1, 256, 256})}}).ok());
  nosy.session = &session;
  ASSERT_TRUE(session.Run({{Counting({1, 256, 256})}}).ok());
  ASSERT_GE(nosy.said.size(), 3u);
  for (const Status& status : nosy.said) EXPECT_EQ(status.code(), StatusCode::kBusy) << status.message();
}

TEST(RefusedRuns, SizesThatOnlyTheRunKnows) {
  Graph graph;
  graph.inputs = {graph.AddValue("x", FloatType({1})), graph.AddValue("sizes", LongType({2}))};
  graph.outputs = {graph.AddValue("y")};
  graph.nodes.push_back(MakeNode("expand", fb::ExpandT(), graph.inputs, graph.outputs));
  Session session(*Model::FromGraph(std::move(graph)), {});
  EXPECT_TRUE(session.Run({{Counting({1}), Longs({2, 3})}}).ok());
  ExpectSays(session.Run({{Counting({1}), Longs({kWide, 2 * kWide})}}).status(),
             "has more than 2^42 bytes", StatusCode::kLimitExceeded);
}

template <class T>
void ExpectRule(T fields, const std::vector<std::optional<Type>>& inputs, const std::string& words,
                const std::vector<Tensor>& known = {},
                StatusCode code = StatusCode::kInvalidModel) {
  ExpectSays(InferTypes(std::move(fields), inputs, known).status(), words, code);
}

TEST(RefusedRuns, RulesOnTheirWay) {
  constexpr StatusCode kLimit = StatusCode::kLimitExceeded;
  const Type x = FloatType({2, 3});
  ExpectRule(fb::TriluT(), {x, FloatType({})}, "expected int64 or int32, got float32");
  ExpectRule(fb::ConcatT(), {FloatType({INT64_MAX}), FloatType({1})}, "the sizes along the axis overflow", {}, kLimit);
  for (const int64_t batch : {int64_t{-1}, int64_t{2}, int64_t{3}, INT64_MAX}) {
    fb::GatherNDT fields;
    fields.batch_dims = batch;
    ExpectRule(std::move(fields), {x, LongType({2, 3})}, "batch_dims: expected 0 to the rank");
  }
  fb::GatherNDT deep;
  deep.batch_dims = 3;
  ExpectRule(std::move(deep), {x, LongType({2, 3, 1, 1})}, "batch_dims: expected 0 to the rank");
  const auto depth = [](float value) { return std::vector<Tensor>{{}, Tensor::Vector<float>({value})}; };
  for (const float value : {-1.0f, 1e30f, std::numeric_limits<float>::quiet_NaN()}) {
    ExpectRule(fb::OneHotT(), {LongType({2}), FloatType({1}), FloatType({2})}, "depth: expected 0 to 2^42", depth(value));
  }
  ExpectRule(fb::RangeT(), {FloatType({}), FloatType({}), FloatType({})}, "is no range",
             {Counting({}), Counting({}), Counting({})});
  const float five = 5;
  ExpectRule(fb::RangeT(), {FloatType({}), FloatType({}), FloatType({})}, "is no range",
             {Counting({}), Tensor::Of<float>({}, std::span(&five, 1)), Counting({})});
  fb::PoolT same;
  same.window = std::make_unique<fb::WindowT>();
  same.window->kernel = same.window->dilations = {runtime::kMaxTensorBytes};
  same.window->auto_pad = fb::AutoPad::SameUpper;
  ExpectRule(std::move(same), {FloatType({1, 1, 6})}, "the window's sizes overflow", {}, kLimit);
  fb::TransposeT nine;
  nine.perm.assign(9, 0);
  ExpectRule(std::move(nine), {UnrankedFloats()}, "perm: rank 9 is above 8", {}, kLimit);
  fb::ReshapeT reshape;
  ExpectRule(std::move(reshape), {FloatType({kWide, kWide, kWide, kWide}), LongType({2})},
             "overflows", {{}, Longs({-1, 2})}, kLimit);
  fb::ScatterElementsT scatter;
  ExpectRule(std::move(scatter), {x, LongType({3, 3}), FloatType({3, 4})}, "updates: expected the shape of indices");
  fb::ScatterElementsT along;
  along.axis = 5;
  ExpectRule(std::move(along), {x, LongType({2, 3}), x}, "axis 5 is outside");
  const Type wrong = {ElementType::kFloat64, true, {3}};
  fb::ReduceT sum;
  sum.axes = {0};
  ExpectRule(std::move(sum), {x, std::nullopt, wrong, wrong}, "expected constant scale of float32",
             {{}, {}, Tensor::Make(ElementType::kFloat64, {3}), Tensor::Make(ElementType::kFloat64, {3})});
  fb::ConvTransposeT conv;
  conv.window = std::make_unique<fb::WindowT>();
  conv.window->strides = {runtime::kMaxTensorBytes};
  conv.output_shape = {9};
  ExpectRule(std::move(conv), {FloatType({1, 1, runtime::kMaxTensorBytes}), FloatType({1, 1, 1})},
             "the window's sizes overflow", {}, kLimit);
}

TEST(RefusedRuns, PadsOfTooManyPieces) {
  const auto wrapped = [](int64_t pad) {
    fb::PadT fields;
    fields.mode = fb::PadMode::Wrap;
    return tests::Text(tests::Evaluate(std::move(fields), {Counting({1, 1}), Longs({pad, pad, pad, pad})}));
  };
  EXPECT_EQ(wrapped(1), "float32[3,3] 0 0 0 0 0 0 0 0 0");
  EXPECT_EQ(wrapped(300), "6: pads: too many repetitions of x");
}

TEST(RefusedRuns, KernelsForWhatIsNotThere) {
  const Type x = FloatType({1, 1, 4, 4});
  fb::ResizeT crops;
  crops.coordinates = fb::CoordinateMode::TfCropAndResize;
  const auto prepare = [](auto fields, std::vector<Type> inputs, std::vector<Tensor> numbers) {
    std::vector<ValueId> in, out = {static_cast<ValueId>(inputs.size())};
    std::vector<const Tensor*> known;
    for (size_t i = 0; i < inputs.size(); ++i) {
      in.push_back(static_cast<ValueId>(i));
      known.push_back(i < numbers.size() && !numbers[i].empty() ? &numbers[i] : nullptr);
    }
    const runtime::Node node = MakeNode("node", std::move(fields), in, out);
    const std::vector<Type> outputs = {inputs[0]};
    runtime::PrepareContext context{.node = node, .inputs = inputs, .outputs = outputs, .known = known};
    return runtime::RuleOf(node.op.type).prepare(context);
  };
  constexpr StatusCode kLater = StatusCode::kUnsupported;
  const Type four = LongType({4}), none = FloatType({0});
  ExpectSays(prepare(fb::ResizeT(), {x, none, none, four}, {}), "scales or sizes that are computed during a run", kLater);
  ExpectSays(prepare(std::move(crops), {x, FloatType({8}), none, four}, {{}, {}, {}, Longs({1, 1, 4, 4})}),
             "a roi that is computed during a run", kLater);
  const Type v = FloatType({4}), one = LongType({1});
  const Tensor zero = Longs({0});
  ExpectSays(prepare(fb::SliceT(), {v, one, one, one, one}, {{}, zero, {}, zero, Longs({1})}), "the ends must be known", kLater);
  ExpectSays(prepare(fb::SliceT(), {v, one, one, one, one}, {{}, zero, zero, {}, Longs({1})}), "the axes must be known", kLater);
  ExpectSays(prepare(fb::SliceT(), {v, one, one, one, one}, {{}, zero, zero, zero, {}}), "the steps must be known", kLater);
  ExpectSays(prepare(fb::PadT(), {v, LongType({2}), FloatType({}), one}, {{}, Longs({0, 0}), {}, {}}), "the axes must be known", kLater);
  ExpectSays(prepare(fb::RoiAlignT(), {x, FloatType({1, 4}), one}, {{}, {}, Longs({1})}), "indices: expected numbers in [-1, 1)");
  fb::ReduceT copy;
  copy.noop_with_empty_axes = true;
  ExpectSays(prepare(std::move(copy), {FloatType({2, 3}), LongType({0}), FloatType({3}), FloatType({3})},
                     {{}, Longs({}), Counting({3}), Counting({3})}), "expected no prologue of a copy");
}

}  // namespace
}  // namespace pleat::tests
