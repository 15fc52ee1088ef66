#include <gtest/gtest.h>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

TEST(FoldForward, ConvWithoutPaddingOfEveryRankAndGroup) {
  for (int64_t rank : {1, 2, 3}) {
    for (int64_t group : {1, 2, 4}) {
      Net net(static_cast<uint64_t>(rank * 10 + group));
      Shape shape = {2, 4};
      shape.resize(static_cast<size_t>(rank) + 2, 4);
      const ValueId x = net.Relu(net.Input(shape));
      const ConvSpec spec{.outputs = 8,
                          .kernel = std::vector<int64_t>(static_cast<size_t>(rank), 2),
                          .group = group,
                          .bias = group != 2};
      net.Output(net.Conv(net.BatchNorm(x), spec));
      EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_conv");
    }
  }
}

// What a fold that ignores the border would give: the shift summed over all taps everywhere.
Graph WithNaiveBias(Graph graph) {
  for (Node& node : graph.nodes) {
    const Tensor* taps = graph.ConstantOf(node.input(4));
    if (taps == nullptr) continue;
    std::vector<double> bias = runtime::ToDoubles(*graph.ConstantOf(node.inputs[2]));
    const std::vector<double> numbers = runtime::ToDoubles(*taps);
    for (size_t i = 0; i < numbers.size(); ++i) {
      bias[i / (numbers.size() / bias.size())] += numbers[i];
    }
    const std::vector<float> rounded(bias.begin(), bias.end());
    node.inputs[2] = graph.AddConstant("naive", Tensor::Vector(rounded));
    node.inputs.resize(4);
  }
  return graph;
}

// How many of y's pixels the naive bias gets wrong, of how many.
std::pair<int64_t, int64_t> NaiveErrors(const Graph& original, const Graph& folded) {
  const std::vector<Tensor> inputs = MakeInputs(original, 7);
  const Tensor naive = Run(WithNaiveBias(folded), inputs, false)[0];
  const std::vector<double> expected = runtime::ToDoubles(RunInDouble(original, inputs)[0]);
  const std::vector<double> got = runtime::ToDoubles(naive);
  const Shape& shape = naive.shape();
  const auto pixels = static_cast<size_t>(shape[2] * shape[3]);
  int64_t wrong = 0;
  for (size_t p = 0; p < pixels; ++p) {
    bool differs = false;
    for (size_t m = 0; m < static_cast<size_t>(shape[1]); ++m) {
      differs = differs || expected[m * pixels + p] != got[m * pixels + p];
    }
    wrong += differs ? 1 : 0;
  }
  return {wrong, static_cast<int64_t>(pixels)};
}

TEST(FoldForward, ZeroPaddingMeetsNoShift) {
  struct Case {
    int64_t size;
    ConvSpec spec;
    int64_t wrong, pixels;
  };
  const Case cases[] = {
      {14, {.kernel = {3, 3}, .pads = {1, 1, 1, 1}}, 52, 196},
      {14, {.kernel = {7, 7}, .strides = {2, 2}, .pads = {3, 3, 3, 3}}, 33, 49},
      {14, {.kernel = {3, 3}, .dilations = {6, 6}, .pads = {6, 6, 6, 6}}, 192, 196},
      {4, {.kernel = {7, 7}, .pads = {3, 3, 3, 3}}, 16, 16},
      {6, {.kernel = {3, 2}, .strides = {1, 3}, .pads = {0, 1, 2, 0}, .group = 3}, -1, 0},
      {5, {.outputs = 3, .kernel = {3, 3}, .pads = {1, 1, 1, 1}, .group = 3, .bias = false}, -1, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.size);
    Net net(static_cast<uint64_t>(c.size));
    const ValueId x = net.Relu(net.Input({1, 3, c.size, c.size}));
    ConvSpec spec = c.spec;
    if (spec.group == 3) spec.outputs = 3 * spec.outputs;
    net.Output(net.Conv(net.BatchNorm(x, 1, {2, -1, 0}, {5, 4, -3}), spec));
    const Graph folded = ExpectSameAnswers(net.graph);
    EXPECT_EQ(Fate(folded), "FOLDED next_padded_conv");
    EXPECT_EQ(Count<fb::ScaleShiftT>(folded), 0);
    if (c.wrong >= 0) {
      EXPECT_EQ(NaiveErrors(net.graph, folded), std::pair(c.wrong, c.pixels));
    }
  }
}

