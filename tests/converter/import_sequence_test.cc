// Sequences of tensors, whose places are settled while importing.
#include <gtest/gtest.h>

#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;
using Int64s = std::vector<int64_t>;

const std::vector<Tensor> kThree = {Floats({1}, {1}), Floats({1}, {2}), Floats({1}, {3})};

// A sequence "s" of the inputs x, y and z.
OnnxBuilder Three() {
  OnnxBuilder builder(13);
  builder.Input("x", {1}).Input("y", {1}).Input("z", {1});
  return builder.Node("SequenceConstruct", {"x", "y", "z"}, {"s"});
}

// All of the sequence "t" in one.
Doubles Joined(OnnxBuilder builder, const std::vector<Tensor>& inputs = kThree) {
  builder.Node("ConcatFromSequence", {"t"}, {"joined"}, {{"axis", int64_t{0}}}).Output("joined");
  return Answer(builder, inputs);
}

void ExpectFailure(OnnxBuilder& builder, StatusCode code, const std::string& message) {
  builder.Output("out");
  const auto graph = builder.Import();
  ASSERT_FALSE(graph.ok());
  EXPECT_EQ(graph.status().code(), code) << graph.status().message();
  EXPECT_NE(graph.status().message().find(message), std::string::npos) << graph.status().message();
}

TEST(ImportSequenceTest, PicksFromEitherEnd) {
  for (const auto& [place, expected] : {std::pair{0, 1.0}, {2, 3.0}, {-1, 3.0}, {-3, 1.0}}) {
    OnnxBuilder builder = Three();
    builder.Int64s("p", {place}).Node("SequenceAt", {"s", "p"}, {"out"}).Output("out");
    EXPECT_EQ(Answer(builder, kThree), Doubles{expected}) << place;
  }
  for (const int place : {3, -4}) {
    OnnxBuilder builder = Three();
    builder.Int64s("p", {place}).Node("SequenceAt", {"s", "p"}, {"out"});
    ExpectFailure(builder, StatusCode::kInvalidModel, "expected -3 to 2");
  }
}

TEST(ImportSequenceTest, GrowsAndShrinksAnywhere) {
  using Inserted = std::pair<int, Doubles>;
  for (const auto& [place, expected] :
       {Inserted{0, {2, 1, 2, 3}}, {3, {1, 2, 3, 2}}, {-1, {1, 2, 2, 3}}, {-3, {2, 1, 2, 3}}}) {
    EXPECT_EQ(Joined(Three().Int64s("p", {place}).Node("SequenceInsert", {"s", "y", "p"}, {"t"})),
              expected) << place;
  }
  EXPECT_EQ(Joined(Three().Node("SequenceInsert", {"s", "x"}, {"t"})), (Doubles{1, 2, 3, 1}));
  EXPECT_EQ(Joined(Three().Node("SequenceErase", {"s"}, {"t"})), (Doubles{1, 2}));
  EXPECT_EQ(Joined(Three().Int64s("p", {-2}).Node("SequenceErase", {"s", "p"}, {"t"})),
            (Doubles{1, 3}));
  OnnxBuilder builder(13);
  builder.Input("x", {1}).Node("SequenceEmpty", {}, {"s"});
  EXPECT_EQ(Joined(builder.Node("SequenceInsert", {"s", "x"}, {"t"}), {Floats({1}, {7})}),
            (Doubles{7}));
  OnnxBuilder empty(13);
  empty.Node("SequenceEmpty", {}, {"s"}).Node("SequenceErase", {"s"}, {"out"});
  ExpectFailure(empty, StatusCode::kInvalidModel, "the sequence is empty");
}

TEST(ImportSequenceTest, StacksAlongANewAxis) {
  OnnxBuilder builder = Three();
  builder.Node("ConcatFromSequence", {"s"}, {"out"},
               {{"axis", int64_t{-1}}, {"new_axis", int64_t{1}}});
  builder.Output("out");
  const auto graph = builder.Import();
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.shape, (Int64s{1, 3}));
  EXPECT_EQ(Answer(builder, kThree), (Doubles{1, 2, 3}));
}

