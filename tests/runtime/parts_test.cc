// Concat and Split without copies: parts of tensors that convolutions write and read in place.
#include "runtime/parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "kernels/activation.h"
#include "runtime/session.h"
#include "tests/support/random.h"

namespace pleat::runtime {
namespace {

// Grows a network whose values are pictures, channels last.
class Network {
 public:
  explicit Network(uint64_t seed, bool any_size = false) : random_(seed) {
    const int64_t side = any_size ? kUnknownDim : 6;
    input_ = graph_.AddValue("x", {ElementType::kFloat32, true, {2, side, side, 5}});
    graph_.inputs = {input_};
  }

  ValueId input() const { return input_; }
  tests::Random& random() { return random_; }
  ValueId Add(const char* name, auto fields, std::vector<ValueId> inputs) {
    const ValueId y = graph_.AddValue(name + std::to_string(graph_.values.size()));
    graph_.nodes.push_back(MakeNode(graph_.values.back().name, std::move(fields), inputs, {y}));
    Infer();
    return y;
  }
  ValueId Conv(ValueId x, int64_t channels, int64_t kernel = 1, ValueId residual = kNoValue) {
    fb::ConvT fields;
    fields.channels_last = true;
    fields.window = std::make_unique<fb::WindowT>();
    fields.window->pads.assign(4, kernel / 2);
    const Shape shape = {channels, Channels(x), kernel, kernel};
    const auto count = static_cast<size_t>(ElementCount(shape));
    const Tensor weights = Tensor::Of<float>(shape, random_.Values<float>(count));
    std::vector<ValueId> inputs = {x, graph_.AddConstant("w", weights)};
    if (residual != kNoValue) inputs.insert(inputs.end(), {kNoValue, residual});
    return Add("conv", std::move(fields), inputs);
  }
  ValueId Constant(int64_t channels) {
    const Shape shape = {2, 6, 6, channels};
    const auto count = static_cast<size_t>(ElementCount(shape));
    return graph_.AddConstant("c", Tensor::Of<float>(shape, random_.Values<float>(count)));
  }
  ValueId Pool(ValueId x, bool indices = false) {
    fb::PoolT fields;
    fields.channels_last = true;
    fields.window = std::make_unique<fb::WindowT>();
    fields.window->kernel = {1, 1};
    const ValueId y = Add("pool", std::move(fields), {x});
    if (indices) graph_.nodes.back().outputs.push_back(graph_.AddValue("indices"));
    Infer();
    return y;
  }
  // The first of two parts, of which nobody wants the other.
  ValueId Front(ValueId x, int64_t channels) {
    const ValueId y = Split(x, {channels, Channels(x) - channels})[0];
    graph_.nodes.back().outputs[1] = kNoValue;
    return y;
  }
  ValueId Concat(std::vector<ValueId> inputs, int64_t axis = 3) {
    fb::ConcatT fields;
    fields.axis = axis;
    return Add("concat", std::move(fields), std::move(inputs));
  }
  ValueId Relu(ValueId x) {
    fb::UnaryT fields;
    fields.activation = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kClip), 0, 1e9f);
    return Add("relu", std::move(fields), {x});
  }
  std::vector<ValueId> Split(ValueId x, std::vector<int64_t> sizes) {
    fb::SplitT fields;
    fields.axis = -1;
    fields.sizes = sizes;
    std::vector<ValueId> outputs;
    for (size_t i = 0; i < sizes.size(); ++i) {
      outputs.push_back(graph_.AddValue("part" + std::to_string(graph_.values.size())));
    }
    graph_.nodes.push_back(MakeNode("split", std::move(fields), {x}, outputs));
    Infer();
    return outputs;
  }
  ValueId Slice(ValueId x, int64_t start, int64_t end, std::optional<int64_t> step = 1) {
    std::vector<ValueId> inputs = {x};
    for (int64_t number : {start, end, int64_t{-1}, step.value_or(1)}) {
      inputs.push_back(
          graph_.AddConstant("i", Tensor::Of<int64_t>({1}, std::vector<int64_t>{number})));
    }
    if (!step) inputs.pop_back();
    return Add("slice", fb::SliceT(), inputs);
  }
  int64_t Channels(ValueId id) const {
    return graph_.values[static_cast<size_t>(id)].type.shape.back();
  }

