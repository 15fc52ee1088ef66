#include "tests/converter/fold_oracle.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/recurrent.h"
#include "runtime/model_file.h"
#include "runtime/session.h"

namespace pleat::tests {
namespace {

using runtime::Result;

constexpr double kUnit = 0x1p-24;
constexpr double kLargest = 1e37;    // nearly all that float32 holds
constexpr double kSmallest = 1e-37;  // nearly subnormal

Result<std::vector<Tensor>> TryRun(Graph graph, const std::vector<Tensor>& inputs, bool reference) {
  PLEAT_ASSIGN_OR_RETURN(auto model, runtime::Model::FromGraph(std::move(graph)));
  runtime::Session::Options options;
  options.select.reference = reference;
  runtime::Session session(model, options);
  std::vector<Tensor> given;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto id = static_cast<size_t>(model->graph().inputs[i]);
    given.push_back(Cast(inputs[i], model->graph().values[id].type.element));
  }
  return session.Run(given);
}

Tensor Magnitude(const Tensor& tensor) {
  std::vector<double> numbers = runtime::ToDoubles(tensor);
  for (double& number : numbers) number = std::abs(number);
  return Tensor::Of<double>(tensor.shape(), numbers);
}

// Activations that make what a recurrent step returns a bound on all that it adds up: a gate is at
// least z + 1, and 1 - z of a Gru at least z + 1 too, for (1 - (z + 3)) * -n is (z + 2) * n.
void Widen(fb::RecurrentT& fields) {
  const size_t count = kernels::ActivationCount(static_cast<kernels::RecurrentKind>(fields.kind));
  for (size_t i = 0; i < fields.activations.size(); ++i) {
    const bool gate = count > 1 && i % count == 0;
    const bool negative = fields.kind == fb::RecurrentKind::Gru && i % count == 1;
    fields.activations[i] = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kAffine),
                                           negative ? -1.0f : 1.0f, gate ? 3.0f : 0.0f);
  }
}

// Everything positive, and sums instead of differences: a bound on what a number is made of.
Graph Magnitudes(const Graph& graph) {
  Graph positive = runtime::PromoteToDouble(graph);
  for (auto& value : positive.values) {
    if (!value.constant || value.constant->element() != ElementType::kFloat64) continue;
    value.constant = Magnitude(*value.constant);
  }
  for (Node& node : positive.nodes) {
    if (auto* binary = node.As<fb::BinaryT>(); binary && binary->kind == fb::BinaryKind::Sub) {
      binary->kind = fb::BinaryKind::Add;
    }
    if (auto* recurrent = node.As<fb::RecurrentT>()) Widen(*recurrent);
    if (auto* product = node.As<fb::MatMulT>()) {
      product->alpha = std::abs(product->alpha);
      product->beta = std::abs(product->beta);
    }
    if (auto* unary = node.As<fb::UnaryT>()) {
      unary->activation = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kAbs), 0, 0);
    }
  }
  return positive;
}

std::vector<Tensor> Positive(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> positive;
  for (const Tensor& input : inputs) positive.push_back(Magnitude(input));
  return positive;
}

struct Answers {
  std::vector<Tensor> expected, magnitudes, in_double;
};

// What is wrong with `got`, empty when nothing is. Numbers that something beyond float32 reaches
// are not compared; where the original overflows on the way, the folded network may be right, or
// overflow in another way: inf - inf in one is inf in the other that has one product instead of two.
std::string Compare(const std::vector<Tensor>& got, const Answers& answers, double units) {
  if (got.size() != answers.expected.size()) return "other outputs";
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i].shape() != answers.expected[i].shape()) return "output of another shape";
    const std::vector<double> a = runtime::ToDoubles(got[i]);
    std::vector<double> b = runtime::ToDoubles(answers.expected[i]);
    const std::vector<double> right = runtime::ToDoubles(answers.in_double[i]);
    const std::vector<double> size = runtime::ToDoubles(answers.magnitudes[i]);
    for (size_t k = 0; k < a.size(); ++k) {
      if (!std::isfinite(b[k]) && std::isfinite(right[k])) {
        if (!std::isfinite(a[k])) continue;
        b[k] = right[k];
      }
      if (a[k] == b[k] || (std::isnan(a[k]) && std::isnan(b[k]))) continue;
      if (!(size[k] < kLargest) || std::abs(a[k] - b[k]) <= units * kUnit * size[k]) continue;
      if (std::abs(a[k]) < kSmallest && std::abs(b[k]) < kSmallest) continue;
      return "output " + std::to_string(i) + "[" + std::to_string(k) + "] is " +
             std::to_string(a[k]) + ", not " + std::to_string(b[k]);
    }
  }
  return "";
}

// Products and sums of the network, weights times places.
double Work(const Graph& graph) {
  double work = 0;
  for (const Node& node : graph.nodes) {
    const bool product = node.As<fb::MatMulT>() != nullptr;
    if (!product && node.As<fb::ConvT>() == nullptr && node.As<fb::ConvTransposeT>() == nullptr) {
      continue;
    }
    const auto count = [&](ValueId id) {
      return static_cast<double>(
          runtime::ElementCount(graph.values[static_cast<size_t>(id)].type.shape));
    };
    const Shape& weights = graph.values[static_cast<size_t>(node.inputs[1])].type.shape;
    const Shape& left = graph.values[static_cast<size_t>(node.inputs[0])].type.shape;
    if (product) {
      const bool turned = node.As<fb::MatMulT>()->transpose_a && left.size() > 1;
      work += count(node.outputs[0]) *
              static_cast<double>(turned ? left[left.size() - 2] : left.back());
    } else if (node.As<fb::ConvT>() != nullptr) {
      work += count(node.outputs[0]) * count(node.inputs[1]) / static_cast<double>(weights[0]);
    } else {
      work += count(node.inputs[0]) * count(node.inputs[1]) / static_cast<double>(weights[0]);
    }
  }
  return work;
}

