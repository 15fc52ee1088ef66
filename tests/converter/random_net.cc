#include "tests/converter/random_net.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace pleat::tests {
namespace {

constexpr int64_t kChannels[] = {1, 2, 3, 4, 6};
// A square of a flattened image would be millions of weights.
constexpr int64_t kMostSquare = 512;
// Beyond, an image only gets its norm: layers that enlarge it, one after another, would take minutes.
constexpr int64_t kMostElements = 1 << 14;

class Generator {
 public:
  Generator(Random random, Numbers numbers)
      : net_(random, numbers == Numbers::kExact), random_(net_.random), numbers_(numbers) {}

  Graph Make() {
    ValueId x = Image();
    const int64_t blocks = random_.Between(1, 2);
    for (int64_t i = 0; i < blocks && IsSmall(x); ++i) {
      x = random_.Chance(0.15) ? Branches(x) : Producer(x);
      for (int64_t link = random_.Below(3); link > 0 && IsSmall(x); --link) x = Link(x);
      x = Norm(x);
      if (random_.Chance(0.3) && IsSmall(x)) x = Link(x);
      if (random_.Chance(0.3)) x = Norm(x);
      if (random_.Chance(0.15)) net_.Output(x);
      if (IsSmall(x)) x = Consumer(x);
    }
    net_.Output(x);
    Share();
    Deduplicate();
    if (numbers_ == Numbers::kExtreme) MakeExtreme();
    return std::move(net_.graph);
  }

 private:
  int64_t Size() { return kChannels[random_.Below(std::size(kChannels))]; }
  int Rank(ValueId x) const { return static_cast<int>(net_.ShapeOf(x).size()); }