  // Runs it as planned and by the reference kernels, every value on its own; both have to agree.
  // Returns the copies that are left: of all Concats, Splits and Slices.
  int Check(std::vector<ValueId> outputs) {
    graph_.outputs = std::move(outputs);
    const auto model = Model::FromGraph(graph_);
    EXPECT_TRUE(model.ok()) << model.status().message();
    const Tensor x = Tensor::Of<float>({2, 6, 6, 5}, random_.Values<float>(2 * 6 * 6 * 5));
    Session::Options plain{.share_buffers = false};
    plain.select.reference = true;
    Session reference(*model, plain);
    const auto expected = reference.Run({x});
    EXPECT_TRUE(expected.ok()) << expected.status().message();
    int copies = 0;
    for (int threads : {1, 3}) {
      Session session(*model, {.threads = threads});
      const auto actual = session.Run({x});
      EXPECT_TRUE(actual.ok()) << actual.status().message();
      for (size_t o = 0; o < actual->size(); ++o) ExpectNear((*actual)[o], (*expected)[o]);
      copies = 0;
      for (const Step& step : (*session.Prepare(std::vector<Shape>{x.shape()}))->steps) {
        const std::string op = graph_.nodes[static_cast<size_t>(step.node)].OpName();
        copies += op == "Concat" || op == "Split" || op == "Slice";
      }
    }
    return copies;
  }