TEST(FoldForward, PaddingOfEveryRankGroupAndSize) {
  for (int64_t rank : {1, 2, 3}) {
    for (int64_t group : {1, 2, 4}) {
      for (int64_t size : {1, 2, 4, 7}) {
        for (int64_t seed : {1, 2, 3}) {
          Net net(static_cast<uint64_t>(rank * 1000 + group * 100 + size * 10 + seed));
          Random& random = net.random;
          ConvSpec spec{.outputs = 4, .kernel = {}, .group = group, .bias = seed != 2};
          Shape shape = {4, 4};
          std::vector<int64_t> ends;
          for (int64_t d = 0; d < rank; ++d) {
            shape.push_back(seed == 3 ? kUnknownDim : size);
            spec.kernel.push_back(random.Between(1, 3));
            spec.strides.push_back(random.Between(1, 2));
            spec.dilations.push_back(random.Between(1, 2));
            const int64_t reach = (spec.kernel.back() - 1) * spec.dilations.back();
            spec.pads.push_back(random.Between(0, 2));
            ends.push_back(std::max(reach - spec.pads.back(), random.Between(0, 2)));
          }
          spec.pads.insert(spec.pads.end(), ends.begin(), ends.end());
          const ValueId norm = net.BatchNorm(net.Relu(net.Input(shape)));
          net.Output(net.Conv(norm, spec));
          EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)).substr(0, 6), "FOLDED");
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

TEST(FoldForward, AutoPadCountsAsPaddingUnlessTheKernelIsOne) {
  for (const auto pad : {fb::AutoPad::SameUpper, fb::AutoPad::SameLower, fb::AutoPad::Valid}) {
    for (int64_t kernel : {1, 2}) {
      Net net;
      const ValueId x = net.Relu(net.Input({1, 3, 5, 5}));
      const ConvSpec spec{.kernel = {kernel, kernel}, .auto_pad = pad};
      net.Output(net.Conv(net.BatchNorm(x), spec));
      EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)),
                kernel == 1 || pad == fb::AutoPad::Valid ? "FOLDED next_conv"
                                                         : "FOLDED next_padded_conv");
    }
  }
}

TEST(FoldForward, ConvTransposeAddsEachTapWhereItLands) {
  for (int64_t rank : {1, 2, 3}) {
    for (int64_t group : {1, 2, 4}) {
      for (int64_t stride : {1, 2, 3}) {
        Net net(static_cast<uint64_t>(rank * 100 + group * 10 + stride));
        Shape shape = {4, 4};
        ConvSpec spec{.outputs = 8, .kernel = {}, .group = group, .bias = stride != 2};
        for (int64_t d = 0; d < rank; ++d) {
          shape.push_back(4 - d);
          spec.kernel.push_back(3 - d % 2);
          spec.strides.push_back(stride);
          spec.pads.push_back(d % 2);
        }
        spec.pads.resize(static_cast<size_t>(2 * rank), 1);
        net.Output(net.ConvTranspose(net.BatchNorm(net.Relu(net.Input(shape))), spec));
        EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_conv_transpose");
      }
    }
  }
}

TEST(FoldForward, ZeroPadInFrontIsPadding) {
  for (const bool zero : {true, false}) {
    Net net;
    const ValueId norm = net.BatchNorm(net.Relu(net.Input({1, 3, 5, 5})));
    const ValueId value = zero ? net.Constant({}, {0}) : net.Constant({}, {1});
    const ValueId pads = net.Int64s({0, 0, 1, 2, 0, 0, 0, 1});
    net.Output(net.Conv(net.Add(fb::PadT{}, {norm, pads, value}), {.pads = {1, 0, 0, 1}}));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)),
              zero ? "FOLDED next_padded_conv" : "KEPT PAD_SHIFT");
  }
  // Zeros that are there before the batch norm are pixels like others.
  Net before;
  const ValueId pads = before.Int64s({0, 0, 1, 2, 0, 0, 0, 1});
  const ValueId padded = before.Add(fb::PadT{}, {before.Relu(before.Input({1, 3, 5, 5})), pads});
  before.Output(before.Conv(before.BatchNorm(padded), {.pads = {1, 1, 1, 1}}));
  EXPECT_EQ(Fate(ExpectSameAnswers(before.graph)), "FOLDED next_padded_conv");
}

