// Activations, residuals, pads and layer norms, spelled as exporters spell them.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

using enum fb::BinaryKind;
using kernels::UnaryKind;

constexpr double kTolerance = 2e-6;

ValueId Scalar(Net& net, float number) { return net.Constant({}, {number}); }

// The one Unary that is left, its kind; identity when there is not exactly one node.
UnaryKind OnlyUnary(const Graph& graph) {
  if (graph.nodes.size() != 1 || graph.nodes[0].As<fb::UnaryT>() == nullptr) {
    return UnaryKind::kIdentity;
  }
  return static_cast<UnaryKind>(graph.nodes[0].As<fb::UnaryT>()->activation.kind());
}

// Concat -> BatchNorm -> Relu -> Conv and the mean at the end, as in DenseNet.
TEST(FusePrologue, PreActivationIsAppliedWhereItIsRead) {
  struct Case {
    ConvSpec spec;
    const char* fate;
  };
  const Case cases[] = {
      {{.kernel = {1, 1}}, "FOLDED prologue"},
      {{.kernel = {1, 1}, .pads = {1, 0, 1, 2}}, "FOLDED prologue"},
      {{.outputs = 12, .kernel = {3, 3}, .pads = {1, 1, 1, 1}}, "FOLDED prologue"},
      {{.kernel = {3, 3}, .strides = {2, 2}, .pads = {1, 1, 1, 1}, .group = 4}, "FOLDED prologue"},
      {{.outputs = 8, .kernel = {3, 3}, .pads = {1, 1, 1, 1}, .group = 8},
       "KEPT NO_PROLOGUE"},
  };
  for (const Case& c : cases) {
    Net net;
    fb::ConcatT concat;
    concat.axis = 1;
    const ValueId a = net.Relu(net.Conv(net.Input({2, 4, 8, 8}), {}));
    const ValueId b = net.Relu(net.Conv(net.Input({2, 4, 8, 8}), {}));
    const ValueId both = net.Add(std::move(concat), {a, b});
    net.Output(both);
    net.Output(net.Conv(net.Relu(net.BatchNorm(both)), c.spec));
    const Graph folded = ExpectSameAnswers(net.graph);
    EXPECT_TRUE(Fate(folded).starts_with(c.fate)) << Fate(folded);
    EXPECT_EQ(Count<fb::ScaleShiftT>(folded), Fate(folded)[0] == 'K' ? 1 : 0);
  }
  Net mean;
  const ValueId x = mean.Relu(mean.Conv(mean.Input({2, 4, 8, 8}), {.outputs = 6}));
  mean.Output(x);
  fb::ReduceT reduce;
  reduce.kind = fb::ReduceKind::Mean;
  reduce.axes = {2, 3};
  const ValueId pooled = mean.Add(std::move(reduce), {mean.Relu(mean.BatchNorm(x))});
  mean.Output(pooled);
  EXPECT_EQ(Fate(ExpectSameAnswers(mean.graph, 1e-6)), "FOLDED prologue");
}

// x is read elsewhere; behind the batch norm, views and a product.
TEST(FusePrologue, ProductsReadThroughViews) {
  for (const bool transpose_b : {false, true}) {
    for (int form = 0; form < 5; ++form) {
      Net net(static_cast<uint64_t>(form) + 1);
      const ValueId x = net.Input(form == 1 ? Shape{2, 6, 3, 4} : Shape{2, 6, 3});
      net.Output(x);
      ValueId read = net.Relu(net.BatchNorm(x));
      if (form == 1) read = net.Reshape(read, {2, 6, 12});
      if (form < 4) read = net.Transpose(read, {0, 2, 1});
      const int64_t inputs = net.ShapeOf(read).back();
      fb::MatMulT fields;
      fields.transpose_b = transpose_b;
      const Shape weights = transpose_b ? Shape{5, inputs} : Shape{inputs, 5};
      const Shape bias = form == 2 ? Shape{1, 5} : form == 3 ? Shape{3, 1} : Shape{5};
      const ValueId c = form == 1 ? kNoValue : net.Weights(bias);
      net.Output(net.Relu(net.MatMul(read, net.Weights(weights), c, std::move(fields))));
      const Graph folded = ExpectSameAnswers(net.graph);
      // A bias for each row is none of a convolution; without the transposition, neither axis is
      // one of channels.
      EXPECT_EQ(Fate(folded), form < 3 ? "FOLDED prologue" : "KEPT NO_PROLOGUE") << form;
      EXPECT_EQ(Count<fb::ScaleShiftT>(folded), form < 3 ? 0 : 1);
    }
  }
}

