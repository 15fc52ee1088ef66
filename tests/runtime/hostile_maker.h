// Makes the graphs of hostile_nodes.h: operands, fields and nodes, of which some come out wrong.
#ifndef PLEAT_TESTS_RUNTIME_HOSTILE_MAKER_H_
#define PLEAT_TESTS_RUNTIME_HOSTILE_MAKER_H_

#include <algorithm>
#include <limits>

#include "tests/runtime/hostile_nodes.h"

namespace pleat::tests::hostile {

using runtime::ElementType;
using runtime::Graph;
using runtime::kNoValue;
using runtime::kUnknownDim;
using runtime::Node;
using runtime::Shape;
using runtime::Tensor;
using runtime::Type;
using runtime::Value;
using runtime::ValueId;
namespace fb = runtime::fb;

constexpr ElementType kF = ElementType::kFloat32;
constexpr ElementType kI = ElementType::kInt64;

constexpr int64_t kExtremes[] = {
    0,  1,  2,  3,  5,  7,       -1,        -2,        -3,        8,         16,
    17, 64, 65, -9, 100, 1 << 16, 1LL << 31, 1LL << 32, 1LL << 42, 1LL << 43, 1LL << 62,
    std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min(),
    std::numeric_limits<int64_t>::min() + 1, -(1LL << 32)};

inline int64_t Extreme(Random& random) {
  return kExtremes[static_cast<size_t>(random.Below(std::size(kExtremes)))];
}

// Makes one graph; the operators' recipes below say what fits.
class Maker {
 public:
  Maker(int wrongs, Random& random) : random_(random), wrongs_(wrongs) {}

  int64_t Size(int64_t most = 5) { return random_.Between(1, most); }
  bool Coin() { return random_.Chance(0.5); }
  template <class E>
  E Enum() {
    return static_cast<E>(random_.Below(static_cast<int64_t>(E::MAX) + 1));
  }
  ElementType Float() { return random_.Chance(0.85) ? kF : ElementType::kFloat64; }
  Shape Sizes(int64_t least_rank, int64_t most_rank) {
    Shape shape;
    for (int64_t rank = random_.Between(least_rank, most_rank); rank > 0; --rank) {
      shape.push_back(random_.Chance(0.05) ? 0 : Size(random_.Chance(0.1) ? 40 : 5));
    }
    return shape;
  }
  int64_t Axis(const Shape& shape) {
    const auto rank = static_cast<int64_t>(shape.size());
    return random_.Between(-rank, std::max<int64_t>(rank - 1, 0));
  }
  fb::Activation Act() { return fb::Activation(static_cast<uint8_t>(random_.Below(40)), 0.5f, 2); }

  // Operands, in the order of the node's inputs.
  void Input(ElementType element, const Shape& shape) {
    const Type type{element, true, shape};
    if (random_.Chance(0.2)) return Constant(AnyNumbers(type, random_));
    const std::string name = "x" + std::to_string(graph_.values.size());
    const ValueId id = graph_.AddValue(name, type);
    Type& declared = graph_.values.back().type;
    for (int64_t& size : declared.shape) size = random_.Chance(0.1) ? kUnknownDim : size;
    if (random_.Chance(0.03)) declared = {element, false, {}};
    graph_.inputs.push_back(id);
    operands_.push_back(id);
  }
  void Constant(const Tensor& tensor) {
    const std::string name = "c" + std::to_string(graph_.values.size());
    operands_.push_back(graph_.AddConstant(name, tensor));
  }
  void Weights(ElementType element, const Shape& shape) {
    if (random_.Chance(0.2)) return Input(element, shape);
    Constant(AnyNumbers({element, true, shape}, random_));
  }
  // A small list or a number, mostly constant.
  void Integers(std::vector<int64_t> values, bool scalar = false) {
    if (Wrong()) values[0] = Extreme(random_);
    if (Wrong() && !scalar) values.push_back(Extreme(random_));
    if (Wrong() && !scalar) values.pop_back();
    const auto count = static_cast<int64_t>(values.size());
    const Shape shape = scalar ? Shape{} : Shape{count};
    if (random_.Chance(0.15)) return Input(kI, shape);
    Constant(Tensor::Of<int64_t>(shape, values));
  }
  void Left() { operands_.push_back(kNoValue); }
  void Subgraph(Graph graph) { subgraphs_.push_back(std::move(graph)); }

  // Fields that may come out wrong.
  void May(int64_t& field) { if (Wrong()) field = Extreme(random_); }
  void May(bool& field) { if (Wrong()) field = !field; }
  void May(float& field) {
    constexpr float kFloats[] = {0, -1, 1e30f, -1e-30f, std::numeric_limits<float>::quiet_NaN(),
                                 std::numeric_limits<float>::infinity()};
    if (Wrong()) field = kFloats[static_cast<size_t>(random_.Below(6))];
  }
  void May(uint8_t& field) { if (Wrong()) field = static_cast<uint8_t>(random_.Next()); }
  void May(fb::Activation& field) {
    if (Wrong()) field = fb::Activation(static_cast<uint8_t>(random_.Next()), 1, 0);
  }
  void May(std::vector<int64_t>& list) {
    if (Wrong()) list.push_back(Extreme(random_));
    if (!list.empty() && Wrong()) list.pop_back();
    if (list.empty() || !Wrong()) return;
    const auto size = static_cast<int64_t>(list.size());
    for (int64_t n = Coin() ? 1 : size; n > 0; --n) {
      list[static_cast<size_t>(random_.Below(size))] = Extreme(random_);
    }
  }
  template <class E>
    requires std::is_enum_v<E>
  void May(E& field) { if (Wrong()) field = static_cast<E>(random_.Next()); }
  void May(std::unique_ptr<fb::WindowT>& window) {
    May(window->kernel);
    May(window->strides);
    May(window->dilations);
    May(window->pads);
    May(window->auto_pad);
  }
  template <class... Fields>
  void May(Fields&... fields) requires(sizeof...(Fields) > 1) { (May(fields), ...); }