TEST(FoldForward, OtherPaddingLetsItPass) {
  for (const auto mode : {fb::PadMode::Reflect, fb::PadMode::Edge, fb::PadMode::Wrap}) {
    Net net;
    const ValueId norm = net.BatchNorm(net.Relu(net.Input({1, 3, 5, 5})));
    fb::PadT pad;
    pad.mode = mode;
    const ValueId pads = net.Int64s({0, 0, 1, 2, 0, 0, 2, 1});
    net.Output(net.Conv(net.Add(std::move(pad), {norm, pads}), {.pads = {1, 1, 1, 1}}));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_padded_conv");
  }
}

ValueId Pool(Net& net, ValueId x, fb::PoolKind kind, bool padded, bool counts) {
  fb::PoolT pool;
  pool.kind = kind;
  pool.count_include_pad = counts;
  pool.window = std::make_unique<fb::WindowT>();
  pool.window->kernel = {2, 2};
  pool.window->strides = {2, 2};
  if (padded) pool.window->pads = {1, 1, 1, 1};
  return net.Add(std::move(pool), {x});
}

// Conv -> Relu -> BatchNorm -> pool -> Conv.
TEST(FoldForward, PoolsLetItPassUnderTheirConditions) {
  struct Case {
    fb::PoolKind kind;
    bool padded, counts, negative;
    const char* fate;
  };
  for (const Case& c : {Case{fb::PoolKind::Max, true, false, false, "FOLDED next_padded_conv"},
                        Case{fb::PoolKind::Max, false, false, true, "KEPT NEG_SCALE"},
                        Case{fb::PoolKind::Average, false, true, true, "FOLDED next_padded_conv"},
                        Case{fb::PoolKind::Average, true, true, true, "KEPT POOL_INCLUDE_PAD"}}) {
    Net net;
    const ValueId x = net.Relu(net.Conv(net.Input({1, 4, 8, 8}), {.pads = {1, 1, 1, 1}}));
    const double third = c.negative ? -2 : 0;
    const ValueId norm = net.BatchNorm(x, 1, {1, 2, third, 0.5}, {3, -4, 5, 1});
    const ValueId pooled = Pool(net, norm, c.kind, c.padded, c.counts);
    net.Output(net.Conv(pooled, {.pads = {1, 1, 1, 1}}));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), c.fate);
  }
}

TEST(FoldForward, ConcatenationScalesItsPartOnly) {
  for (int64_t axis : {1, 2}) {
    Net net;
    const ValueId a = net.BatchNorm(net.Relu(net.Input({1, 4, 4, 4})));
    const ValueId b = net.Relu(net.Input({1, 4, 4, 4}));
    const ValueId c = net.BatchNorm(net.Relu(net.Input({1, 4, 4, 4})));
    fb::ConcatT concat;
    concat.axis = axis;
    const ValueId joined = net.Add(std::move(concat), {a, b, c});
    net.Output(net.Conv(joined, {.pads = {1, 1, 1, 1}}));
    const Graph folded = ExpectSameAnswers(net.graph);
    for (size_t i : {0, 1}) {
      EXPECT_EQ(Fate(folded, i), axis == 1 ? "FOLDED next_padded_conv"
                                           : "KEPT PRODUCER_NOT_LINEAR");
    }
  }
}

TEST(FoldForward, NearestResizeLetsItPass) {
  Net net;
  const ValueId norm = net.BatchNorm(net.Relu(net.Input({1, 4, 4, 4})));
  fb::ResizeT resize;
  resize.coordinates = fb::CoordinateMode::Asymmetric;
  resize.nearest = fb::NearestMode::Floor;
  const ValueId scales = net.Constant({4}, {1, 1, 2, 2});
  const ValueId large = net.Add(std::move(resize), {norm, kNoValue, scales});
  net.Output(net.Conv(large, {.pads = {1, 1, 1, 1}}));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_padded_conv");
}

// Conv -> Relu -> BatchNorm -> two readers: both or neither.
TEST(FoldForward, PostActivationGoesIntoAllReaders) {
  for (const bool linear : {true, false}) {
    Net net;
    const ValueId x = net.Relu(net.Conv(net.Input({2, 3, 6, 6}), {.pads = {1, 1, 1, 1}}));
    const ValueId norm = net.BatchNorm(x);
    net.Output(net.Conv(norm, {.pads = {1, 1, 1, 1}}));
    net.Output(linear ? net.Conv(norm, {.kernel = {1, 1}}) : net.Relu(norm));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)),
              linear ? "FOLDED next_padded_conv" : "KEPT BN_OUTPUT_MULTI_USE");
  }
}