TEST(FusePrologue, SumsAreAddedBehindIt) {
  Net net;
  const ValueId x = net.Input({2, 3, 6});
  net.Output(x);
  const ValueId read = net.Relu(net.BatchNorm(x, 2));
  net.Output(net.Binary(Add, net.MatMul(read, net.Weights({6, 6}), net.Weights({6})), x));
  const Graph folded = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Fate(folded), "FOLDED prologue");
  EXPECT_EQ(Count<fb::BinaryT>(folded) + Count<fb::ScaleShiftT>(folded), 0);
}

// As in ResNet V2: the convolutions of the branch and the shortcut read one BatchNorm -> Relu.
TEST(FusePrologue, SeveralReadersTakeOneEach) {
  for (int form = 0; form < 6; ++form) {
    Net net;
    const ValueId x = net.Relu(net.Input({1, 4, 8, 8}));
    net.Output(x);
    const ValueId norm = net.BatchNorm(x);
    const ValueId read = form == 1 ? norm : net.Relu(norm);
    net.Output(net.Conv(read, {.kernel = {1, 1}}));
    net.Output(net.Conv(read, {.pads = {1, 0, 0, 2}}));
    if (form == 2) net.Output(net.Conv(read, {.outputs = 4, .group = 4}));
    if (form == 3) net.Output(net.Binary(Add, read, x));
    if (form == 4) net.Output(read);
    if (form == 5) net.Output(net.Relu(net.Conv(read, {.strides = {2, 2}})));
    const Graph folded = ExpectSameAnswers(net.graph);
    // Without an activation weights take it. One that takes none leaves the pass for all of them.
    const char* fates[] = {"FOLDED prologue", "FOLDED next", "KEPT", "KEPT", "KEPT", "FOLDED prologue"};
    EXPECT_TRUE(Fate(folded).starts_with(fates[form])) << form << Fate(folded);
    EXPECT_EQ(Count<fb::ScaleShiftT>(folded), Fate(folded)[0] == 'K' ? 1 : 0);
    if (form == 5) {
      EXPECT_EQ(std::count(folded.batch_norms[0].into.begin(), folded.batch_norms[0].into.end(), ','),
                2);
    }
  }
}

TEST(MatchActivations, HardSwishInEveryOrder) {
  for (int form = 0; form < 4; ++form) {
    Net net(1, /*exact=*/false);
    const ValueId x = net.Input({2, 5});
    const ValueId gate = net.Unary(net.Binary(Add, Scalar(net, 3), x), UnaryKind::kClip, 0, 6);
    ValueId y = kNoValue;
    if (form == 0) y = net.Binary(Div, net.Binary(Mul, x, gate), Scalar(net, 6));
    if (form == 1) y = net.Binary(Mul, x, net.Binary(Div, gate, Scalar(net, 6)));
    if (form == 2) y = net.Binary(Mul, net.Binary(Mul, gate, Scalar(net, 1 / 6.0f)), x);
    if (form == 3) y = net.Binary(Mul, net.Unary(x, UnaryKind::kHardSigmoid, 1 / 6.0f, 0.5f), x);
    net.Output(y);
    EXPECT_EQ(OnlyUnary(ExpectSameAnswers(net.graph, kTolerance)), UnaryKind::kHardSwish) << form;
  }
}

TEST(MatchActivations, HardSigmoid) {
  Net net(1, /*exact=*/false);
  const ValueId x = net.Input({2, 5});
  const ValueId gate = net.Unary(net.Binary(Add, x, Scalar(net, 3)), UnaryKind::kClip, 0, 6);
  net.Output(net.Binary(Div, gate, Scalar(net, 6)));
  EXPECT_EQ(OnlyUnary(ExpectSameAnswers(net.graph, kTolerance)), UnaryKind::kHardSigmoid);
}