 private:
  void Infer() {
    const Status status = InferGraph(graph_, /*evaluate=*/false);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  static void ExpectNear(const Tensor& actual, const Tensor& expected) {
    ASSERT_EQ(actual.shape(), expected.shape());
    double largest = 0;
    for (float value : expected.data<float>()) largest = std::max(largest, std::fabs(1.0 * value));
    for (int64_t i = 0; i < actual.count(); ++i) {
      const auto at = static_cast<size_t>(i);
      ASSERT_NEAR(actual.data<float>()[at], expected.data<float>()[at], 1e-5 * largest) << at;
    }
  }

  tests::Random random_;
  Graph graph_;
  ValueId input_;
};

TEST(Parts, OfADenseBlockAreNeverCopied) {
  Network network(1);
  std::vector<ValueId> features = {network.Conv(network.input(), 7)};
  ValueId all = features[0];
  for (int layer = 0; layer < 4; ++layer) {
    features.push_back(network.Conv(network.Conv(all, 9), 3, 3));
    all = network.Concat(features);
  }
  EXPECT_EQ(network.Check({network.Relu(all)}), 0);
}

TEST(Parts, AreCopiedWhereAnotherOperatorWantsThemWhole) {
  Network network(2);
  const ValueId a = network.Conv(network.input(), 4), b = network.Conv(network.input(), 5);
  const ValueId both = network.Concat({network.input(), a, b});
  EXPECT_EQ(network.Check({network.Relu(a), both}), 1);
}

TEST(Parts, OfASplitAreReadWhereTheyLie) {
  Network network(3);
  const ValueId x = network.Relu(network.Conv(network.input(), 12));
  const std::vector<ValueId> parts = network.Split(x, {5, 7});
  const ValueId y = network.Concat({parts[0], network.Conv(parts[1], 7, 3)});
  const std::vector<ValueId> next = network.Split(y, {6, 6});
  EXPECT_EQ(network.Check({network.Conv(next[1], 8, 1, network.Conv(next[0], 8))}), 1);
}

TEST(Parts, OfASliceAreReadWhereTheyLie) {
  Network network(6);
  const ValueId x = network.Relu(network.Conv(network.input(), 12));
  const ValueId first = network.Slice(x, 0, 5), last = network.Slice(x, -7, 1000);
  const ValueId y = network.Concat({first, network.Conv(last, 7, 3)});
  // Steps of two elements, and a relu, want copies.
  const ValueId odd = network.Slice(y, 1, 12, 2), middle = network.Slice(y, 2, 9);
  EXPECT_EQ(network.Check({network.Conv(odd, 3), network.Relu(middle), network.Conv(y, 4)}), 3);
}

TEST(Parts, OfSlicesThatEndWhereverTheyLike) {
  Network network(7);
  const ValueId x = network.Relu(network.Conv(network.input(), 12));
  const ValueId whole = network.Slice(x, -1000, 4, std::nullopt);  // begins before its first
  const ValueId none = network.Slice(x, 3, 3), rest = network.Slice(x, 5, 9, std::nullopt);
  const ValueId y = network.Concat({network.Conv(whole, 3), none, network.Conv(rest, 4)});
  EXPECT_EQ(network.Check({network.Relu(y)}), 3);
}

TEST(Parts, OfWhichSomeAreUnwantedOrEmpty) {
  Network network(8);
  const ValueId x = network.Relu(network.Conv(network.input(), 12));
  const ValueId front = network.Front(x, 5);
  const ValueId nothing = network.Split(x, {0, 12})[1];
  const ValueId y = network.Concat({network.Pool(front), network.Pool(network.Conv(nothing, 7))});
  const ValueId strange = network.Pool(network.Conv(y, 4), /*indices=*/true);
  EXPECT_EQ(network.Check({network.Relu(y), network.Concat({strange, network.Conv(y, 2)})}), 3);
}

// A plan that takes numbers known before the run, or residuals in place, for parts is made again.
TEST(Parts, AreNoneOfWhatIsKnownBeforeTheRun) {
  Network network(9);
  const ValueId known = network.Conv(network.Constant(4), 6);
  const ValueId y = network.Concat({known, network.Conv(network.input(), 5)});
  EXPECT_EQ(network.Check({network.Relu(y)}), 1);
}

TEST(Parts, TakeNoResidualsPlace) {
  Network network(10);
  const ValueId x = network.Conv(network.input(), 4), residual = network.Relu(network.Conv(x, 6));
  const ValueId sum = network.Conv(x, 6, 1, residual);
  EXPECT_EQ(network.Check({network.Relu(network.Concat({x, sum}))}), 0);
}

TEST(Parts, OfWhatManyConcatsRead) {
  Network network(11);
  const ValueId x = network.Conv(network.input(), 3), y = network.Conv(network.input(), 4);
  std::vector<ValueId> outputs;
  network.Concat({x, y});
  for (int i = 0; i < 20; ++i) outputs.push_back(network.Relu(network.Concat({x, network.Conv(y, 2)})));
  outputs.push_back(network.Relu(network.Concat({x, y, network.Conv(x, 2)})));
  network.Check(outputs);
}

TEST(Parts, LieInBuffersThatOutputsAndLaterStepsTakeOver) {
  Network network(4);
  const ValueId a = network.Conv(network.input(), 4), b = network.Conv(a, 5, 3);
  const ValueId both = network.Concat({a, b});
  const ValueId above = network.Relu(network.Concat({both, network.Conv(both, 3)}));
  EXPECT_EQ(network.Check({above, network.Relu(above)}), 0);
}

TEST(Parts, AreNoneAlongOtherAxesOrTwice) {
  Network network(5);
  const ValueId a = network.Conv(network.input(), 4);
  const ValueId tall = network.Concat({a, network.Conv(network.input(), 4)}, 1);
  EXPECT_EQ(network.Check({tall, network.Concat({a, a})}), 2);
}

TEST(Parts, OfRandomNetworksGiveTheSame) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Network network(seed, seed % 2 == 1);
    tests::Random& random = network.random();
    std::vector<ValueId> values = {network.input()};
    const auto any = [&] { return values[static_cast<size_t>(random.Below(values.size()))]; };
    for (int64_t steps = random.Between(3, 14); steps > 0; --steps) {
      const ValueId x = any();
      switch (random.Below(6)) {
        case 0:
        case 1:
          values.push_back(network.Conv(x, random.Between(1, 20), random.Chance(0.5) ? 3 : 1));
          break;
        case 2:
          values.push_back(network.Concat({x, any(), any()}));
          if (random.Chance(0.5)) values.push_back(network.Concat({x, any()}));
          break;
        case 3:
          values.push_back(network.Relu(x));
          break;
        case 4:
          values.push_back(network.Slice(x, random.Below(network.Channels(x)), 1000));
          break;
        default:
          if (network.Channels(x) < 2) break;
          for (ValueId part : network.Split(x, {1, network.Channels(x) - 1})) {
            values.push_back(part);
          }
      }
      if (network.Channels(values.back()) > 200) break;
    }
    values.erase(values.begin());
    if (values.empty()) continue;
    std::vector<ValueId> outputs = {values.back()};
    if (random.Chance(0.5) && values.size() > 2) outputs.push_back(values[values.size() / 2]);
    network.Check(outputs);
  }
}

}  // namespace
}  // namespace pleat::runtime