TEST(FoldForward, GemmOfEveryForm) {
  for (bool transpose_a : {false, true}) {
    for (bool transpose_b : {false, true}) {
      for (const Shape& bias : {Shape{}, Shape{4}, Shape{1, 4}, Shape{4, 4}}) {
        Net net(11);
        fb::MatMulT fields;
        fields.transpose_a = transpose_a;
        fields.transpose_b = transpose_b;
        fields.alpha = 0.5;
        fields.beta = 4;
        const ValueId x = net.Relu(net.Input({4, 4}));
        const ValueId w = net.Weights({4, 4});
        const ValueId norm = net.BatchNorm(x, transpose_a ? 0 : 1);
        net.Output(net.MatMul(norm, w, net.Weights(bias), std::move(fields)));
        EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
      }
    }
  }
}

TEST(FoldForward, FlattenRepeatsEachChannel) {
  Net net;
  const ValueId norm = net.BatchNorm(net.Relu(net.Input({kUnknownDim, 3, 3, 3})));
  fb::FlattenT flatten;
  net.Output(net.MatMul(net.Add(std::move(flatten), {norm}), net.Weights({27, 5})));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
  Net last;
  const ValueId image = last.BatchNorm(last.Relu(last.Input({2, 3, 3, 3})), 3);
  last.Output(last.MatMul(last.Reshape(image, {2, 27}), last.Weights({27, 5})));
  EXPECT_EQ(Fate(ExpectSameAnswers(last.graph)), "FOLDED next_matmul");
}

TEST(FoldForward, MeanOverSpaceLetsItPass) {
  for (bool keepdims : {false, true}) {
    Net net;
    const ValueId norm = net.BatchNorm(net.Relu(net.Input({2, 4, 4, 4})));
    fb::ReduceT mean;
    mean.kind = fb::ReduceKind::Mean;
    mean.axes = {-1, -2};
    mean.keepdims = keepdims;
    const ValueId pooled = net.Add(std::move(mean), {norm});
    net.Output(net.MatMul(keepdims ? net.Reshape(pooled, {2, 4}) : pooled, net.Weights({4, 3})));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
  }
  Net channels;
  const ValueId norm = channels.BatchNorm(channels.Relu(channels.Input({4, 4, 4})));
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Mean;
  mean.axes = {1};
  mean.keepdims = false;
  channels.Output(channels.MatMul(channels.Add(std::move(mean), {norm}), channels.Weights({4, 3})));
  EXPECT_EQ(Fate(ExpectSameAnswers(channels.graph)), "KEPT PRODUCER_NOT_LINEAR");
}

TEST(FoldForward, AllReadersOrNone) {
  Net both;
  const ValueId norm = both.BatchNorm(both.Relu(both.Input({1, 4, 5, 5})));
  both.Output(both.Conv(norm, {}));
  both.Output(both.Conv(norm, {.outputs = 2, .kernel = {1, 1}}));
  const Graph folded = ExpectSameAnswers(both.graph);
  EXPECT_EQ(Fate(folded), "FOLDED next_conv");
  EXPECT_EQ(folded.batch_norms[0].into, "op2, op3");
  Net one;
  const ValueId kept = one.BatchNorm(one.Relu(one.Input({1, 4, 5, 5})));
  one.Output(one.Conv(kept, {}));
  one.Output(kept);
  EXPECT_EQ(Fate(ExpectSameAnswers(one.graph)).substr(0, 4), "KEPT");
}

// Images [2, 4, 3] as a recurrent operator wants them.
ValueId Sequence(Net& net, ValueId x, bool batch_first) {
  return net.Transpose(x, batch_first ? std::vector<int64_t>{0, 2, 1}
                                      : std::vector<int64_t>{2, 0, 1});
}