TEST(MatchActivations, SwishWithAndWithoutFactor) {
  Net plain(1, /*exact=*/false);
  const ValueId x = plain.Input({2, 5});
  plain.Output(plain.Binary(Mul, x, plain.Unary(x, UnaryKind::kSigmoid)));
  EXPECT_EQ(OnlyUnary(ExpectSameAnswers(plain.graph, kTolerance)), UnaryKind::kSwish);
  Net quick(1, /*exact=*/false);
  const ValueId z = quick.Input({2, 5});
  const ValueId gate =
      quick.Unary(quick.Binary(Mul, z, Scalar(quick, 1.702f)), UnaryKind::kSigmoid);
  quick.Output(quick.Binary(Mul, gate, z));
  EXPECT_EQ(OnlyUnary(ExpectSameAnswers(quick.graph, kTolerance)), UnaryKind::kSwish);
}

TEST(MatchActivations, Mish) {
  Net net(1, /*exact=*/false);
  const ValueId x = net.Input({2, 5});
  const ValueId gate = net.Unary(net.Unary(x, UnaryKind::kSoftplus), UnaryKind::kTanh);
  net.Output(net.Binary(Mul, x, gate));
  EXPECT_EQ(OnlyUnary(ExpectSameAnswers(net.graph, kTolerance)), UnaryKind::kMish);
}

TEST(MatchActivations, GeluInEveryOrder) {
  for (int form = 0; form < 3; ++form) {
    Net net(1, /*exact=*/false);
    const ValueId x = net.Input({2, 5});
    const ValueId scaled = form == 1 ? net.Binary(Mul, x, Scalar(net, std::sqrt(0.5f)))
                                     : net.Binary(Div, x, Scalar(net, std::sqrt(2.0f)));
    const ValueId gate = net.Binary(Add, net.Unary(scaled, UnaryKind::kErf), Scalar(net, 1));
    ValueId y = kNoValue;
    if (form == 0) y = net.Binary(Mul, net.Binary(Mul, x, gate), Scalar(net, 0.5));
    if (form == 1) y = net.Binary(Mul, net.Binary(Mul, x, Scalar(net, 0.5)), gate);
    if (form == 2) y = net.Binary(Mul, x, net.Binary(Mul, gate, Scalar(net, 0.5)));
    net.Output(y);
    EXPECT_EQ(OnlyUnary(ExpectSameAnswers(net.graph, kTolerance)), UnaryKind::kGelu) << form;
  }
}

TEST(MatchActivations, GeluByTanh) {
  for (bool power : {false, true}) {
    Net net(1, /*exact=*/false);
    const ValueId x = net.Input({2, 5});
    const ValueId cube =
        power ? net.Binary(Pow, x, Scalar(net, 3)) : net.Binary(Mul, x, net.Binary(Mul, x, x));
    const ValueId sum = net.Binary(Add, x, net.Binary(Mul, cube, Scalar(net, 0.044715f)));
    const ValueId inner = net.Binary(Mul, sum, Scalar(net, 0.7978845608f));
    const ValueId gate = net.Binary(Add, net.Unary(inner, UnaryKind::kTanh), Scalar(net, 1));
    net.Output(net.Binary(Mul, net.Binary(Mul, Scalar(net, 0.5), x), gate));
    EXPECT_EQ(OnlyUnary(ExpectSameAnswers(net.graph, kTolerance)), UnaryKind::kGeluTanh);
  }
}

TEST(MatchActivations, Bounds) {
  for (fb::BinaryKind kind : {Max, Min}) {
    Net net;
    net.Output(net.Binary(kind, Scalar(net, 1), net.Input({2, 5})));
    EXPECT_EQ(OnlyUnary(ExpectSameAnswers(net.graph)), UnaryKind::kClip);
  }
  Net leaky;
  const ValueId x = leaky.Input({2, 5});
  leaky.Output(leaky.Binary(Max, leaky.Binary(Mul, x, Scalar(leaky, 0.25f)), x));
  EXPECT_EQ(OnlyUnary(ExpectSameAnswers(leaky.graph)), UnaryKind::kLeakyRelu);
  Net steep;
  const ValueId z = steep.Input({2, 5});
  steep.Output(steep.Binary(Max, steep.Binary(Mul, z, Scalar(steep, 2)), z));
  EXPECT_EQ(ExpectSameAnswers(steep.graph).nodes.size(), 2u);
}

TEST(MatchActivations, LookAlikesStay) {
  Net other(1, /*exact=*/false);  // the gate is of another value
  const ValueId x = other.Input({2, 5}), z = other.Input({2, 5});
  other.Output(other.Binary(Mul, x, other.Unary(z, UnaryKind::kSigmoid)));
  EXPECT_EQ(ExpectSameAnswers(other.graph, kTolerance).nodes.size(), 2u);
  Net wide(1, /*exact=*/false);  // the constant enlarges the result
  const ValueId v = wide.Input({1, 5});
  const ValueId gate = wide.Unary(v, UnaryKind::kHardSigmoid, 0.2f, 0.5f);
  wide.Output(wide.Binary(Mul, v, gate));
  EXPECT_EQ(ExpectSameAnswers(wide.graph, kTolerance).nodes.size(), 2u);
}

