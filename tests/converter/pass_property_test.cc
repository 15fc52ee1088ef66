// Random networks through all passes. Numbers are exact in float32, so the converted network must
// give the bits that the stated one gives in double.
//   PLEAT_GRAPHS=20000 converter_test --gtest_filter='PassProperty*'   the long form
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "tests/converter/passes_support.h"

namespace pleat::tests {
namespace {

constexpr int64_t kChannels[] = {1, 2, 3, 4, 6};

class RandomNet {
 public:
  explicit RandomNet(uint64_t seed) : net_(seed), random_(net_.random) {}

  Graph Make() {
    ValueId x = Image();
    const int64_t blocks = random_.Between(1, 2);
    for (int64_t i = 0; i < blocks; ++i) {
      x = Producer(x);
      for (int64_t link = random_.Below(3); link > 0; --link) x = Link(x);
      x = Norm(x);
      if (random_.Chance(0.3)) x = Link(x);
      if (random_.Chance(0.3)) x = Norm(x);
      if (random_.Chance(0.15)) net_.Output(x);
      x = Consumer(x);
    }
    net_.Output(x);
    Share();
    Deduplicate();
    return std::move(net_.graph);
  }

 private:
  int64_t Size() { return kChannels[random_.Below(std::size(kChannels))]; }
  int Rank(ValueId x) const { return static_cast<int>(net_.ShapeOf(x).size()); }

  // An image of 1 to 3 spatial axes, or a matrix; every second one has all sizes alike.
  ValueId Image() {
    Shape shape(static_cast<size_t>(random_.Between(2, 5)));
    const int64_t all = Size();
    const bool alike = random_.Chance(0.5);
    for (int64_t& size : shape) size = alike ? all : Size();
    if (!alike) shape[0] = random_.Between(1, 2);
    return net_.Input(shape);
  }

  int64_t Divisor(int64_t a, int64_t b) {
    std::vector<int64_t> divisors;
    for (int64_t d = 1; d <= a; ++d) {
      if (a % d == 0 && b % d == 0) divisors.push_back(d);
    }
    return divisors[static_cast<size_t>(random_.Below(static_cast<int64_t>(divisors.size())))];
  }

  ConvSpec Spec(ValueId x) {
    ConvSpec spec;
    const Shape& shape = net_.ShapeOf(x);
    spec.outputs = random_.Chance(0.5) ? shape[1] : Size();
    spec.kernel.clear();
    for (size_t i = 2; i < shape.size(); ++i) {
      spec.kernel.push_back(random_.Between(1, std::min<int64_t>(3, shape[i])));
      spec.strides.push_back(random_.Between(1, 2));
      spec.dilations.push_back(1);
    }
    for (size_t i = 0; i < 2 * spec.kernel.size(); ++i) {
      spec.pads.push_back(random_.Chance(0.5) ? 0
                                              : random_.Below(spec.kernel[i % spec.kernel.size()]));
    }
    spec.group = Divisor(shape[1], spec.outputs);
    spec.bias = random_.Chance(0.5);
    return spec;
  }

  ValueId Product(ValueId x) {
    const int64_t k = net_.ShapeOf(x).back();
    const int64_t n = random_.Chance(0.5) ? k : Size();
    fb::MatMulT fields;
    const bool gemm = Rank(x) == 2;
    fields.transpose_b = random_.Chance(0.5);
    if (gemm && random_.Chance(0.5)) {
      fields.alpha = 0.5;
      fields.beta = 2;
    }
    const ValueId w = net_.Weights(fields.transpose_b ? Shape{n, k} : Shape{k, n});
    ValueId bias = kNoValue;
    if (random_.Chance(0.5)) {
      const Shape shapes[] = {
          {n}, {1}, {}, {1, n}, {net_.ShapeOf(x)[0], n}, {net_.ShapeOf(x)[0], 1}};
      bias = net_.Weights(shapes[random_.Below(gemm ? 6 : 2)]);
    }
    return net_.MatMul(x, w, bias, std::move(fields));
  }

  ValueId Producer(ValueId x) {
    const bool image = Rank(x) >= 3 && Rank(x) <= 5;
    switch (random_.Below(image ? 6 : 2)) {
      case 0:
        return Product(x);
      case 1:
        return random_.Chance(0.3) ? net_.Relu(x) : Product(x);
      case 2: {
        ConvSpec spec = Spec(x);
        spec.pads.clear();
        return net_.ConvTranspose(x, spec);
      }
      case 3: {
        const ConvSpec spec = Spec(x);
        return net_.Binary(fb::BinaryKind::Add, net_.Conv(x, spec), net_.Conv(x, spec));
      }
      default:
        return net_.Conv(x, Spec(x));
    }
  }