TEST(FoldForward, RecurrentOfEveryKindAndDirection) {
  using fb::RecurrentDirection, fb::RecurrentKind;
  constexpr RecurrentKind kRnn = RecurrentKind::Rnn;
  for (const auto direction : {RecurrentDirection::Forward, RecurrentDirection::Reverse,
                               RecurrentDirection::Bidirectional}) {
    for (const auto kind : {kRnn, RecurrentKind::Gru, RecurrentKind::Lstm}) {
      for (int form = 0; form < 4; ++form) {
        const RecurrentSpec spec{kind, direction, form % 2 == 1, form < 2, form == 3 || form == 0};
        SCOPED_TRACE(testing::Message() << "kind " << static_cast<int>(kind) << " direction "
                                        << static_cast<int>(direction) << " form " << form);
        Net net(static_cast<uint64_t>(form + 1), /*exact=*/kind == kRnn);
        const ValueId norm = net.BatchNorm(net.Relu(net.Input({2, 4, 3})));
        net.Output(net.Recurrent(Sequence(net, norm, spec.batch_first), spec));
        const Graph folded = ExpectSameAnswers(net.graph, kind == kRnn ? 0 : 1e-6);
        EXPECT_EQ(Fate(folded), "FOLDED next_recurrent");
        EXPECT_EQ(Count<fb::ScaleShiftT>(folded), 0);
      }
    }
  }
}

TEST(FoldForward, RecurrentTakesItsOwnAxisOfItsOwnInputOnly) {
  // Along the batch, as large as the inputs are.
  Net batch;
  const ValueId x = batch.BatchNorm(batch.Relu(batch.Input({3, 4, 4})));
  batch.Output(batch.Recurrent(x, {}));
  EXPECT_EQ(Fate(ExpectSameAnswers(batch.graph)), "KEPT PRODUCER_NOT_LINEAR");
  // Two of them read it, and take it; a third reader does not.
  for (const bool third : {false, true}) {
    Net net;
    const ValueId norm = net.BatchNorm(net.Relu(net.Input({2, 4, 3})));
    net.Output(net.Recurrent(Sequence(net, norm, false), {}));
    net.Output(net.Recurrent(Sequence(net, norm, true), {.batch_first = true, .bias = false}));
    if (third) net.Output(net.Relu(norm));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)),
              third ? "KEPT BN_OUTPUT_MULTI_USE" : "FOLDED next_recurrent");
  }
  // Weights from the caller.
  Net open;
  const ValueId norm = open.BatchNorm(open.Relu(open.Input({2, 4, 3})));
  fb::RecurrentT fields;
  fields.hidden = 1;
  fields.activations.emplace_back(static_cast<uint8_t>(kernels::UnaryKind::kClip), 0.0f, 1.0f);
  open.Output(open.Add(std::move(fields), {Sequence(open, norm, false), open.Input({1, 1, 4}),
                                           open.Weights({1, 1, 1})}));
  EXPECT_EQ(Fate(ExpectSameAnswers(open.graph)), "KEPT PRODUCER_NOT_LINEAR");
}

TEST(FoldForward, SpelledOutScaleGoesIntoRecurrent) {
  Net net;
  const ValueId x = net.Relu(net.Input({3, 2, 4}));
  const ValueId scaled = net.Binary(fb::BinaryKind::Mul, x, net.Constant({4}, {1, 2, -1, 0.5}));
  const ValueId moved = net.Binary(fb::BinaryKind::Add, scaled, net.Constant({}, {3}));
  net.Output(net.Recurrent(moved, {}));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Count<fb::BinaryT>(folded) + Count<fb::ScaleShiftT>(folded), 0);
}

TEST(FoldForward, NormalisedInputGoesIntoTheFirstConv) {
  Net net;
  const ValueId x = net.Input({1, 3, 6, 6});
  const ValueId centred = net.Binary(fb::BinaryKind::Sub, x, net.Constant({3, 1, 1}, {4, 2, 1}));
  const ValueId scaled = net.Binary(fb::BinaryKind::Div, centred, net.Constant({}, {8}));
  net.Output(net.Conv(scaled, {}));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Count<fb::BinaryT>(folded) + Count<fb::ScaleShiftT>(folded), 0);
}