TEST(FuseActivation, GoesIntoWhatMakesItsOperand) {
  Net net(1, /*exact=*/false);
  const ValueId x = net.Input({1, 3, 5, 5});
  const ValueId y = net.Unary(net.Conv(x, {}), UnaryKind::kSwish, 1);
  const ValueId z = net.Relu(net.ConvTranspose(y, {.outputs = 2}));
  net.Output(net.Unary(net.Binary(Mul, z, z), UnaryKind::kTanh));
  const Graph fused = ExpectSameAnswers(net.graph, kTolerance);
  EXPECT_EQ(Count<fb::UnaryT>(fused), 0);
}

TEST(FuseActivation, StaysWhereTheOperandIsSeen) {
  Net net;
  const ValueId y = net.Conv(net.Input({1, 3, 5, 5}), {});
  net.Output(y);
  net.Output(net.Relu(y));
  EXPECT_EQ(Count<fb::UnaryT>(ExpectSameAnswers(net.graph)), 1);
}

TEST(FuseResidual, SumAndActivationGoIntoTheLaterConv) {
  Net net;
  const ValueId x = net.Input({kUnknownDim, 4, 5, 5});
  const ConvSpec spec{.outputs = 4, .pads = {1, 1, 1, 1}, .bias = false};
  const ValueId block = net.Conv(net.Relu(net.Conv(x, spec)), spec);
  net.Output(net.Relu(net.Binary(Add, block, net.Conv(x, spec))));
  const Graph fused = ExpectSameAnswers(net.graph);
  EXPECT_EQ(Count<fb::BinaryT>(fused), 0);
  EXPECT_EQ(Count<fb::UnaryT>(fused), 0);
}

TEST(FuseResidual, BroadcastStays) {
  for (const Shape& shape : {Shape{1, 4, 5, 1}, Shape{kUnknownDim, 4, 5, 5}}) {
    Net net;
    const ValueId y = net.Conv(net.Input({2, 4, 5, 5}), {.outputs = 4, .kernel = {1, 1}});
    net.Output(net.Binary(Add, net.Input(shape), y));
    EXPECT_EQ(Count<fb::BinaryT>(ExpectSameAnswers(net.graph)), 1);
  }
}

TEST(FuseResidual, AfterAnActivationItStays) {
  Net net;
  const ValueId x = net.Input({2, 4, 5, 5});
  const ValueId y = net.Relu(net.Conv(x, {.outputs = 4, .kernel = {1, 1}}));
  net.Output(net.Binary(Add, x, y));
  EXPECT_EQ(Count<fb::BinaryT>(ExpectSameAnswers(net.graph)), 1);
}

TEST(FuseResidual, ProductsTakeOneToo) {
  Net net;
  const ValueId x = net.Input({2, 6, 4});
  const ValueId y = net.MatMul(x, net.Weights({4, 4}));
  net.Output(net.Relu(net.Binary(Add, x, net.Binary(Add, y, net.Weights({4})))));
  EXPECT_EQ(ExpectSameAnswers(net.graph).nodes.size(), 1u);
}

ValueId Padded(Net& net, ValueId x, std::vector<int64_t> pads, float value) {
  return net.Add(fb::PadT{}, {x, net.Int64s(pads), Scalar(net, value)});
}

TEST(FusePad, ZerosGoIntoConvAndAveragePool) {
  Net conv;
  conv.Output(conv.Conv(Padded(conv, conv.Input({1, 3, 5, 5}), {0, 0, 1, 0, 0, 0, 2, 1}, 0),
                        {.pads = {0, 1, 1, 0}}));
  EXPECT_EQ(Count<fb::PadT>(ExpectSameAnswers(conv.graph)), 0);
  Net pool;
  fb::PoolT fields;
  fields.kind = fb::PoolKind::Average;
  fields.window = std::make_unique<fb::WindowT>();
  fields.window->kernel = {2, 2};
  pool.Output(pool.Add(std::move(fields),
                       {Padded(pool, pool.Input({1, 3, 5, 5}), {0, 0, 1, 1, 0, 0, 1, 0}, 0)}));
  EXPECT_EQ(Count<fb::PadT>(ExpectSameAnswers(pool.graph)), 0);
}