  // Windows of a rank, at most the image's size.
  std::unique_ptr<fb::WindowT> Window(const Shape& image, bool with_kernel) {
    auto window = std::make_unique<fb::WindowT>();
    for (const int64_t size : image) {
      window->kernel.push_back(random_.Between(1, std::clamp<int64_t>(size, 1, 3)));
    }
    if (Coin()) window->strides.assign(image.size(), Size(3));
    if (random_.Chance(0.3)) window->dilations.assign(image.size(), 1);
    if (Coin()) window->pads.assign(2 * image.size(), random_.Below(2));
    if (random_.Chance(0.1)) {
      window->auto_pad = Enum<fb::AutoPad>();
      window->pads.clear();
    }
    kernel_ = window->kernel;
    if (!with_kernel) window->kernel.clear();
    return window;
  }
  const Shape& kernel() const { return kernel_; }

  template <class T>
  Graph Finish(T fields, int64_t outputs = 1) {
    Vary();
    Node node = runtime::MakeNode("node", std::move(fields), operands_, {});
    if (Wrong()) outputs = random_.Between(0, 5);
    for (int64_t i = 0; i < outputs; ++i) {
      const bool unwanted = (outputs > 1 && random_.Chance(0.2)) || Wrong();
      node.outputs.push_back(unwanted ? kNoValue : graph_.AddValue("y" + std::to_string(i), {kF, false, {}}));
      if (!unwanted) graph_.outputs.push_back(node.outputs.back());
    }
    node.subgraphs = std::move(subgraphs_);
    graph_.nodes.push_back(std::move(node));
    return std::move(graph_);
  }

 private:
  bool Wrong() {
    if (wrongs_ == 0 || !random_.Chance(0.12)) return false;
    --wrongs_;
    return true;
  }
  // Operands lost, gained, exchanged, of another type or size.
  void Vary() {
    if (!operands_.empty() && Wrong()) operands_.pop_back();
    if (Wrong()) operands_.clear();
    if (!operands_.empty() && Wrong()) operands_[AnyOperand()] = kNoValue;
    if (!operands_.empty() && Wrong()) operands_.push_back(operands_[AnyOperand()]);
    if (!operands_.empty() && Wrong()) std::swap(operands_[0], operands_[AnyOperand()]);
    for (Value& value : graph_.values) {
      if (!Wrong()) continue;
      Type type = value.type;
      switch (random_.Below(5)) {
        case 0: type.element = static_cast<ElementType>(random_.Below(13)); break;
        case 1: type.shape.push_back(Size()); break;
        case 2: if (!type.shape.empty()) type.shape.pop_back(); break;
        case 3:
          if (!type.shape.empty()) {
            type.shape[static_cast<size_t>(
                random_.Below(static_cast<int64_t>(type.shape.size())))] = random_.Between(0, 20);
          }
          break;
        default:
          if (!value.constant && !type.shape.empty()) type.shape[0] = Extreme(random_);
      }
      if (value.constant) {
        for (int64_t& size : type.shape) size = std::clamp<int64_t>(size, 0, 64);
        type.ranked = true;
        value.constant = AnyNumbers(type, random_);
      }
      value.type = type;
    }
  }
  size_t AnyOperand() {
    return static_cast<size_t>(random_.Below(static_cast<int64_t>(operands_.size())));
  }

  Random& random_;
  int wrongs_;
  Graph graph_;
  std::vector<ValueId> operands_;
  std::vector<Graph> subgraphs_;
  Shape kernel_;
};

inline Shape Joined(Shape shape, const Shape& more) {
  shape.insert(shape.end(), more.begin(), more.end());
  return shape;
}

inline Shape Image(int64_t channels, const Shape& space, bool last, int64_t batch) {
  Shape shape = {batch};
  if (!last) shape.push_back(channels);
  shape = Joined(shape, space);
  if (last) shape.push_back(channels);
  return shape;
}

// The operators of each recipe in hostile_recipes.cc.
Graph MakeMovement(Maker& m, fb::Op op);
Graph MakeIndexed(Maker& m, fb::Op op);
Graph MakeElementwise(Maker& m, fb::Op op);
Graph MakeVision(Maker& m, fb::Op op);
Graph MakeControl(Maker& m, fb::Op op);

}  // namespace pleat::tests::hostile

#endif  // PLEAT_TESTS_RUNTIME_HOSTILE_MAKER_H_
