#include "tools/certificate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "converter/batch_norm_facts.h"
#include "converter/convert.h"
#include "runtime/model_file.h"
#include "runtime/session.h"
#include "tools/batch_norms.h"
#include "tools/inputs.h"
#include "tools/network.h"

namespace pleat::tools {
namespace {

namespace fb = runtime::fb;
using runtime::ElementType;
using runtime::Graph;
using runtime::Model;
using runtime::Node;
using runtime::Result;
using runtime::Session;
using runtime::Tensor;
using runtime::ValueId;

constexpr double kUnit = 0x1p-24;

size_t Index(ValueId id) { return static_cast<size_t>(id); }
const std::string& NameOf(const Graph& graph, ValueId id) { return graph.values[Index(id)].name; }

const char* FormulaOf(const fb::BatchNormT& norm) {
  if (norm.status == fb::FoldStatus::Kept) {
    return "y = s x + t, with s = gamma / sqrt(var + eps), t = beta - mean s";
  }
  if (norm.kind == "next_padded_conv" || norm.kind == "next_conv_transpose") {
    return "w' = w s[c], and w t[c] is added over inputs c and those taps that meet the image";
  }
  if (norm.kind.starts_with("next_")) return "w' = w s[c], b' = b + sum of w t[c] over inputs c";
  if (norm.kind == "prologue") return "s x + t where the next step reads x";
  if (norm.kind == "affine") return "s' = s s2, t' = t s2 + t2";
  if (norm.kind == "constant" || norm.kind == "eliminated") return "";
  return "w' = w s[m], b' = b s[m] + t[m]";
}

// The original network in double with every value kept, and the folded one before its layout and
// kernels are chosen.
class Bench {
 public:
  static Result<Bench> Make(const std::string& source, const Graph& original,
                            const CertificateOptions& options);

  // The error, bound and channel of the step that now does what the batch norm did.
  void Measure(const fb::BatchNormT& norm, const std::string& y, Json& entry) const;

 private:
  const Node* StepOf(const fb::BatchNormT& norm, const std::string& y) const;
  // Whether what the node reads is what the original has under that name: behind a batch norm that
  // went forward through other steps it is not.
  bool ReadsOriginal(const Node& node) const;
  Tensor Original(const std::string& name) const;
  // Runs the node alone. With `magnitude` on absolute values of everything, in double.
  Tensor RunAlone(const Node& node, bool magnitude) const;

