// Chains of operators that move elements, as plans run them: the fast kernels on any number of
// threads, with buffers shared, against the reference ones.
#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/session.h"
#include "tests/runtime/movement_support.h"
#include "tests/support/random.h"

namespace pleat::tests {
namespace {

namespace fb = runtime::fb;
using runtime::Graph;
using runtime::ValueId;

// Grows a graph by one random operator at a time, always from the last value.
class Chain {
 public:
  Chain(Random& random, Shape shape) : random_(random), shape_(std::move(shape)) {
    last_ = graph_.AddValue("x", FloatType(shape_));
    graph_.inputs = {last_};
  }

  void Grow() {
    switch (random_.Below(9)) {
      case 0:
        return Transpose();
      case 1:
        return Slice();
      case 2:
        return Pad();
      case 3:
        return Tile();
      case 4:
        return Concat();
      case 5:
        return Split();
      case 6:
        return Gather();
      case 7:
        return Unsqueeze();
      default:
        return Flatten();
    }
  }

  // The graph of all that was added, and the shape it gives.
  Graph Finish() {
    graph_.outputs = {last_};
    return std::move(graph_);
  }
  int64_t count() const { return runtime::ElementCount(shape_); }
  size_t rank() const { return shape_.size(); }

 private:
  template <class T>
  ValueId Add(T fields, std::vector<ValueId> inputs) {
    const ValueId y = graph_.AddValue("v" + std::to_string(graph_.values.size()));
    graph_.nodes.push_back(runtime::MakeNode("n" + std::to_string(graph_.nodes.size()),
                                             std::move(fields), std::move(inputs), {y}));
    return y;
  }
  ValueId Constant(const std::vector<int64_t>& values) {
    return graph_.AddConstant("c" + std::to_string(graph_.values.size()), Longs(values));
  }
  size_t Axis() { return static_cast<size_t>(random_.Below(static_cast<int64_t>(rank()))); }

  void Transpose() {
    fb::TransposeT fields;
    Shape shape;
    for (size_t d = 0; d < rank(); ++d) {
      const int64_t at = random_.Between(0, static_cast<int64_t>(d));
      fields.perm.insert(fields.perm.begin() + at, static_cast<int64_t>(d));
    }
    for (int64_t axis : fields.perm) shape.push_back(shape_[static_cast<size_t>(axis)]);
    last_ = Add(std::move(fields), {last_});
    shape_ = std::move(shape);
  }

  void Slice() {
    const size_t axis = Axis();
    const int64_t size = shape_[axis], step = random_.Chance(0.3) ? -1 : random_.Between(1, 2);
    const int64_t begin = random_.Below(size), end = random_.Between(begin + 1, size);
    const int64_t start = step > 0 ? begin : end - 1;
    const int64_t stop = step > 0 ? end : begin - 1 - size;
    last_ = Add(fb::SliceT{}, {last_, Constant({start}), Constant({stop}),
                               Constant({static_cast<int64_t>(axis)}), Constant({step})});
    shape_[axis] = (end - begin + std::abs(step) - 1) / std::abs(step);
  }

  void Pad() {
    fb::PadT fields;
    const size_t axis = Axis();
    fields.mode = static_cast<fb::PadMode>(random_.Below(4));
    std::vector<int64_t> pads(2 * rank());
    const bool mirrors = fields.mode == fb::PadMode::Reflect;
    const int64_t most = mirrors ? std::min<int64_t>(shape_[axis] - 1, 5) : 5;
    pads[axis] = random_.Between(0, most);
    pads[axis + rank()] = random_.Between(0, most);
    shape_[axis] += pads[axis] + pads[axis + rank()];
    last_ = Add(std::move(fields), {last_, Constant(pads)});
  }

  void Tile() {
    std::vector<int64_t> repeats(rank(), 1);
    const size_t axis = Axis();
    repeats[axis] = random_.Between(1, 3);
    shape_[axis] *= repeats[axis];
    last_ = Add(fb::TileT{}, {last_, Constant(repeats)});
  }

