#include "tests/runtime/hostile_nodes.h"

#include <cmath>

#include "tests/runtime/hostile_maker.h"

namespace pleat::tests {
namespace hostile {
namespace {

Graph MakeConv(Maker& m) {
  fb::ConvT f;
  const ElementType element = m.Float();
  const Shape space = m.Sizes(1, 3);
  f.channels_last = m.Coin();
  f.group = m.Coin() ? 1 : m.Size(3);
  const int64_t in = m.Size(4), out = m.Size(6) * f.group, batch = m.Size(2);
  f.window = m.Window(space, m.Coin());
  m.Input(element, Image(in * f.group, space, f.channels_last, batch));
  m.Weights(element, Joined({out, in}, m.kernel()));
  const bool bias = m.Coin(), tap_bias = !m.Coin() && !m.Coin(), prologue = !m.Coin() && !m.Coin();
  if (bias) m.Weights(element, {out});
  if (!bias && (tap_bias || prologue)) m.Left();
  if (tap_bias || prologue) m.Left();  // residual
  if (tap_bias) m.Constant(Tensor::Make(ElementType::kFloat64, Joined({out}, m.kernel())));
  if (!tap_bias && prologue) m.Left();
  if (prologue) {
    m.Weights(element, {in * f.group});
    m.Weights(element, {in * f.group});
    if (m.Coin()) m.Weights(element, {2});
  }
  m.May(f.window);
  m.May(f.group, f.channels_last, f.weight_layout, f.out_channels, f.activation);
  return m.Finish(std::move(f));
}

Graph MakeConvTranspose(Maker& m) {
  fb::ConvTransposeT f;
  const ElementType element = m.Float();
  const Shape space = m.Sizes(1, 3);
  f.channels_last = m.Coin();
  f.group = m.Coin() ? 1 : m.Size(3);
  const int64_t in = m.Size(4) * f.group, out = m.Size(6), batch = m.Size(2);
  f.window = m.Window(space, m.Coin());
  if (!m.Coin()) f.output_shape.assign(space.size(), m.Size(9));
  if (!m.Coin()) f.output_padding.assign(space.size(), 0);
  m.Input(element, Image(in, space, f.channels_last, batch));
  m.Weights(element, Joined({in, out}, m.kernel()));
  if (m.Coin()) m.Weights(element, {out * f.group});
  m.May(f.window);
  m.May(f.group, f.channels_last, f.output_padding, f.output_shape, f.activation);
  return m.Finish(std::move(f));
}

Graph MakeMatMul(Maker& m) {
  fb::MatMulT f;
  const ElementType element = m.Float();
  const int64_t rows = m.Size(9), inner = m.Size(9), columns = m.Size(20);
  f.transpose_a = m.Coin();
  f.transpose_b = m.Coin();
  const Shape batch = m.Sizes(0, 2);
  m.Input(element, Joined(batch, f.transpose_a ? Shape{inner, rows} : Shape{rows, inner}));
  m.Weights(element, Joined(m.Coin() ? batch : Shape{},
                            f.transpose_b ? Shape{columns, inner} : Shape{inner, columns}));
  if (m.Coin()) m.Weights(element, m.Coin() ? Shape{columns} : Shape{rows, columns});
  m.May(f.transpose_a, f.transpose_b, f.alpha, f.beta, f.weight_layout, f.weight_rows,
        f.weight_columns, f.activation);
  return m.Finish(std::move(f));
}

Graph MakePool(Maker& m) {
  fb::PoolT f;
  const Shape space = m.Sizes(1, 3);
  f.kind = m.Enum<fb::PoolKind>();
  f.channels_last = m.Coin();
  f.ceil_mode = m.Coin();
  f.count_include_pad = m.Coin();
  f.window = m.Window(space, true);
  m.Input(m.Float(), Image(m.Size(), space, f.channels_last, m.Size(2)));
  m.May(f.window);
  m.May(f.kind, f.p, f.storage_order, f.channels_last, f.ceil_mode);
  return m.Finish(std::move(f), f.kind == fb::PoolKind::Max && m.Coin() ? 2 : 1);
}

Graph MakeRecurrent(Maker& m) {
  fb::RecurrentT f;
  const ElementType element = m.Float();
  f.kind = m.Enum<fb::RecurrentKind>();
  f.direction = m.Enum<fb::RecurrentDirection>();
  f.hidden = m.Size();
  f.batch_first = m.Coin();
  const int64_t d = f.direction == fb::RecurrentDirection::Bidirectional ? 2 : 1;
  const bool lstm = f.kind == fb::RecurrentKind::Lstm, gru = f.kind == fb::RecurrentKind::Gru;
  const int64_t gates = (lstm ? 4 : gru ? 3 : 1) * f.hidden;
  for (int64_t i = d * (lstm ? 3 : gru ? 2 : 1); i > 0; --i) f.activations.push_back(m.Act());
  const int64_t steps = m.Size(), batch = m.Size(3), columns = m.Size();
  const Shape state = f.batch_first ? Shape{batch, d, f.hidden} : Shape{d, batch, f.hidden};
  m.Input(element, f.batch_first ? Shape{batch, steps, columns} : Shape{steps, batch, columns});
  m.Weights(element, {d, gates, columns});
  m.Weights(element, {d, gates, f.hidden});
  if (m.Coin()) m.Weights(element, {d, 2 * gates}); else m.Left();
  if (m.Coin()) m.Input(ElementType::kInt32, {batch}); else m.Left();
  if (m.Coin()) m.Input(element, state); else m.Left();
  if (lstm) {
    if (m.Coin()) m.Input(element, state); else m.Left();
    if (m.Coin()) m.Weights(element, {d, 3 * f.hidden}); else m.Left();
  }
  m.May(f.kind, f.direction, f.hidden, f.batch_first, f.clip, f.linear_before_reset,
        f.input_forget);
  return m.Finish(std::move(f), lstm ? 3 : 2);
}

Graph MakeResize(Maker& m) {
  fb::ResizeT f;
  const Shape x = m.Sizes(1, 4);
  f.mode = m.Enum<fb::ResizeMode>();
  f.coordinates = m.Enum<fb::CoordinateMode>();
  f.nearest = m.Enum<fb::NearestMode>();
  f.aspect = m.Enum<fb::AspectPolicy>();
  f.antialias = m.Coin();
  m.Input(kF, x);
  const auto rank = static_cast<int64_t>(x.size());
  if (f.coordinates == fb::CoordinateMode::TfCropAndResize) {
    m.Weights(kF, {2 * rank});
  } else {
    m.Left();
  }
  if (m.Coin()) {
    m.Weights(kF, {rank});
  } else {
    m.Left();
    m.Integers(m.Sizes(rank, rank));
  }
  m.May(f.mode, f.coordinates, f.nearest, f.cubic_a, f.exclude_outside, f.aspect, f.axes);
  return m.Finish(std::move(f));
}

// Operators whose operands and fields are few.
Graph MakeNorm(Maker& m, fb::Op op) {
  const ElementType element = m.Float();
  const Shape x = m.Sizes(2, 4);
  m.Input(element, x);
  switch (op) {
    case fb::Op::ScaleShift: {
      fb::ScaleShiftT f;
      m.Weights(element, {x[1]});
      m.Weights(element, {x[1]});
      m.May(f.axis, f.activation);
      return m.Finish(std::move(f));
    }
    case fb::Op::BatchNormTraining: {
      fb::BatchNormTrainingT f;
      for (int i = 0; i < 4; ++i) m.Weights(element, {x[1]});
      m.May(f.axis, f.epsilon, f.momentum);
      return m.Finish(std::move(f), 3);
    }
    case fb::Op::LayerNorm: {
      fb::LayerNormT f;
      m.Weights(element, {x.back()});
      if (m.Coin()) m.Weights(element, {x.back()});
      m.May(f.axis, f.epsilon);
      return m.Finish(std::move(f));
    }
    case fb::Op::InstanceNorm: {
      fb::InstanceNormT f;
      m.Weights(element, {x[1]});
      m.Weights(element, {x[1]});
      m.May(f.epsilon, f.channels_last);
      return m.Finish(std::move(f));
    }
    case fb::Op::LocalResponseNorm: {
      fb::LocalResponseNormT f;
      f.size = m.Size();
      m.May(f.size, f.alpha, f.beta, f.bias, f.channels_last);
      return m.Finish(std::move(f));
    }
    case fb::Op::Softmax: {
      fb::SoftmaxT f;
      f.axis = m.Axis(x);
      f.to_end = m.Coin();
      m.May(f.axis, f.log);
      return m.Finish(std::move(f));
    }
    default: {
      fb::UnaryT f;
      f.activation = m.Act();
      m.May(f.activation);
      return m.Finish(std::move(f));
    }
  }
}

Graph MakeReduction(Maker& m, fb::Op op) {
  const Shape x = m.Sizes(1, 4);
  m.Input(m.Coin() ? kF : static_cast<ElementType>(m.Size(9)), x);
  switch (op) {
    case fb::Op::Reduce: {
      fb::ReduceT f;
      f.kind = m.Enum<fb::ReduceKind>();
      if (m.Coin()) f.axes = {m.Axis(x)};
      if (f.axes.empty() && m.Coin()) m.Integers({m.Axis(x)});
      f.keepdims = m.Coin();
      m.May(f.kind, f.axes, f.keepdims, f.noop_with_empty_axes);
      return m.Finish(std::move(f));
    }
    case fb::Op::ArgReduce: {
      fb::ArgReduceT f;
      f.axis = m.Axis(x);
      m.May(f.max, f.axis, f.keepdims, f.last_index);
      return m.Finish(std::move(f));
    }
    case fb::Op::TopK: {
      fb::TopKT f;
      m.Integers({1}, m.Coin());
      m.May(f.axis, f.largest, f.sorted);
      return m.Finish(std::move(f), 2);
    }
    case fb::Op::CumSum: {
      fb::CumSumT f;
      m.Integers({m.Axis(x)}, true);
      m.May(f.exclusive, f.reverse, f.product);
      return m.Finish(std::move(f));
    }
    case fb::Op::Unique: {
      fb::UniqueT f;
      f.flat = m.Coin();
      m.May(f.axis, f.flat, f.sorted);
      return m.Finish(std::move(f), 4);
    }
    default:
      return m.Finish(fb::NonZeroT());
  }
}

}  // namespace
}  // namespace hostile

runtime::Tensor AnyNumbers(const runtime::Type& type, Random& random) {
  using runtime::ElementType;
  runtime::Tensor doubles = runtime::Tensor::Make(ElementType::kFloat64, type.shape);
  constexpr double kWild[] = {0, -0.0, 1, -1, 0.5, 1e30, -1e30, 1e300, 2147483648.0, -9.3e18};
  for (double& x : doubles.mutable_data<double>()) {
    x = static_cast<double>(random.Between(-3, 3));
    if (random.Chance(0.2)) x = random.Uniform(-4, 4);
    if (random.Chance(0.02)) x = kWild[static_cast<size_t>(random.Below(std::size(kWild)))];
    if (random.Chance(0.01)) x = random.Chance(0.5) ? NAN : INFINITY;
    if (type.element == ElementType::kBool) x = x > 0 ? 1 : 0;
  }
  return Cast(doubles, type.element);
}

runtime::Graph HostileGraph(runtime::fb::Op op, int wrongs, Random& random) {
  using namespace hostile;
  Maker m(wrongs, random);
  switch (op) {
    case fb::Op::Conv:
      return MakeConv(m);
    case fb::Op::ConvTranspose:
      return MakeConvTranspose(m);
    case fb::Op::MatMul:
      return MakeMatMul(m);
    case fb::Op::Pool:
      return MakePool(m);
    case fb::Op::Recurrent:
      return MakeRecurrent(m);
    case fb::Op::Resize:
      return MakeResize(m);
    case fb::Op::ScaleShift:
    case fb::Op::BatchNormTraining:
    case fb::Op::LayerNorm:
    case fb::Op::InstanceNorm:
    case fb::Op::LocalResponseNorm:
    case fb::Op::Softmax:
    case fb::Op::Unary:
      return MakeNorm(m, op);
    case fb::Op::Reduce:
    case fb::Op::ArgReduce:
    case fb::Op::TopK:
    case fb::Op::CumSum:
    case fb::Op::Unique:
    case fb::Op::NonZero:
      return MakeReduction(m, op);
    case fb::Op::Gather:
    case fb::Op::GatherElements:
    case fb::Op::GatherND:
    case fb::Op::ScatterElements:
    case fb::Op::ScatterND:
      return MakeIndexed(m, op);
    case fb::Op::Binary:
    case fb::Op::Where:
      return MakeElementwise(m, op);
    case fb::Op::GridSample:
    case fb::Op::RoiAlign:
    case fb::Op::NonMaxSuppression:
    case fb::Op::DepthToSpace:
    case fb::Op::SpaceToDepth:
    case fb::Op::ConstantOfShape:
    case fb::Op::Range:
    case fb::Op::OneHot:
      return MakeVision(m, op);
    case fb::Op::If:
    case fb::Op::Loop:
    case fb::Op::Scan:
      return MakeControl(m, op);
    default:
      return MakeMovement(m, op);
  }
}

}  // namespace pleat::tests