  // Sizes with as many elements: two neighbours merged, or one split.
  ValueId Reshape(ValueId x) {
    Shape shape = net_.ShapeOf(x);
    if (random_.Chance(0.5) && shape.size() > 1) {
      const auto at = static_cast<size_t>(random_.Below(static_cast<int64_t>(shape.size()) - 1));
      shape[at] *= shape[at + 1];
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    } else if (shape.size() < 5) {
      const auto at = static_cast<size_t>(random_.Below(static_cast<int64_t>(shape.size())));
      const int64_t part = Divisor(shape[at], shape[at]);
      shape[at] /= part;
      shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(at) + (random_.Chance(0.5) ? 1 : 0),
                   part);
    }
    return net_.Reshape(x, shape);
  }

  ValueId Transpose(ValueId x) {
    std::vector<int64_t> perm;
    for (int i = 0; i < Rank(x); ++i) {
      perm.insert(perm.begin() + random_.Below(i + 1), i);
    }
    return net_.Transpose(x, perm);
  }

  ValueId Link(ValueId x) {
    switch (random_.Below(7)) {
      case 0:
        return Reshape(x);
      case 1:
        return Transpose(x);
      case 2: {
        fb::UnsqueezeT unsqueeze;
        unsqueeze.axes = {random_.Below(Rank(x) + 1)};
        return Rank(x) < 5 ? net_.Add(std::move(unsqueeze), {x}) : x;
      }
      case 3:
        return net_.Relu(x);
      case 4: {
        fb::ConcatT concat;
        concat.axis = random_.Below(Rank(x));
        const ValueId other = random_.Chance(0.5) ? net_.Weights(net_.ShapeOf(x)) : x;
        return net_.Add(std::move(concat), {x, other});
      }
      case 5:
        return net_.Add(fb::IdentityT{}, {x});
      default:
        return net_.Unary(x, kernels::UnaryKind::kLeakyRelu, 0.5);
    }
  }

  // A batch norm of any axis, or arithmetic with a constant that broadcasts somehow.
  ValueId Norm(ValueId x) {
    if (Rank(x) >= 2 && random_.Chance(0.7)) return net_.BatchNorm(x);
    if (random_.Chance(0.3)) return net_.BatchNorm(x, static_cast<int>(random_.Below(Rank(x))));
    Shape shape = net_.ShapeOf(x);
    for (int64_t& size : shape) size = random_.Chance(0.6) ? 1 : size;
    while (!shape.empty() && random_.Chance(0.4)) shape.erase(shape.begin());
    std::vector<float> numbers(static_cast<size_t>(runtime::ElementCount(shape)));
    for (float& number : numbers) number = static_cast<float>(1 << random_.Below(3)) / 2;
    const ValueId c = net_.Constant(shape, numbers);
    using enum fb::BinaryKind;
    const fb::BinaryKind kinds[] = {Add, Sub, Mul, Div};
    const auto kind = kinds[random_.Below(4)];
    const bool left = kind != Div && random_.Chance(0.5);
    return left ? net_.Binary(kind, c, x) : net_.Binary(kind, x, c);
  }

  ValueId Consumer(ValueId x) {
    const bool image = Rank(x) >= 3 && Rank(x) <= 5;
    switch (random_.Below(image ? 11 : 4)) {
      case 0:
        return x;
      case 1:
        return net_.Relu(x);
      case 2:
        return Product(x);
      case 3: {
        fb::FlattenT flatten;
        flatten.axis = random_.Between(1, std::max(1, Rank(x) - 1));
        return Product(net_.Add(std::move(flatten), {x}));
      }
      case 4: {
        const ValueId y = net_.Conv(x, Spec(x));
        return net_.ShapeOf(y) == net_.ShapeOf(x) ? net_.Binary(fb::BinaryKind::Add, x, y) : y;
      }
      case 5: {
        ConvSpec spec = Spec(x);
        std::fill(spec.pads.begin() + Rank(x) - 2, spec.pads.end(), 0);
        return net_.ConvTranspose(x, spec);
      }
      case 6:
        return PreActivation(x);
      case 7:
        return net_.Conv(Pool(net_.Relu(x)), Spec(x));
      case 8:
        return net_.Conv(Pool(Norm(net_.Relu(x))), Spec(x));
      default:
        return net_.Conv(x, Spec(x));
    }
  }