  void Concat() {
    fb::ConcatT fields;
    const size_t axis = Axis();
    fields.axis = static_cast<int64_t>(axis);
    const ValueId zeros = graph_.AddConstant("c" + std::to_string(graph_.values.size()),
                                             Tensor::Make(ElementType::kFloat32, shape_));
    last_ = Add(std::move(fields), {last_, zeros, last_});
    shape_[axis] *= 3;
  }

  // Two parts put together again in the other order.
  void Split() {
    const size_t axis = Axis();
    fb::SplitT fields;
    fields.axis = static_cast<int64_t>(axis);
    const int64_t first = random_.Between(0, shape_[axis]);
    fields.sizes = {first, shape_[axis] - first};
    fb::ConcatT join;
    join.axis = fields.axis;
    const ValueId a = graph_.AddValue("a" + std::to_string(graph_.values.size()));
    const ValueId b = graph_.AddValue("b" + std::to_string(graph_.values.size()));
    graph_.nodes.push_back(runtime::MakeNode("n" + std::to_string(graph_.nodes.size()),
                                             std::move(fields), {last_}, {a, b}));
    last_ = Add(std::move(join), {b, a});
  }

  void Gather() {
    fb::GatherT fields;
    const size_t axis = Axis();
    fields.axis = static_cast<int64_t>(axis);
    std::vector<int64_t> indices;
    for (int64_t i = random_.Between(1, 7); i > 0; --i) {
      indices.push_back(random_.Between(-shape_[axis], shape_[axis] - 1));
    }
    shape_[axis] = static_cast<int64_t>(indices.size());
    last_ = Add(std::move(fields), {last_, Constant(indices)});
  }

  void Unsqueeze() {
    if (rank() >= 6) return;
    fb::UnsqueezeT fields;
    const int64_t axis = random_.Between(0, static_cast<int64_t>(rank()));
    fields.axes = {axis};
    shape_.insert(shape_.begin() + axis, 1);
    last_ = Add(std::move(fields), {last_});
  }

  void Flatten() {
    if (rank() < 4) return;
    fb::FlattenT fields;
    fields.axis = 2;
    last_ = Add(std::move(fields), {last_});
    const int64_t rows = shape_[0] * shape_[1];
    shape_ = {rows, count() / rows};
  }

  Random& random_;
  Graph graph_;
  Shape shape_;
  ValueId last_;
};

TEST(MovementChain, IsTheSameWithAnyKernelsAndThreads) {
  Random random(11);
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(i);
    Shape shape;
    for (int64_t d = random.Between(1, 4); d > 0; --d) shape.push_back(random.Between(1, 13));
    const Tensor x = Counting(shape);
    Chain chain(random, shape);
    for (int64_t steps = random.Between(1, 8); steps > 0 && chain.count() < 400000; --steps) {
      chain.Grow();
    }
    const int64_t count = chain.count();
    const auto model = runtime::Model::FromGraph(chain.Finish());
    ASSERT_TRUE(model.ok()) << model.status().message();
    runtime::Session::Options plain{.share_buffers = false};
    plain.select.reference = true;
    runtime::Session reference(*model, plain);
    const auto expected = reference.Run({x});
    ASSERT_TRUE(expected.ok()) << expected.status().message();
    ASSERT_EQ((*expected)[0].count(), count);
    for (int threads : {1, 3}) {
      runtime::Session session(*model, {.threads = threads});
      const auto actual = session.Run({x});
      ASSERT_TRUE(actual.ok()) << actual.status().message();
      EXPECT_EQ((*actual)[0].shape(), (*expected)[0].shape());
      EXPECT_TRUE(std::ranges::equal((*actual)[0].data<float>(), (*expected)[0].data<float>()));
    }
  }
}

}  // namespace
}  // namespace pleat::tests