TEST(FusePad, FromBeforeATranspose) {
  Net net;
  const ValueId x = net.Input({2, 5, 6, 3});
  const ValueId padded = Padded(net, x, {0, 1, 0, 0, 0, 2, 3, 0}, 0);
  net.Output(net.Conv(net.Transpose(padded, {0, 3, 1, 2}), {.pads = {0, 1, 1, 0}}));
  EXPECT_EQ(Count<fb::PadT>(ExpectSameAnswers(net.graph)), 0);
  Net channels;
  const ValueId wider = Padded(channels, channels.Input({2, 5, 6, 2}), {0, 0, 0, 0, 0, 0, 0, 1}, 0);
  channels.Output(channels.Conv(channels.Transpose(wider, {0, 3, 1, 2}), {}));
  EXPECT_EQ(Count<fb::PadT>(ExpectSameAnswers(channels.graph)), 1);
}

TEST(FusePad, WhatABatchNormStoodBehind) {
  for (const int64_t own : {0, 1}) {
    Net net;
    const ValueId x = net.Relu(net.Input({1, 3, 5, 5}));
    const ValueId norm = net.BatchNorm(Padded(net, x, {0, 0, 1, 0, 0, 0, 2, 1}, 0));
    net.Output(net.Conv(norm, {.pads = {own, own, own, own}}));
    // The shift is not to meet the zeros that the Conv pads with itself.
    EXPECT_EQ(Count<fb::PadT>(ExpectSameAnswers(net.graph)), own);
  }
}

TEST(FusePad, OtherPadsStay) {
  struct Case {
    std::vector<int64_t> pads;
    float value;
  };
  for (const Case& c : {Case{{0, 0, 1, 1, 0, 0, 1, 1}, 1}, Case{{0, 1, 1, 1, 0, 0, 1, 1}, 0},
                        Case{{0, 0, -1, 1, 0, 0, 1, 1}, 0}}) {
    Net net;
    net.Output(net.Conv(Padded(net, net.Input({1, 3, 5, 5}), c.pads, c.value), {}));
    EXPECT_EQ(Count<fb::PadT>(ExpectSameAnswers(net.graph)), 1);
  }
}

TEST(MatchLayerNorm, WithAndWithoutParameters) {
  for (bool parameters : {false, true}) {
    Net net(1, /*exact=*/false);
    const ValueId x = net.Input({2, 3, 8});
    fb::ReduceT mean;
    mean.kind = fb::ReduceKind::Mean;
    mean.axes = {-1};
    const ValueId centred = net.Binary(Sub, x, net.Add(fb::ReduceT(mean), {x}));
    const ValueId square = net.Binary(Pow, centred, Scalar(net, 2));
    const ValueId variance = net.Add(fb::ReduceT(mean), {square});
    const ValueId deviation =
        net.Unary(net.Binary(Add, variance, Scalar(net, 1e-5f)), UnaryKind::kSqrt);
    ValueId y = net.Binary(Div, centred, deviation);
    if (parameters) {
      y = net.Binary(Add, net.Binary(Mul, y, net.Weights({8})), net.Weights({8}));
    }
    net.Output(y);
    const Graph matched = ExpectSameAnswers(net.graph, kTolerance);
    EXPECT_EQ(matched.nodes.size(), 1u);
    EXPECT_EQ(Count<fb::LayerNormT>(matched), 1);
  }
}

TEST(MatchLayerNorm, OtherAxesStay) {
  Net net(1, /*exact=*/false);
  const ValueId x = net.Input({2, 3, 8});
  fb::ReduceT mean;
  mean.kind = fb::ReduceKind::Mean;
  mean.axes = {1};
  const ValueId centred = net.Binary(Sub, x, net.Add(fb::ReduceT(mean), {x}));
  const ValueId variance = net.Add(fb::ReduceT(mean), {net.Binary(Mul, centred, centred)});
  net.Output(net.Binary(
      Div, centred, net.Unary(net.Binary(Add, variance, Scalar(net, 1e-5f)), UnaryKind::kSqrt)));
  EXPECT_EQ(Count<fb::LayerNormT>(ExpectSameAnswers(net.graph, kTolerance)), 0);
}

}  // namespace
}  // namespace pleat::tests