  // Windows of one or two pixels, which every image has room for in its padding.
  ValueId Pool(ValueId x) {
    fb::PoolT pool;
    pool.kind = random_.Chance(0.5) ? fb::PoolKind::Max : fb::PoolKind::Average;
    pool.count_include_pad = random_.Chance(0.5);
    pool.window = std::make_unique<fb::WindowT>();
    for (int i = 2; i < Rank(x); ++i) {
      pool.window->kernel.push_back(2);
      pool.window->strides.push_back(1);
      pool.window->pads.push_back(1);
    }
    pool.window->pads.resize(2 * pool.window->kernel.size(), 0);
    return net_.Add(std::move(pool), {x});
  }

  // Concat -> norm -> Relu -> Conv; what it reads has another reader.
  ValueId PreActivation(ValueId x) {
    fb::ConcatT concat;
    concat.axis = 1;
    const ValueId both = net_.Add(std::move(concat), {x, net_.Relu(x)});
    net_.Output(both);
    return net_.Conv(net_.Relu(Norm(both)), Spec(both));
  }

  // Now and then two nodes read the same weights.
  void Share() {
    for (Node& a : net_.graph.nodes) {
      for (const Node& b : net_.graph.nodes) {
        const bool alike = a.op.type == b.op.type && a.inputs.size() > 1 && b.inputs.size() > 1 &&
                           net_.graph.ConstantOf(a.inputs[1]) != nullptr &&
                           net_.graph.ConstantOf(b.inputs[1]) != nullptr &&
                           a.As<fb::ConvT>() != nullptr;
        if (alike && random_.Chance(0.3) &&
            net_.ShapeOf(a.inputs[1]) == net_.ShapeOf(b.inputs[1])) {
          a.inputs[1] = b.inputs[1];
        }
      }
    }
  }

  void Deduplicate() {
    std::set<ValueId> seen;
    std::erase_if(net_.graph.outputs, [&](ValueId id) { return !seen.insert(id).second; });
  }

  Net net_;
  Random& random_;
};

// Largest number that any value of the network reaches.
double Reach(const Graph& graph) {
  Graph open = graph;
  open.outputs.clear();
  for (const Node& node : open.nodes) open.outputs.push_back(node.outputs[0]);
  double reach = 0;
  for (const Tensor& tensor : RunInDouble(open, MakeInputs(graph, 7))) {
    for (double number : runtime::ToDoubles(tensor)) reach = std::max(reach, std::abs(number));
  }
  return reach;
}

TEST(PassProperty, RandomNetworksKeepTheirBits) {
  const char* wanted = std::getenv("PLEAT_GRAPHS");
  const int count = wanted != nullptr ? std::atoi(wanted) : 600;
  int exact = 0, folded = 0, kept = 0;
  for (int seed = 1; seed <= count; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Graph graph = RandomNet(static_cast<uint64_t>(seed)).Make();
    if (HasFailure()) return;
    if (!(Reach(graph) < 4096)) continue;
    ++exact;
    const Graph converted = ExpectSameAnswers(graph);
    const Graph again = Converted(graph);
    EXPECT_EQ(runtime::GraphText(converted), runtime::GraphText(again));
    std::set<std::string> names;
    for (const fb::BatchNormT& entry : converted.batch_norms) {
      EXPECT_TRUE(names.insert(entry.node).second) << entry.node << " is listed twice";
      const bool folds = entry.status == fb::FoldStatus::Folded;
      EXPECT_EQ(folds, !entry.kind.empty()) << entry.node;
      EXPECT_EQ(folds, entry.reason.empty()) << entry.node;
      (folds ? folded : kept) += 1;
    }
    EXPECT_EQ(names.size(), graph.batch_norms.size());
    EXPECT_LE(Count<fb::ConvT>(converted) + Count<fb::MatMulT>(converted),
              Count<fb::ConvT>(graph) + Count<fb::MatMulT>(graph));
    if (HasFailure()) return;
  }
  EXPECT_GT(exact, count / 3);
  EXPECT_GT(folded, count / 10);
  EXPECT_GT(kept, count / 30);
  RecordProperty("folded", folded);
  RecordProperty("kept", kept);
}

}  // namespace
}  // namespace pleat::tests