  std::unique_ptr<Session> oracle_;
  std::map<std::string, ValueId> ids_;
  std::map<std::string, std::string> inputs_;  // of batch norms, by their names
  Graph folded_;
};

Result<Bench> Bench::Make(const std::string& source, const Graph& original,
                          const CertificateOptions& options) {
  Bench bench;
  PLEAT_ASSIGN_OR_RETURN(bench.folded_,
                         converter::ConvertOnnxFile(source, {.input_shapes = options.shapes,
                                                             .fold = options.fold,
                                                             .stop_after = "round_constants"}));
  PLEAT_ASSIGN_OR_RETURN(auto model, Model::FromGraph(runtime::PromoteToDouble(original)));
  Session::Options kept;
  kept.select.reference = true;
  kept.share_buffers = false;
  bench.oracle_ = std::make_unique<Session>(model, kept);
  std::vector<std::string> assumed;
  PLEAT_ASSIGN_OR_RETURN(const auto shapes,
                         ChooseRunnableShapes(*bench.oracle_, options.shapes, &assumed));
  PLEAT_ASSIGN_OR_RETURN(const auto outputs,
                         bench.oracle_->Run(RandomInputs(model->graph(), shapes, 1)));
  static_cast<void>(outputs);
  for (size_t id = 0; id < model->graph().values.size(); ++id) {
    bench.ids_.emplace(model->graph().values[id].name, static_cast<ValueId>(id));
  }
  for (const Node& node : original.nodes) {
    if (node.As<fb::ScaleShiftT>() == nullptr) continue;
    bench.inputs_.emplace(node.sources.front(), NameOf(original, node.inputs[0]));
  }
  return bench;
}

bool Bench::ReadsOriginal(const Node& node) const {
  for (const fb::BatchNormT& norm : folded_.batch_norms) {
    if (!norm.kind.starts_with("next_") || norm.into.find(node.name) == std::string::npos) continue;
    const auto input = inputs_.find(norm.node);
    if (input == inputs_.end() || input->second != NameOf(folded_, node.inputs[0])) return false;
  }
  return true;
}

Tensor Bench::Original(const std::string& name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? Tensor() : oracle_->ValueAfterRun(found->second);
}

const Node* Bench::StepOf(const fb::BatchNormT& norm, const std::string& y) const {
  const bool forward = norm.kind.starts_with("next_");
  for (const Node& node : folded_.nodes) {
    const bool measured = node.As<fb::ConvT>() != nullptr || node.As<fb::MatMulT>() != nullptr ||
                          node.As<fb::ConvTransposeT>() != nullptr ||
                          node.As<fb::ScaleShiftT>() != nullptr;
    const bool found = forward ? node.name == norm.into : NameOf(folded_, node.outputs[0]) == y;
    if (measured && found) return &node;
  }
  return nullptr;
}

Tensor Magnitude(const Tensor& tensor) {
  std::vector<double> numbers = runtime::ToDoubles(tensor);
  for (double& number : numbers) number = std::abs(number);
  return Tensor::Of<double>(tensor.shape(), numbers);
}

Tensor Bench::RunAlone(const Node& node, bool magnitude) const {
  const ElementType element = magnitude ? ElementType::kFloat64 : ElementType::kFloat32;
  Graph alone;
  Node copy = node;
  std::vector<Tensor> inputs;
  for (ValueId& id : copy.inputs) {
    if (id == runtime::kNoValue) continue;
    const Tensor* constant = folded_.ConstantOf(id);
    const std::string& name = NameOf(folded_, id);
    Tensor tensor = constant != nullptr ? *constant : Original(name);
    if (tensor.empty()) return {};
    const bool tap_bias = constant != nullptr && constant->element() == ElementType::kFloat64;
    tensor = magnitude ? Magnitude(tensor) : tap_bias ? tensor : runtime::Cast(tensor, element);
    if (constant != nullptr) {
      id = alone.AddConstant(name, tensor);
    } else {
      id = alone.AddValue(name, tensor.type());
      alone.inputs.push_back(id);
      inputs.push_back(tensor);
    }
  }
  if (auto* product = copy.As<fb::MatMulT>(); product != nullptr && magnitude) {
    product->alpha = std::abs(product->alpha);
    product->beta = std::abs(product->beta);
  }
  copy.outputs = {alone.AddValue("y")};
  alone.outputs = copy.outputs;
  alone.nodes.push_back(std::move(copy));
  if (!runtime::InferGraph(alone, /*evaluate=*/false).ok()) return {};
  auto model = Model::FromGraph(std::move(alone));
  if (!model.ok()) return {};
  Session::Options options;
  options.select.reference = magnitude;
  const auto outputs = Session(*model, options).Run(inputs);
  return outputs.ok() ? (*outputs)[0] : Tensor();
}

// How many products one result of the node sums up.
int64_t Products(const Node& node, const runtime::Shape& weights) {
  if (node.As<fb::ScaleShiftT>() != nullptr || weights.empty()) return 1;
  if (const auto* product = node.As<fb::MatMulT>()) {
    return product->transpose_b || weights.size() < 2 ? weights.back()
                                                      : weights[weights.size() - 2];
  }
  int64_t products = 1;
  const size_t outputs = node.As<fb::ConvT>() != nullptr ? 0 : 1;
  for (size_t i = 0; i < weights.size(); ++i) products *= i == outputs ? 1 : weights[i];
  return products;
}

void Bench::Measure(const fb::BatchNormT& norm, const std::string& y, Json& entry) const {
  const Node* node = StepOf(norm, y);
  if (node == nullptr || !ReadsOriginal(*node)) return;
  const Tensor expected = Original(NameOf(folded_, node->outputs[0]));
  if (expected.empty()) return;
  const Tensor got = RunAlone(*node, /*magnitude=*/false);
  const Tensor magnitude = RunAlone(*node, /*magnitude=*/true);
  if (got.empty() || magnitude.empty() || got.shape() != expected.shape()) return;
  const std::vector<double> a = runtime::ToDoubles(got), b = runtime::ToDoubles(expected);
  const std::vector<double> size = runtime::ToDoubles(magnitude);
  const Tensor* weights = folded_.ConstantOf(node->input(1));
  const int64_t products = weights == nullptr ? 1 : Products(*node, weights->shape());
  const double factor = static_cast<double>(products + 4) * kUnit;
  size_t worst = 0;
  double part = -1;
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = std::abs(a[i] - b[i]);
    const double of_bound = error == 0 ? 0 : error / (factor * size[i]);
    if (of_bound > part) {
      part = of_bound;
      worst = i;
    }
  }
  if (a.empty()) return;
  const runtime::Shape& shape = got.shape();
  const auto* scale_shift = node->As<fb::ScaleShiftT>();
  const auto axis = scale_shift != nullptr               ? static_cast<size_t>(scale_shift->axis)
                    : node->As<fb::MatMulT>() != nullptr ? shape.size() - 1
                                                         : 1;
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  entry["measured_error"] = std::abs(a[worst] - b[worst]);
  entry["rounding_bound"] = factor * size[worst];
  entry["worst_channel"] = static_cast<int64_t>(worst) / inner % shape[axis];
}

Json FileFacts(size_t bytes, uint64_t hash) {
  return {{"bytes", bytes}, {"xxh3", fmt::format("{:016x}", hash)}};
}

}  // namespace