TEST(FoldForward, WhatKeepsSomeOfItLetsItPass) {
  const auto slice = [](Net& net, ValueId x, int64_t axis, int64_t start, int64_t end,
                        int64_t step) {
    return net.Add(fb::SliceT{}, {x, net.Int64s({start}), net.Int64s({end}), net.Int64s({axis}),
                                  net.Int64s({step})});
  };
  const auto gather = [](Net& net, ValueId x, int64_t axis, const std::vector<int64_t>& picked) {
    fb::GatherT fields;
    fields.axis = axis;
    return net.Add(std::move(fields), {x, net.Int64s(picked)});
  };
  for (int kind = 0; kind < 6; ++kind) {
    Net net(static_cast<uint64_t>(70 + kind));
    const ValueId x = net.BatchNorm(net.Relu(net.Input({2, 6, 5, 4})));
    ValueId y = kind == 0   ? slice(net, x, 2, 1, 4, 1)
                : kind == 1 ? slice(net, x, 1, 5, 0, -2)
                : kind == 2 ? slice(net, x, -3, -4, 100, 1)
                : kind == 3 ? gather(net, x, 2, {4, 0})
                : kind == 4 ? gather(net, x, 1, {-1, 0, 0, 3})
                            : x;
    if (kind == 5) {
      fb::SplitT fields;
      fields.axis = 1;
      fields.sizes = {2, 4};
      const std::vector<ValueId> parts = net.AddMany(std::move(fields), {x}, 2);
      net.Output(net.Conv(parts[0], {.outputs = 3, .kernel = {1, 1}}));
      y = parts[1];
    }
    net.Output(net.Conv(y, {.outputs = 3, .kernel = {1, 1}}));
    const std::string fate = Fate(ExpectSameAnswers(net.graph));
    EXPECT_EQ(fate, "FOLDED next_conv") << kind;
  }
}

// The last step of a sequence: its channels are the axis behind.
TEST(FoldForward, AStepOfASequenceLetsItPass) {
  Net net(80);
  fb::GatherT last;
  last.axis = 2;
  const ValueId x = net.BatchNorm(net.Relu(net.Input({2, 6, 5})));
  const std::vector<int64_t> end = {-1};
  const ValueId place = net.graph.AddConstant("place", Tensor::Of<int64_t>({}, end));
  const ValueId step = net.Add(std::move(last), {x, place});
  net.Output(net.MatMul(step, net.Weights({6, 3})));
  EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)), "FOLDED next_matmul");
}

// A product that several parts of what it reads lead to takes each part's share.
TEST(FoldForward, TwoWaysIntoOneProductAddUp) {
  for (int kind = 0; kind < 4; ++kind) {
    Net net(static_cast<uint64_t>(81 + kind));
    const ValueId x = net.BatchNorm(net.Relu(net.Input({2, 4, 5, 5})));
    fb::PoolT pool;
    pool.kind = fb::PoolKind::Average;
    pool.window = std::make_unique<fb::WindowT>();
    pool.window->kernel = {1, 1};
    const ValueId pooled = net.Add(std::move(pool), {x});
    fb::ConcatT concat;
    concat.axis = 1;
    const ValueId both = net.Add(std::move(concat), {x, net.Relu(net.Input({2, 1, 5, 5})), pooled});
    if (kind == 0) net.Output(net.Conv(both, {.outputs = 3, .kernel = {1, 1}}));
    if (kind == 1) net.Output(net.Conv(both, {.outputs = 3, .pads = {1, 1, 1, 1}, .bias = false}));
    if (kind == 2) net.Output(net.ConvTranspose(both, {.outputs = 2, .strides = {2, 2}}));
    if (kind == 3) {
      const ValueId rows = net.Reshape(net.Transpose(both, {0, 2, 3, 1}), {50, 9});
      net.Output(net.MatMul(rows, net.Weights({9, 3})));
    }
    const std::string fate = Fate(ExpectSameAnswers(net.graph));
    EXPECT_EQ(fate.substr(0, 11), "FOLDED next") << kind;
  }
}

TEST(FoldForward, WhoAsksForAShapeDoesNotHinderIt) {
  for (const bool linear : {true, false}) {
    Net net;
    const ValueId y = net.BatchNorm(net.Input({kUnknownDim, 4}));
    net.Output(net.Add(fb::ShapeOfT{}, {y}));
    net.Output(net.Add(fb::SizeOfT{}, {y}));
    if (linear) net.Output(net.MatMul(y, net.Weights({4, 3})));
    EXPECT_EQ(Fate(ExpectSameAnswers(net.graph)),
              linear ? "FOLDED next_matmul" : "KEPT PRODUCER_NOT_LINEAR");
  }
}

}  // namespace
}  // namespace pleat::tests