// The rules of every conversion that have nothing to do with numbers.
std::string CheckForm(const Graph& graph, const Graph& converted) {
  const auto interface = [](const Graph& g) {
    std::string text;
    for (const auto* ids : {&g.inputs, &g.outputs}) {
      for (ValueId id : *ids) {
        const auto& value = g.values[static_cast<size_t>(id)];
        text += value.name + ": " + runtime::TypeText(value.type) + "; ";
      }
    }
    return text;
  };
  if (interface(graph) != interface(converted)) {
    return "interface " + interface(graph) + " became " + interface(converted);
  }
  Graph again = graph, folded = graph;
  const converter::ConvertOptions folds = {.stop_after = "eliminate_identity_folded"};
  if (!converter::RunPasses(again, {}).ok() || !converter::RunPasses(folded, folds).ok()) {
    return "a second conversion fails";
  }
  Graph twice = folded;
  if (!converter::RunPasses(twice, folds).ok()) return "folding twice fails";
  if (runtime::SerializeGraph(again) != runtime::SerializeGraph(converted)) {
    return "a second conversion gives other bytes";
  }
  if (runtime::GraphText(twice) != runtime::GraphText(folded)) {
    return "folding twice changes more:\n" + runtime::GraphText(folded) + runtime::GraphText(twice);
  }
  if (Work(folded) > Work(graph)) return "there is more to compute than before";
  std::set<std::string> names;
  for (const fb::BatchNormT& entry : converted.batch_norms) {
    const bool folds = entry.status == fb::FoldStatus::Folded;
    if (!names.insert(entry.node).second) return entry.node + " is listed twice";
    if (folds == entry.kind.empty() || folds != entry.reason.empty()) {
      return entry.node + " is neither folded nor kept: '" + entry.kind + "', '" + entry.reason + "'";
    }
  }
  return names.size() == graph.batch_norms.size() ? "" : "a batch norm is missing";
}

}  // namespace

bool IsExact(const Graph& graph, const std::vector<Tensor>& inputs) {
  for (const Node& node : graph.nodes) {
    const auto* recurrent = node.As<fb::RecurrentT>();
    if (recurrent != nullptr && recurrent->kind != fb::RecurrentKind::Rnn) return false;
  }
  Graph open = Magnitudes(graph);
  open.outputs.clear();
  for (const Node& node : open.nodes) {
    open.outputs.insert(open.outputs.end(), node.outputs.begin(), node.outputs.end());
  }
  const auto values = TryRun(std::move(open), Positive(inputs), /*reference=*/true);
  if (!values.ok()) return false;
  for (const Tensor& tensor : *values) {
    for (double number : runtime::ToDoubles(tensor)) {
      if (!(std::abs(number) < 4096) || number * 64 != std::floor(number * 64)) return false;
    }
  }
  return true;
}

std::string Complaint(const Graph& graph, Numbers numbers) {
  const std::vector<Tensor> inputs = MakeInputs(graph, 7, numbers == Numbers::kExact);
  Graph converted = graph;
  const auto status = converter::RunPasses(converted, {});
  if (!status.ok()) return status.message();
  if (std::string form = CheckForm(graph, converted); !form.empty()) return form;
  const bool extreme = numbers == Numbers::kExtreme;
  const bool exact = numbers == Numbers::kExact && IsExact(graph, inputs);
  Graph oracle = extreme ? graph : runtime::PromoteToDouble(graph);
  if (extreme && !converter::RunPasses(oracle, {.fold = false}).ok()) return "no oracle";
  Answers answers;
  auto expected = TryRun(std::move(oracle), inputs, /*reference=*/true);
  auto magnitudes = TryRun(Magnitudes(graph), Positive(inputs), /*reference=*/true);
  auto in_double = TryRun(runtime::PromoteToDouble(graph), inputs, /*reference=*/true);
  if (!expected.ok() || !magnitudes.ok() || !in_double.ok()) return "the network itself does not run";
  answers.expected = std::move(*expected);
  answers.magnitudes = std::move(*magnitudes);
  answers.in_double = std::move(*in_double);
  for (bool reference : {true, false}) {
    const auto got = TryRun(converted, inputs, reference);
    if (!got.ok()) return got.status().message();
    std::string wrong = Compare(*got, answers, exact ? 0 : 256);
    if (!wrong.empty()) return wrong + (reference ? " (reference kernels)" : "");
  }
  return "";
}

std::string Repro(const Graph& graph, Numbers numbers) {
  for (const Node& node : graph.nodes) {
    Graph part = graph;
    part.outputs = {node.outputs[0]};
    part.EliminateDead();
    std::erase_if(part.batch_norms, [&](const fb::BatchNormT& entry) {
      return std::none_of(part.nodes.begin(), part.nodes.end(),
                          [&](const Node& left) { return left.name == entry.node; });
    });
    const std::string wrong = Complaint(part, numbers);
    if (wrong.empty()) continue;
    Graph converted = part;
    static_cast<void>(converter::RunPasses(converted, {}));
    return wrong + "\n" + runtime::GraphText(part) + "became\n" + runtime::GraphText(converted);
  }
  return "only the whole network fails\n" + runtime::GraphText(graph);
}

}  // namespace pleat::tests