Result<Json> Certificate(const std::string& source, const Graph& original, const Graph& converted,
                         std::span<const std::byte> result, const CertificateOptions& options) {
  PLEAT_ASSIGN_OR_RETURN(const auto variances, converter::SmallestVariances(source));
  PLEAT_ASSIGN_OR_RETURN(const auto file, runtime::MapFile(source));
  std::map<std::string, const Node*> norms;
  for (const Node& node : original.nodes) {
    if (node.As<fb::ScaleShiftT>() != nullptr) norms.emplace(node.sources.front(), &node);
  }
  Result<Bench> bench = Bench::Make(source, original, options);
  Json report = BatchNormReport(converted);
  for (size_t i = 0; i < converted.batch_norms.size(); ++i) {
    const fb::BatchNormT& norm = converted.batch_norms[i];
    Json& entry = report["batch_norms"][i];
    entry["formula"] = TextOrNull(FormulaOf(norm));
    for (const char* key : {"scale_min", "scale_max", "smallest_variance", "measured_error",
                            "rounding_bound", "worst_channel"}) {
      entry[key] = nullptr;
    }
    const auto variance = variances.find(norm.node);
    if (variance != variances.end()) entry["smallest_variance"] = variance->second;
    const auto found = norms.find(norm.node);
    if (found == norms.end()) continue;
    const Node& node = *found->second;
    if (const Tensor* scale = original.ConstantOf(node.input(1))) {
      const std::vector<double> numbers = runtime::ToDoubles(*scale);
      const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
      if (least != numbers.end()) {
        entry["scale_min"] = *least;
        entry["scale_max"] = *most;
      }
    }
    if (bench.ok()) bench->Measure(norm, NameOf(original, node.outputs[0]), entry);
  }
  report["not_measured"] = TextOrNull(bench.ok() ? "" : bench.status().message());
  report["source"] = FileFacts(file.bytes.size(), runtime::HashBytes(file.bytes));
  report["result"] = FileFacts(result.size(), runtime::HashBytes(result));
  return report;
}

}  // namespace pleat::tools
