#include "tests/converter/passes_support.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/session.h"

namespace pleat::tests {

namespace {

constexpr double kScales[] = {1, 2, -1, 0.5, -2, 4, -0.5, 0.25};

}  // namespace

ValueId Net::Input(Shape shape) {
  const ValueId id = graph.AddValue("x" + std::to_string(graph.inputs.size()), {.shape = shape});
  graph.inputs.push_back(id);
  return id;
}

ValueId Net::Constant(Shape shape, const std::vector<float>& numbers) {
  return graph.AddConstant("c" + std::to_string(graph.values.size()),
                           Tensor::Of<float>(std::move(shape), numbers));
}

ValueId Net::Weights(Shape shape) {
  std::vector<float> numbers(static_cast<size_t>(runtime::ElementCount(shape)));
  for (float& number : numbers) {
    number = exact_ ? static_cast<float>(random.Between(-3, 3))
                    : static_cast<float>(random.Uniform(-1, 1));
  }
  return Constant(std::move(shape), numbers);
}

ValueId Net::Int64s(const std::vector<int64_t>& numbers) {
  return graph.AddConstant("i" + std::to_string(graph.values.size()), Tensor::Vector(numbers));
}

fb::WindowT Net::Window(const ConvSpec& spec) {
  fb::WindowT window;
  window.kernel = spec.kernel;
  window.strides = spec.strides;
  window.dilations = spec.dilations;
  window.pads = spec.pads;
  window.auto_pad = spec.auto_pad;
  return window;
}

ValueId Net::Conv(ValueId x, const ConvSpec& spec) {
  fb::ConvT fields;
  fields.window = std::make_unique<fb::WindowT>(Window(spec));
  fields.group = spec.group;
  Shape shape = {spec.outputs, ShapeOf(x)[1] / spec.group};
  shape.insert(shape.end(), spec.kernel.begin(), spec.kernel.end());
  const ValueId weights = Weights(shape);
  const ValueId bias = spec.bias ? Weights({spec.outputs}) : kNoValue;
  return Add(std::move(fields), {x, weights, bias});
}

ValueId Net::ConvTranspose(ValueId x, const ConvSpec& spec) {
  fb::ConvTransposeT fields;
  fields.window = std::make_unique<fb::WindowT>(Window(spec));
  fields.group = spec.group;
  Shape shape = {ShapeOf(x)[1], spec.outputs / spec.group};
  shape.insert(shape.end(), spec.kernel.begin(), spec.kernel.end());
  const ValueId weights = Weights(shape);
  const ValueId bias = spec.bias ? Weights({spec.outputs}) : kNoValue;
  return Add(std::move(fields), {x, weights, bias});
}

ValueId Net::MatMul(ValueId a, ValueId b, ValueId c, fb::MatMulT fields) {
  return Add(std::move(fields), {a, b, c});
}

ValueId Net::Recurrent(ValueId x, const RecurrentSpec& spec) {
  using enum kernels::UnaryKind;
  constexpr int64_t kHidden = 2;
  fb::RecurrentT fields;
  fields.kind = spec.kind;
  fields.direction = spec.direction;
  fields.hidden = kHidden;
  fields.batch_first = spec.batch_first;
  fields.linear_before_reset = spec.linear_before_reset;
  const int64_t directions = spec.direction == fb::RecurrentDirection::Bidirectional ? 2 : 1;
  std::vector<kernels::UnaryKind> kinds = {kClip};
  int64_t gates = kHidden;
  if (spec.kind != fb::RecurrentKind::Rnn) {
    const bool gru = spec.kind == fb::RecurrentKind::Gru;
    kinds = gru ? std::vector{kSigmoid, kTanh} : std::vector{kSigmoid, kTanh, kTanh};
    gates = kHidden * (gru ? 3 : 4);
  }
  for (int64_t d = 0; d < directions; ++d) {
    for (const kernels::UnaryKind kind : kinds) {
      fields.activations.emplace_back(static_cast<uint8_t>(kind), 0.0f,
                                      std::numeric_limits<float>::infinity());
    }
  }
  const ValueId w = Weights({directions, gates, ShapeOf(x)[2]});
  const ValueId r = Weights({directions, gates, kHidden});
  const ValueId bias = spec.bias ? Weights({directions, 2 * gates}) : kNoValue;
  return Add(std::move(fields), {x, w, r, bias});
}

std::vector<double> Net::Scales(size_t count) {
  std::vector<double> scales(count);
  for (double& scale : scales) {
    scale = exact_ ? kScales[random.Below(std::size(kScales))] : random.Uniform(-2, 2);
  }
  return scales;
}

std::vector<double> Net::Shifts(size_t count) {
  std::vector<double> shifts(count);
  for (double& shift : shifts) {
    shift = exact_ ? static_cast<double>(random.Between(-5, 5)) : random.Uniform(-3, 3);
  }
  return shifts;
}

ValueId Net::BatchNorm(ValueId x, int axis, std::vector<double> scale, std::vector<double> shift) {
  const auto channels = static_cast<int64_t>(scale.size());
  fb::ScaleShiftT fields;
  fields.axis = axis;
  fb::BatchNormT entry;
  entry.node = "op" + std::to_string(graph.nodes.size());
  graph.batch_norms.push_back(std::move(entry));
  const ValueId s = graph.AddConstant("scale", Tensor::Of<double>({channels}, scale));
  const ValueId t = graph.AddConstant("shift", Tensor::Of<double>({channels}, shift));
  return Add(std::move(fields), {x, s, t});
}

ValueId Net::BatchNorm(ValueId x, int axis) {
  const auto channels = static_cast<size_t>(ShapeOf(x)[static_cast<size_t>(axis)]);
  std::vector<double> scale = Scales(channels);
  return BatchNorm(x, axis, std::move(scale), Shifts(channels));
}

ValueId Net::Unary(ValueId x, kernels::UnaryKind kind, float a, float b) {
  fb::UnaryT fields;
  fields.activation = fb::Activation(static_cast<uint8_t>(kind), a, b);
  return Add(std::move(fields), {x});
}

ValueId Net::Relu(ValueId x) {
  return Unary(x, kernels::UnaryKind::kClip, 0, std::numeric_limits<float>::infinity());
}

ValueId Net::Binary(fb::BinaryKind kind, ValueId a, ValueId b) {
  fb::BinaryT fields;
  fields.kind = kind;
  return Add(std::move(fields), {a, b});
}

ValueId Net::Transpose(ValueId x, std::vector<int64_t> perm) {
  fb::TransposeT fields;
  fields.perm = std::move(perm);
  return Add(std::move(fields), {x});
}

ValueId Net::Reshape(ValueId x, const std::vector<int64_t>& shape) {
  return Add(fb::ReshapeT{}, {x, Int64s(shape)});
}

std::vector<Tensor> MakeInputs(const Graph& graph, uint64_t seed, bool exact) {
  Random random(seed);
  std::vector<Tensor> inputs;
  for (ValueId id : graph.inputs) {
    Shape shape = graph.values[static_cast<size_t>(id)].type.shape;
    for (int64_t& size : shape) size = size == kUnknownDim ? 2 : size;
    Tensor tensor = Tensor::Make(ElementType::kFloat32, shape);
    for (float& number : tensor.mutable_data<float>()) {
      number = exact ? static_cast<float>(random.Between(-4, 4))
                     : static_cast<float>(random.Uniform(-1, 1));
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

std::vector<Tensor> Run(const Graph& graph, const std::vector<Tensor>& inputs, bool reference) {
  auto model = runtime::Model::FromGraph(graph);
  EXPECT_TRUE(model.ok()) << model.status().message() << "\n" << runtime::GraphText(graph);
  if (!model.ok()) return {};
  runtime::Session::Options options;
  options.select.reference = reference;
  runtime::Session session(model.value(), options);
  auto outputs = session.Run(inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().message() << "\n" << runtime::GraphText(graph);
  return outputs.ok() ? std::move(outputs).value() : std::vector<Tensor>{};
}

std::vector<Tensor> RunInDouble(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> promoted;
  for (const Tensor& input : inputs) promoted.push_back(Cast(input, ElementType::kFloat64));
  return Run(runtime::PromoteToDouble(graph), promoted, /*reference=*/true);
}

Graph Converted(const Graph& graph, const converter::ConvertOptions& options) {
  Graph converted = graph;
  const auto status = converter::RunPasses(converted, options);
  EXPECT_TRUE(status.ok()) << status.message() << "\n"
                           << runtime::GraphText(graph) << "became\n"
                           << runtime::GraphText(converted);
  return converted;
}

Graph ExpectSameAnswers(const Graph& graph, double tolerance,
                        const converter::ConvertOptions& options) {
  const Graph converted = Converted(graph, options);
  if (testing::Test::HasFailure()) return converted;
  const std::vector<Tensor> inputs = MakeInputs(graph, 7, tolerance == 0);
  const std::vector<Tensor> expected = RunInDouble(graph, inputs);
  for (bool reference : {true, false}) {
    const std::vector<Tensor> actual = Run(converted, inputs, reference);
    EXPECT_EQ(actual.size(), expected.size());
    if (actual.size() != expected.size()) return converted;
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(actual[i].shape(), expected[i].shape());
      if (actual[i].shape() != expected[i].shape()) return converted;
      const std::vector<double> want = runtime::ToDoubles(expected[i]);
      const std::vector<double> got = runtime::ToDoubles(actual[i]);
      double largest = 0, error = 0;
      for (size_t k = 0; k < want.size(); ++k) {
        const auto held = static_cast<double>(static_cast<float>(want[k]));
        if (std::isinf(held) && got[k] == held) continue;
        if (std::isfinite(held)) largest = std::max(largest, std::abs(want[k]));
        if (std::isnan(want[k]) ? std::isnan(got[k]) : want[k] == got[k]) continue;
        const double difference = std::abs(want[k] - got[k]);
        error = std::isnan(difference) ? INFINITY : std::max(error, difference);
      }
      EXPECT_LE(error, tolerance * largest)
          << "output " << i << (reference ? ", reference kernels" : "") << "\n"
          << runtime::GraphText(graph) << "became\n"
          << runtime::GraphText(converted);
    }
  }
  return converted;
}

std::string Fate(const Graph& graph, size_t index) {
  const fb::BatchNormT& entry = graph.batch_norms[index];
  return entry.status == fb::FoldStatus::Folded ? "FOLDED " + entry.kind : "KEPT " + entry.reason;
}

}  // namespace pleat::tests
