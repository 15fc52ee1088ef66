// Operators that move elements, that pick them by index, elementwise ones, and those with bodies.
#include "tests/runtime/hostile_maker.h"

namespace pleat::tests::hostile {
namespace {

// A body that passes `count` float vectors on, `extra` inputs of other kinds in front.
Graph Body(const std::vector<Type>& inputs, const std::vector<size_t>& outputs) {
  Graph body;
  for (const Type& type : inputs) {
    body.inputs.push_back(body.AddValue("i" + std::to_string(body.values.size()), type));
  }
  for (const size_t from : outputs) {
    const ValueId id = body.AddValue("o" + std::to_string(body.values.size()), {kF, false, {}});
    body.nodes.push_back(runtime::MakeNode("pass", fb::IdentityT(), {body.inputs[from]}, {id}));
    body.outputs.push_back(id);
  }
  return body;
}

}  // namespace

Graph MakeMovement(Maker& m, fb::Op op) {
  const Shape x = m.Sizes(1, 4);
  const auto rank = static_cast<int64_t>(x.size());
  m.Input(m.Coin() ? kF : kI, x);
  switch (op) {
    case fb::Op::Transpose: {
      fb::TransposeT f;
      for (int64_t i = rank; i-- > 0;) f.perm.push_back(i);
      m.May(f.perm);
      return m.Finish(std::move(f));
    }
    case fb::Op::Reshape: {
      fb::ReshapeT f;
      m.Integers(m.Coin() ? std::vector<int64_t>{-1} : x);
      m.May(f.allow_zero);
      return m.Finish(std::move(f));
    }
    case fb::Op::Flatten: {
      fb::FlattenT f;
      m.May(f.axis);
      return m.Finish(std::move(f));
    }
    case fb::Op::Squeeze: {
      fb::SqueezeT f;
      m.May(f.axes);
      return m.Finish(std::move(f));
    }
    case fb::Op::Unsqueeze: {
      fb::UnsqueezeT f;
      f.axes = {m.Axis(x)};
      m.May(f.axes);
      return m.Finish(std::move(f));
    }
    case fb::Op::Expand:
      m.Integers(Joined({m.Size()}, x));
      return m.Finish(fb::ExpandT());
    case fb::Op::Tile:
      m.Integers(std::vector<int64_t>(x.size(), m.Size(3)));
      return m.Finish(fb::TileT());
    case fb::Op::Slice:
      m.Integers({0});
      m.Integers({m.Size(9)});
      if (m.Coin()) m.Integers({m.Axis(x)});
      return m.Finish(fb::SliceT());
    case fb::Op::Pad: {
      fb::PadT f;
      f.mode = m.Enum<fb::PadMode>();
      m.Integers(std::vector<int64_t>(2 * x.size(), m.Size(2) - 1));
      m.May(f.mode);
      return m.Finish(std::move(f));
    }
    case fb::Op::Split: {
      fb::SplitT f;
      f.axis = m.Axis(x);
      m.May(f.axis, f.sizes);
      return m.Finish(std::move(f), m.Size(3));
    }
    case fb::Op::Concat: {
      fb::ConcatT f;
      f.axis = m.Axis(x);
      if (m.Coin()) m.Input(kF, x);
      m.May(f.axis);
      return m.Finish(std::move(f));
    }
    case fb::Op::Trilu: {
      fb::TriluT f;
      if (m.Coin()) m.Integers({m.Size() - 3}, true);
      m.May(f.upper);
      return m.Finish(std::move(f));
    }
    case fb::Op::ShapeOf: {
      fb::ShapeOfT f;
      m.May(f.start, f.end);
      return m.Finish(std::move(f));
    }
    case fb::Op::Cast: {
      fb::CastT f;
      f.to = static_cast<uint8_t>(m.Size(12));
      m.May(f.to);
      return m.Finish(f);
    }
    case fb::Op::SizeOf:
      return m.Finish(fb::SizeOfT());
    default:
      return m.Finish(fb::IdentityT());
  }
}

Graph MakeIndexed(Maker& m, fb::Op op) {
  const Shape x = m.Sizes(1, 3);
  const ElementType index = m.Coin() ? kI : ElementType::kInt32;
  m.Input(kF, x);
  switch (op) {
    case fb::Op::Gather: {
      fb::GatherT f;
      f.axis = m.Axis(x);
      m.Input(index, m.Sizes(0, 2));
      m.May(f.axis);
      return m.Finish(std::move(f));
    }
    case fb::Op::GatherElements: {
      fb::GatherElementsT f;
      m.Input(index, x);
      m.May(f.axis);
      return m.Finish(std::move(f));
    }
    case fb::Op::GatherND: {
      fb::GatherNDT f;
      m.Input(index, {m.Size(), 1});
      m.May(f.batch_dims);
      return m.Finish(std::move(f));
    }
    case fb::Op::ScatterElements: {
      fb::ScatterElementsT f;
      m.Input(index, x);
      m.Input(kF, x);
      f.reduction = m.Enum<fb::ScatterReduction>();
      m.May(f.axis, f.reduction);
      return m.Finish(std::move(f));
    }
    default: {
      fb::ScatterNDT f;
      const int64_t count = m.Size();
      m.Input(index, {count, 1});
      m.Input(kF, Joined({count}, {x.begin() + 1, x.end()}));
      f.reduction = m.Enum<fb::ScatterReduction>();
      m.May(f.reduction);
      return m.Finish(std::move(f));
    }
  }
}

Graph MakeElementwise(Maker& m, fb::Op op) {
  const Shape x = m.Sizes(0, 4);
  const ElementType element = m.Coin() ? kF : static_cast<ElementType>(m.Size(10));
  if (op == fb::Op::Where) m.Input(ElementType::kBool, m.Coin() ? x : Shape{});
  m.Input(element, x);
  m.Input(element, m.Coin() ? x : Shape{});
  if (op == fb::Op::Where) return m.Finish(fb::WhereT());
  fb::BinaryT f;
  f.kind = m.Enum<fb::BinaryKind>();
  m.May(f.kind, f.activation);
  return m.Finish(std::move(f));
}

Graph MakeVision(Maker& m, fb::Op op) {
  const ElementType element = m.Float();
  const Shape x = m.Sizes(4, 4);
  switch (op) {
    case fb::Op::GridSample: {
      fb::GridSampleT f;
      f.mode = m.Enum<fb::ResizeMode>();
      f.padding = m.Enum<fb::GridPadding>();
      m.Input(element, x);
      m.Input(element, {x[0], m.Size(), m.Size(), 2});
      m.May(f.mode, f.padding, f.align_corners);
      return m.Finish(std::move(f));
    }
    case fb::Op::RoiAlign: {
      fb::RoiAlignT f;
      f.height = m.Size(3);
      f.width = m.Size(3);
      f.samples = m.Size(3) - 1;
      const int64_t count = m.Size(3);
      m.Input(element, x);
      m.Input(element, {count, 4});
      m.Input(kI, {count});
      m.May(f.height, f.width, f.samples, f.scale, f.half_pixel, f.max);
      return m.Finish(std::move(f));
    }
    case fb::Op::NonMaxSuppression: {
      fb::NonMaxSuppressionT f;
      const int64_t batch = m.Size(2), count = m.Size();
      m.Input(element, {batch, count, 4});
      m.Input(element, {batch, m.Size(3), count});
      if (m.Coin()) {
        m.Integers({m.Size(9)}, true);
        m.Weights(kF, {});
        if (m.Coin()) m.Weights(kF, {});
      }
      m.May(f.centred);
      return m.Finish(std::move(f));
    }
    case fb::Op::DepthToSpace: {
      fb::DepthToSpaceT f;
      f.block = m.Size(3);
      m.Input(element, {x[0], x[1] * f.block * f.block, x[2], x[3]});
      m.May(f.block, f.depth_column_row, f.channels_last);
      return m.Finish(std::move(f));
    }
    case fb::Op::SpaceToDepth: {
      fb::SpaceToDepthT f;
      f.block = m.Size(3);
      m.Input(element, {x[0], x[1], x[2] * f.block, x[3] * f.block});
      m.May(f.block, f.channels_last);
      return m.Finish(std::move(f));
    }
    case fb::Op::ConstantOfShape: {
      fb::ConstantOfShapeT f;
      f.to = static_cast<uint8_t>(m.Size(12));
      f.int_value = 3;
      m.Integers(m.Sizes(0, 3).empty() ? std::vector<int64_t>{1} : Shape{m.Size(), m.Size()});
      m.May(f.to, f.int_value);
      return m.Finish(std::move(f));
    }
    case fb::Op::Range:
      for (int i = 0; i < 3; ++i) m.Integers({i == 1 ? m.Size(30) : m.Size(2)}, true);
      return m.Finish(fb::RangeT());
    default: {
      fb::OneHotT f;
      m.Input(kI, m.Sizes(0, 2));
      m.Integers({m.Size()}, true);
      m.Weights(element, {2});
      m.May(f.axis);
      return m.Finish(std::move(f));
    }
  }
}

Graph MakeControl(Maker& m, fb::Op op) {
  const Shape x = m.Sizes(1, 2);
  const Type type{kF, true, x}, flag{ElementType::kBool, true, {}}, number{kI, true, {}};
  switch (op) {
    case fb::Op::If:
      m.Input(ElementType::kBool, {});
      m.Input(kF, x);
      m.Subgraph(Body({type}, {0}));
      m.Subgraph(Body({type}, {0}));
      return m.Finish(fb::IfT());
    case fb::Op::Loop: {
      fb::LoopT f;
      f.carried = 1;
      m.Integers({m.Size(3)}, true);
      Tensor condition = Tensor::Make(ElementType::kBool, {});
      condition.mutable_data<bool>()[0] = true;
      m.Constant(condition);
      m.Input(kF, x);
      m.Subgraph(Body({number, flag, type}, {1, 2, 2}));
      m.May(f.carried);
      return m.Finish(std::move(f), 2);
    }
    default: {
      fb::ScanT f;
      f.states = 1;
      f.input_axes = {0};
      f.input_reversed = {m.Coin()};
      f.output_axes = {0};
      f.output_reversed = {m.Coin()};
      m.Input(kF, x);
      m.Input(kF, Joined({m.Size(3)}, x));
      m.Subgraph(Body({type, type}, {0, 1}));
      m.May(f.states, f.input_axes, f.output_axes);
      return m.Finish(std::move(f), 2);
    }
  }
}

}  // namespace pleat::tests::hostile