TEST(ImportSequenceTest, SplitsEvenlyOrAsStated) {
  const Tensor x = Floats({5}, {1, 2, 3, 4, 5});
  const auto split = [](const Int64s& sizes, bool scalar, int64_t keep) {
    OnnxBuilder builder(13);
    builder.Input("x", {5});
    if (!sizes.empty()) builder.Int64s("sizes", sizes);
    if (scalar) builder.graph().mutable_initializer(0)->clear_dims();
    builder.Node("SplitToSequence", sizes.empty() ? std::vector<std::string>{"x"}
                                                  : std::vector<std::string>{"x", "sizes"},
                 {"s"}, {{"keepdims", keep}});
    return builder.Node("SequenceLength", {"s"}, {"n"}).Int64s("last", {-1}).Node(
        "SequenceAt", {"s", "last"}, {"part"});
  };
  const auto answer = [&](OnnxBuilder builder, const std::string& output) {
    return Answer(builder.Output(output, output == "n" ? TensorProto::INT64 : TensorProto::FLOAT),
                  {x});
  };
  EXPECT_EQ(answer(split({}, false, 1), "n"), (Doubles{5}));
  EXPECT_EQ(answer(split({2}, true, 0), "n"), (Doubles{3}));
  EXPECT_EQ(answer(split({2}, true, 0), "part"), (Doubles{5}));
  EXPECT_EQ(answer(split({1, 4}, false, 1), "part"), (Doubles{2, 3, 4, 5}));
  for (const int64_t keep : {0, 1}) {
    OnnxBuilder builder = split({}, false, keep);
    const auto graph = builder.Output("part").Import();
    ASSERT_TRUE(graph.ok()) << graph.status().message();
    EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.rank(), keep);
  }
  OnnxBuilder none = split({0}, true, 1);
  none.Node("Neg", {"part"}, {"out"});
  ExpectFailure(none, StatusCode::kInvalidModel, "its parts have size 0");
}

TEST(ImportSequenceTest, SplitsBySizesOfTheRun) {
  OnnxBuilder builder(13);
  builder.Input("x", {5}).Input("sizes", {2}, TensorProto::INT64).Int64s("p", {1});
  builder.Node("SplitToSequence", {"x", "sizes"}, {"s"}).Node("SequenceAt", {"s", "p"}, {"y"});
  builder.Output("y");
  const Int64s sizes = {2, 3};
  EXPECT_EQ(Answer(builder, {Floats({5}, {1, 2, 3, 4, 5}), Tensor::Vector<int64_t>(sizes)}),
            (Doubles{3, 4, 5}));
}