  bool IsSmall(ValueId x) const {
    return runtime::ElementCount(net_.ShapeOf(x)) <= kMostElements;
  }

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
    const int64_t n = random_.Chance(0.5) && k <= kMostSquare ? k : Size();
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
    switch (random_.Below(image ? 7 : 3)) {
      case 0:
        return Product(x);
      case 2:
        return LeftProduct(x);
      case 1:
        return random_.Chance(0.3) ? net_.Relu(x) : Product(x);
      case 3: {
        ConvSpec spec = Spec(x);
        spec.pads.clear();
        return net_.ConvTranspose(x, spec);
      }
      case 4: {
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

  ValueId LeftProduct(ValueId x) {
    const Shape& shape = net_.ShapeOf(x);
    if (shape.size() < 2) return x;
    const int64_t k = shape[shape.size() - 2];
    const int64_t m = random_.Chance(0.5) && k <= kMostSquare ? k : Size();
    fb::MatMulT fields;
    fields.transpose_a = random_.Chance(0.3);
    const ValueId w = net_.Weights(fields.transpose_a ? Shape{k, m} : Shape{m, k});
    return net_.MatMul(w, x, random_.Chance(0.3) ? net_.Weights({m, 1}) : kNoValue,
                       std::move(fields));
  }

  // Parallel convolutions of one image and the image itself, each with a batch norm or not.
  ValueId Branches(ValueId x) {
    if (Rank(x) < 3 || Rank(x) > 5) return Producer(x);
    const size_t rank = net_.ShapeOf(x).size() - 2;
    const int64_t channels = net_.ShapeOf(x)[1];
    const int64_t group = Divisor(channels, channels);
    ValueId sum = kNoValue;
    for (int64_t i = random_.Between(2, 3); i > 0; --i) {
      ConvSpec spec{.outputs = channels, .kernel = {}, .group = group, .bias = random_.Chance(0.5)};
      for (size_t axis = 0; axis < rank; ++axis) {
        spec.kernel.push_back(random_.Chance(0.5) ? 3 : 1);
      }
      for (size_t axis = 0; axis < 2 * rank; ++axis) {
        spec.pads.push_back(spec.kernel[axis % rank] / 2);
      }
      ValueId term = random_.Chance(0.3) ? x : net_.Conv(x, spec);
      if (random_.Chance(0.7)) term = net_.BatchNorm(term);
      sum = sum == kNoValue ? term : net_.Binary(fb::BinaryKind::Add, sum, term);
    }
    return sum;
  }

  fb::PoolT Pool(ValueId x) {
    const Shape& shape = net_.ShapeOf(x);
    const size_t rank = shape.size() - 2;
    const bool small = std::find(shape.begin() + 2, shape.end(), 1) != shape.end();
    fb::PoolT pool;
    pool.kind = random_.Chance(0.5) ? fb::PoolKind::Max : fb::PoolKind::Average;
    pool.window = std::make_unique<fb::WindowT>();
    pool.window->kernel.assign(rank, 2);
    if (!small && random_.Chance(0.5)) {
      for (size_t i = 0; i < 2 * rank; ++i) pool.window->pads.push_back(random_.Below(2));
    } else {
      pool.window->pads.assign(2 * rank, 1);
    }
    pool.count_include_pad = random_.Chance(0.5);
    return pool;
  }

  ValueId Slice(ValueId x) {
    const int64_t axis = random_.Below(Rank(x));
    const int64_t size = net_.ShapeOf(x)[static_cast<size_t>(axis)];
    const int64_t start = random_.Below(size);
    const bool back = random_.Chance(0.3);
    const int64_t end = back ? -size - 1 : random_.Between(start + 1, size);
    const int64_t step = random_.Between(1, 2);
    return net_.Add(fb::SliceT{}, {x, net_.Int64s({start}), net_.Int64s({end}),
                                   net_.Int64s({axis - (random_.Chance(0.5) ? 0 : Rank(x))}),
                                   net_.Int64s({back ? -step : step})});
  }

  // One part of a split; the caller may see the other.
  ValueId Split(ValueId x) {
    fb::SplitT split;
    split.axis = random_.Below(Rank(x));
    const int64_t size = net_.ShapeOf(x)[static_cast<size_t>(split.axis)];
    if (size < 2) return x;
    const int64_t first = random_.Between(1, size - 1);
    split.sizes = {first, size - first};
    const auto parts = net_.AddMany(std::move(split), {x}, 2);
    const size_t kept = random_.Chance(0.5) ? 0 : 1;
    net_.Output(net_.Relu(parts[1 - kept]));
    return parts[kept];
  }

  ValueId Shuffle(ValueId x) {
    fb::GatherT gather;
    gather.axis = random_.Below(Rank(x));
    const int64_t size = net_.ShapeOf(x)[static_cast<size_t>(gather.axis)];
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < size; ++i) {
      const auto at = static_cast<std::ptrdiff_t>(random_.Below(i + 1));
      indices.insert(indices.begin() + at, random_.Chance(0.1) ? random_.Below(size) : i - size);
    }
    return net_.Add(std::move(gather), {x, net_.Int64s(indices)});
  }

  ValueId Border(ValueId x) {
    fb::PadT pad;
    constexpr fb::PadMode kModes[] = {fb::PadMode::Constant, fb::PadMode::Edge, fb::PadMode::Wrap};
    pad.mode = kModes[random_.Below(3)];
    std::vector<int64_t> pads(static_cast<size_t>(Rank(x)) * 2, 0);
    for (int64_t& border : pads) border = random_.Chance(0.3) ? 1 : 0;
    return net_.Add(std::move(pad), {x, net_.Int64s(pads)});
  }

  ValueId Resample(ValueId x) {
    fb::ResizeT resize;
    resize.mode = random_.Chance(0.5) ? fb::ResizeMode::Nearest : fb::ResizeMode::Linear;
    if (Rank(x) != 4) return x;
    return net_.Add(std::move(resize), {x, kNoValue, net_.Constant({4}, {1, 1, 2, 2})});
  }

  ValueId Blocks(ValueId x) {
    if (Rank(x) != 4) return x;
    const Shape& shape = net_.ShapeOf(x);
    if (shape[1] % 4 == 0) {
      fb::DepthToSpaceT deep;
      deep.block = 2;
      deep.depth_column_row = random_.Chance(0.5);
      return net_.Add(std::move(deep), {x});
    }
    if (shape[2] % 2 != 0 || shape[3] % 2 != 0) return x;
    fb::SpaceToDepthT wide;
    wide.block = 2;
    return net_.Add(std::move(wide), {x});
  }

  // The mean over axes of 1, 2, 4 places, so that it is exact.
  ValueId Mean(ValueId x) {
    fb::ReduceT reduce;
    reduce.kind = random_.Chance(0.7) ? fb::ReduceKind::Mean : fb::ReduceKind::Max;
    reduce.keepdims = random_.Chance(0.5);
    for (int axis = 0; axis < Rank(x); ++axis) {
      const int64_t size = net_.ShapeOf(x)[static_cast<size_t>(axis)];
      if ((size & (size - 1)) == 0 && random_.Chance(0.5)) reduce.axes.push_back(axis);
    }
    if (reduce.axes.empty() || (!reduce.keepdims && Rank(x) - reduce.axes.size() < 2)) return x;
    return net_.Add(std::move(reduce), {x});
  }

  ValueId Bend(ValueId x) {
    if (random_.Chance(0.3)) return net_.Unary(x, kernels::UnaryKind::kAbs);
    if (random_.Chance(0.3)) return net_.Unary(x, kernels::UnaryKind::kNeg);
    if (Rank(x) < 2 || random_.Chance(0.3)) {
      return net_.Unary(x, kernels::UnaryKind::kLeakyRelu, 0.5);
    }
    Shape shape(static_cast<size_t>(Rank(x) - 1), 1);
    shape[0] = net_.ShapeOf(x)[1];
    std::vector<float> slopes(static_cast<size_t>(shape[0]));
    constexpr float kSlopes[] = {0, 0.5, 1, 2, 0.25, -0.5};
    for (float& slope : slopes) slope = kSlopes[random_.Below(std::size(kSlopes))];
    return net_.Binary(fb::BinaryKind::PRelu, x, net_.Constant(shape, slopes));
  }

  ValueId MoreLinks(ValueId x) {
    const bool image = Rank(x) >= 3 && Rank(x) <= 5;
    switch (random_.Below(image ? 10 : 6)) {
      case 0:
        return Slice(x);
      case 1:
        return Split(x);
      case 2:
        return Shuffle(x);
      case 3:
        return Mean(x);
      case 4:
        return Bend(x);
      case 5: {
        const ValueId other = Product(x);
        if (net_.ShapeOf(other) != net_.ShapeOf(x)) return x;
        using enum fb::BinaryKind;
        const fb::BinaryKind kinds[] = {Add, Sub, Mul};
        const auto kind = kinds[random_.Below(3)];
        return random_.Chance(0.3) ? net_.Binary(kind, net_.Weights(net_.ShapeOf(x)), x)
                                   : net_.Binary(kind, x, other);
      }
      case 6:
        return Border(x);
      case 7:
        return Resample(x);
      case 8:
        return Blocks(x);
      default:
        return net_.Add(Pool(x), {x});
    }
  }

  ValueId Link(ValueId x) {
    if (random_.Chance(0.5)) return MoreLinks(x);
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
        const int64_t size = net_.ShapeOf(x)[static_cast<size_t>(concat.axis)];
        if (size > 1 && random_.Chance(0.5)) {  // both of its parts, the last first
          fb::SplitT split;
          split.axis = concat.axis;
          split.sizes = {size / 2, size - size / 2};
          const auto parts = net_.AddMany(std::move(split), {x}, 2);
          return net_.Add(std::move(concat), {parts[1], parts[0]});
        }
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

  // A sequence whose inputs are the channels of x, or its last axis.
  ValueId Recurrent(ValueId x) {
    RecurrentSpec spec{.kind = static_cast<fb::RecurrentKind>(random_.Below(3)),
                       .direction = static_cast<fb::RecurrentDirection>(random_.Below(3)),
                       .batch_first = random_.Chance(0.5),
                       .bias = random_.Chance(0.5),
                       .linear_before_reset = random_.Chance(0.5)};
    const bool channels = random_.Chance(0.7);
    if (channels && spec.batch_first) x = net_.Transpose(x, {0, 2, 1});
    if (channels && !spec.batch_first) x = net_.Transpose(x, {2, 0, 1});
    return net_.Recurrent(x, spec);
  }

  ValueId Consumer(ValueId x) {
    if (Rank(x) == 3 && random_.Chance(0.4)) return Recurrent(x);
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
        return net_.Conv(PaddedPool(net_.Relu(x)), Spec(x));
      case 8:
        return net_.Conv(PaddedPool(Norm(net_.Relu(x))), Spec(x));
      default:
        return net_.Conv(x, Spec(x));
    }
  }

  // Windows of one or two pixels, which every image has room for in its padding.
  ValueId PaddedPool(ValueId x) {
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

  void MakeExtreme() {
    constexpr double kExtremes[] = {0, 0, 1e-42, 1e39, -1e39, INFINITY, NAN};
    for (Node& node : net_.graph.nodes) {
      if (node.As<fb::ScaleShiftT>() == nullptr) continue;
      const ValueId id = node.inputs[random_.Chance(0.7) ? 1 : 2];
      const auto numbers =
          net_.graph.values[static_cast<size_t>(id)].constant->mutable_data<double>();
      numbers[static_cast<size_t>(random_.Below(static_cast<int64_t>(numbers.size())))] =
          kExtremes[random_.Below(std::size(kExtremes))];
      return;
    }
  }

  Net net_;
  Random& random_;
  const Numbers numbers_;
};

}  // namespace

Graph RandomNet(Random random, Numbers numbers) { return Generator(random, numbers).Make(); }

}  // namespace pleat::tests