// What torch.export makes of as_strided: a loop of known length that carries a sequence.
TEST(ImportSequenceTest, LoopsThatCarryOneAreWrittenOut) {
  const auto build = [](int64_t rounds, const std::string& goes_on) {
    OnnxBuilder body(17);
    body.Input("i", {}, TensorProto::INT64).Input("on", {}, TensorProto::BOOL).Input("s", {});
    body.Node("Cast", {"i"}, {"f"}, {{"to", int64_t{TensorProto::FLOAT}}});
    body.Node("Add", {"x", "f"}, {"e"}).Node("SequenceInsert", {"s", "e"}, {"longer"});
    body.Int64s("two", {2}).Node("Less", {"i", "two"}, {"below"}).Node("Identity", {"on"}, {"same"});
    body.Output(goes_on, TensorProto::BOOL).Output("longer").Output("f");
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Node("SequenceEmpty", {}, {"none"});
    builder.Weight("m", {}, {static_cast<float>(rounds)});
    builder.Node("Cast", {"m"}, {"rounds"}, {{"to", int64_t{TensorProto::INT64}}});
    builder.Node("Loop", {"rounds", "", "none"}, {"all", "numbers"}, {{"body", body.graph()}});
    builder.Node("ConcatFromSequence", {"all"}, {"joined"}, {{"axis", int64_t{0}}});
    builder.Node("Concat", {"joined", "numbers"}, {"out"}, {{"axis", int64_t{0}}});
    return builder;
  };
  const std::vector<Tensor> x = {Floats({2}, {1, 2})};
  for (OnnxBuilder loop : {build(3, "same"), build(9, "below")}) {
    EXPECT_EQ(Answer(loop.Output("out"), x), (Doubles{1, 2, 2, 3, 3, 4, 0, 1, 2}));
  }
  OnnxBuilder many = build(100'000, "same");
  ExpectFailure(many, StatusCode::kLimitExceeded, "written out 100000 times");
  OnnxBuilder open = build(3, "same");
  open.graph().mutable_initializer(0)->set_name("unread");
  open.Input("m", {});
  ExpectFailure(open, StatusCode::kUnsupported, "its number of rounds is known only at run time");
}

TEST(ImportSequenceTest, MapsAreWrittenOut) {
  OnnxBuilder body(17);
  body.Input("a", {}).Input("b", {}).Input("c", {});
  body.Node("Mul", {"a", "c"}, {"ac"}).Node("Add", {"ac", "b"}, {"e"}).Output("e").Output("ac");
  const auto build = [&](const std::vector<std::string>& second) {
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Input("z", {1}).Weight("w", {}, {10});
    builder.Node("SequenceConstruct", {"x", "z"}, {"s"});
    builder.Node("SequenceConstruct", second, {"t"});
    builder.Node("SequenceMap", {"s", "t", "w"}, {"u", "v"}, {{"body", body.graph()}});
    builder.Node("ConcatFromSequence", {"u"}, {"u1"}, {{"axis", int64_t{0}}});
    builder.Node("ConcatFromSequence", {"v"}, {"v1"}, {{"axis", int64_t{0}}});
    return builder.Node("Concat", {"u1", "v1"}, {"out"}, {{"axis", int64_t{0}}});
  };
  OnnxBuilder both = build({"z", "x"});
  EXPECT_EQ(Answer(both.Output("out"), {Floats({2}, {1, 2}), Floats({1}, {3})}),
            (Doubles{13, 23, 31, 32, 10, 20, 30}));
  OnnxBuilder shorter = build({"x"});
  ExpectFailure(shorter, StatusCode::kInvalidModel, "its input 1 has 1 tensors, input 0 2");
}

TEST(ImportSequenceTest, BodiesThatAreWrittenOutRefuseWhatOthersDo) {
  const auto in_loop = [](const std::string& op) {
    OnnxBuilder body(17);
    body.Input("i", {}, TensorProto::INT64).Input("on", {}, TensorProto::BOOL).Input("s", {});
    body.Node("Identity", {"on"}, {"same"}).Node("SequenceInsert", {"s", "x"}, {"longer"});
    body.Node(op, {"x"}, {"f"}).Output("same", TensorProto::BOOL).Output("longer").Output("f");
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Node("SequenceEmpty", {}, {"none"}).Int64s("two", {2});
    builder.Node("Loop", {"two", "", "none"}, {"all", "out"}, {{"body", body.graph()}});
    return builder;
  };
  const auto in_map = [](const std::string& op) {
    OnnxBuilder body(17);
    body.Input("a", {}).Node(op, {"a"}, {"e"}).Output("e");
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Node("SequenceConstruct", {"x", "x"}, {"s"});
    builder.Node("SequenceMap", {"s"}, {"u"}, {{"body", body.graph()}});
    builder.Node("ConcatFromSequence", {"u"}, {"out"}, {{"axis", int64_t{0}}});
    return builder;
  };
  for (const char* text : {"nodes of its body are not supported", "(StringSplit)"}) {
    OnnxBuilder loop = in_loop("StringSplit"), map = in_map("StringSplit");
    ExpectFailure(loop, StatusCode::kUnsupported, text);
    ExpectFailure(map, StatusCode::kUnsupported, text);
  }
  OnnxBuilder nested = in_map("SequenceConstruct"), gathered = in_loop("SequenceConstruct");
  ExpectFailure(nested, StatusCode::kUnsupported, "it makes sequences of sequences");
  ExpectFailure(gathered, StatusCode::kUnsupported, "it gathers sequences of tensors");
}

TEST(ImportSequenceTest, IsSeenFromSubgraphs) {
  OnnxBuilder inner(13);
  inner.Node("ConcatFromSequence", {"s"}, {"t"}, {{"axis", int64_t{0}}}).Output("t");
  OnnxBuilder other(13);
  other.Node("SequenceAt", {"s", "p"}, {"e"}).Output("e");
  OnnxBuilder builder = Three();
  builder.Input("c", {}, TensorProto::BOOL).Int64s("p", {1});
  builder.Node("If", {"c"}, {"out"},
               {{"then_branch", inner.graph()}, {"else_branch", other.graph()}});
  builder.Output("out");
  std::vector<Tensor> inputs = kThree;
  for (const bool way : {true, false}) {
    inputs.resize(3);
    inputs.push_back(Tensor::Of<bool>({}, std::span<const bool>(&way, 1)));
    EXPECT_EQ(Answer(builder, inputs), way ? (Doubles{1, 2, 3}) : (Doubles{2}));
  }
}

TEST(ImportSequenceTest, ElsewhereIsRefused) {
  OnnxBuilder builder = Three();
  builder.Node("Neg", {"s"}, {"out"});
  ExpectFailure(builder, StatusCode::kUnsupported, "its input 0 is a sequence of tensors");
  OnnxBuilder nested = Three();
  nested.Node("SequenceInsert", {"s", "s"}, {"out"});
  ExpectFailure(nested, StatusCode::kUnsupported, "its input 1 is a sequence of tensors");
  OnnxBuilder output = Three();
  output.Node("Identity", {"s"}, {"out"});
  ExpectFailure(output, StatusCode::kUnsupported, "only tensors can be outputs");
  OnnxBuilder tensor = Three();
  tensor.Int64s("p", {0}).Node("SequenceAt", {"x", "p"}, {"out"});
  ExpectFailure(tensor, StatusCode::kInvalidModel, "expected a sequence");
  OnnxBuilder late = Three();
  late.Input("p", {}, TensorProto::INT64).Node("SequenceAt", {"s", "p"}, {"out"});
  ExpectFailure(late, StatusCode::kUnsupported, "known before the run");
  OnnxBuilder branch = Three();
  OnnxBuilder same(13);
  same.Node("Identity", {"s"}, {"t"}).Output("t");
  branch.Input("c", {}, TensorProto::BOOL);
  branch.Node("If", {"c"}, {"out"}, {{"then_branch", same.graph()}, {"else_branch", same.graph()}});
  ExpectFailure(branch, StatusCode::kUnsupported, "");
}

// Each step copies the list; a long chain must end in an error, not in all of the memory.
TEST(ImportSequenceTest, LongChainsEndInALimit) {
  OnnxBuilder builder(13);
  builder.Input("x", {1}).Node("SequenceEmpty", {}, {"s0"});
  for (int i = 0; i < 2000; ++i) {
    const std::string from = std::to_string(i), to = std::to_string(i + 1);
    builder.Node("SequenceInsert", {"s" + from, "x"}, {"s" + to});
  }
  builder.Node("SequenceLength", {"s2000"}, {"out"});
  ExpectFailure(builder, StatusCode::kLimitExceeded, "sequences hold more than");
}

TEST(ImportSequenceTest, ManyPartsEndInALimit) {
  const int64_t many = 1'000'000;
  const auto split = [](int64_t along, bool sizes) {
    OnnxBuilder builder(13);
    builder.Input("x", {along}).Input("sizes", {along}, TensorProto::INT64);
    builder.Node("SplitToSequence", sizes ? std::vector<std::string>{"x", "sizes"}
                                          : std::vector<std::string>{"x"}, {"s"});
    return builder.Node("SequenceLength", {"s"}, {"out"});
  };
  for (const bool sizes : {false, true}) {
    OnnxBuilder builder = split(many, sizes);
    ExpectFailure(builder, StatusCode::kLimitExceeded, "it makes 1000000 parts");
  }
  OnnxBuilder none = split(0, false);
  EXPECT_EQ(Answer(none.Output("out", TensorProto::INT64), {Floats({0}, {}), Tensor::Vector<int64_t>(Int64s{})}),
            Doubles{0});
}

TEST(ImportSequenceTest, PositionsAreOneKnownInteger) {
  const std::string words = "its position is no single integer";
  for (const char* op : {"SequenceAt", "SequenceErase", "SequenceInsert"}) {
    std::vector<std::string> inputs = {"s", "p"};
    if (op == std::string("SequenceInsert")) inputs.insert(inputs.begin() + 1, "x");
    OnnxBuilder two = Three(), real = Three(), beyond = Three(), late = Three();
    two.Int64s("p", {0, 1}).Node(op, inputs, {"out"});
    ExpectFailure(two, StatusCode::kUnsupported, words);
    real.Weight("p", {}, {1}).Node(op, inputs, {"out"});
    ExpectFailure(real, StatusCode::kUnsupported, words);
    late.Input("p", {}, TensorProto::INT64).Node(op, inputs, {"out"});
    ExpectFailure(late, StatusCode::kUnsupported, words);
    beyond.Int64s("p", {9}).Node(op, inputs, {"out"});
    ExpectFailure(beyond, StatusCode::kInvalidModel, "its position is 9, expected -");
  }
}

TEST(ImportSequenceTest, TensorsAreNoSequences) {
  for (const char* op : {"SequenceLength", "SequenceErase", "SequenceInsert", "ConcatFromSequence"}) {
    OnnxBuilder builder(13);
    builder.Input("x", {1});
    builder.Node(op, op == std::string("SequenceInsert") ? std::vector<std::string>{"x", "x"}
                                                         : std::vector<std::string>{"x"}, {"out"});
    if (op == std::string("ConcatFromSequence")) {
      auto* axis = builder.last_node().add_attribute();
      axis->set_name("axis"), axis->set_type(onnx::AttributeProto::INT), axis->set_i(0);
    }
    ExpectFailure(builder, StatusCode::kInvalidModel, "its input 0 is a tensor, expected a sequence");
  }
  OnnxBuilder split(13);
  split.Input("x", {5}).Int64s("sizes", {1, 1}).Node("SplitToSequence", {"x", "sizes"}, {"out"});
  ExpectFailure(split, StatusCode::kInvalidModel, "sizes: expected a sum of 5, got 2");
  OnnxBuilder axis(13);
  axis.Input("x", {5}).Node("SplitToSequence", {"x"}, {"out"}, {{"axis", int64_t{4}}});
  ExpectFailure(axis, StatusCode::kInvalidModel, "axis 4 is outside");
}

// As PyTorch's exporter writes unbind.
TEST(ImportSequenceTest, SingleSlicesLoseTheirAxisWhereAskedTo) {
  for (const int64_t size : {1, 2}) {
    OnnxBuilder builder(18);
    builder.Input("x", {4, 3}).Output("y", TensorProto::INT64);
    builder.Node("Constant", {}, {"size"}, {{"value_int", size}});
    builder.Node("Constant", {}, {"place"}, {{"value_int", int64_t{1}}});
    builder.Node("SplitToSequence", {"x", "size"}, {"s"}, {{"keepdims", int64_t{0}}});
    builder.Node("SequenceAt", {"s", "place"}, {"part"}).Node("Shape", {"part"}, {"y"});
    EXPECT_EQ(Answer(builder, {Floats({4, 3}, std::vector<float>(12))}),
              size == 1 ? (Doubles{3}) : (Doubles{2, 3}));
  }
}

}  // namespace
}  // namespace pleat::converter
