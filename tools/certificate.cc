#include "tools/certificate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "converter/batch_norm_facts.h"
#include "converter/convert.h"
#include "kernels/activation.h"
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
  if (norm.kind == "merged_conv") return "w' = sum of w s[m], b' = sum of b s[m] + t[m]";
  if (norm.kind == "normalization") return "gain' = gain s[c], bias' = bias s[c] + t[c]";
  if (norm.kind == "table") return "row' = row s[c] + t[c]";
  if (norm.kind == "prologue") return "x' = x s[c] + t[c] while the operator reads its input";
  if (norm.kind.starts_with("next_")) return "w' = w s[c], b' = b + sum of w t[c] over inputs c";
  if (norm.kind == "affine") return "s' = s s2, t' = t s2 + t2";
  if (norm.kind == "operand") return "constant' = constant s[c] + t[c]";
  if (norm.kind == "constant" || norm.kind == "eliminated") return "";
  return "w' = w s[m], b' = b s[m] + t[m]";
}

std::vector<std::string> NamesIn(const std::string& list) {
  std::vector<std::string> names;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(", ", at), list.size());
    names.push_back(list.substr(at, end - at));
    at = end + 2;
  }
  return names;
}

// The value a node makes first, kNoValue where nobody wants it.
ValueId ResultOf(const Node& node) {
  return node.outputs.empty() ? runtime::kNoValue : node.outputs[0];
}

// The node's name, or that of its result.
std::string NameOf(const Graph& graph, const Node& node) {
  if (!node.name.empty() || ResultOf(node) == runtime::kNoValue) return node.name;
  return NameOf(graph, ResultOf(node));
}

// Whether steps of the folded network do what the norm did.
bool IsSomewhere(const fb::BatchNormT& norm) {
  return norm.status == fb::FoldStatus::Kept || !norm.into.empty();
}

bool IsForward(const fb::BatchNormT& norm) {
  return norm.kind.starts_with("next_") || norm.kind == "prologue";
}

// Steps of the folded network from values that the original has too to another such value.
struct Cone {
  std::vector<char> nodes;  // by position
  ValueId end = runtime::kNoValue;
};

// The original network in double with every value kept, and the folded one before its layout and
// kernels are chosen.
class Bench {
 public:
  static Result<Bench> Make(const std::string& source, const Graph& original,
                            const CertificateOptions& options);

  // The record of the norm before layouts and kernels are chosen.
  const fb::BatchNormT& NormAt(size_t i) const { return folded_.batch_norms[i]; }
  // The error, bound and channel of the steps that now do what the batch norm did.
  void Measure(const fb::BatchNormT& norm, Json& entry) const;

 private:
  struct Norm {
    std::string x, y;  // the values around it
  };

  // The ScaleShift that a kept norm is, with what else went into it.
  std::optional<size_t> StepOf(const fb::BatchNormT& norm) const;
  // Where the numbers of the original come back after what the norm changed.
  ValueId EndOf(const fb::BatchNormT& norm) const;
  // The nodes whose operands a norm changed, or that read values it changed.
  std::vector<char> StartsOf(const fb::BatchNormT& norm) const;
  Cone ConeOf(const fb::BatchNormT& norm) const;
  // Nodes that depend on one of `starts`; nodes on which a value depends.
  std::vector<char> Behind(const std::vector<char>& starts) const;
  std::vector<char> Before(ValueId id) const;

  Tensor Original(ValueId id) const;
  // Runs the cone on the original's values. With `magnitude` on absolute values of everything, in
  // double, and with sums for differences.
  Tensor Run(const Cone& cone, bool magnitude) const;
  double RoundingsOf(const Cone& cone) const;
  size_t AxisOf(const Cone& cone) const;

  std::unique_ptr<Session> oracle_;
  std::map<std::string, ValueId> ids_;
  std::map<std::string, Norm> norms_;
  Graph folded_;
  std::vector<int> makers_;
  std::map<std::string, ValueId> folded_ids_;  // of values that nodes make or callers give
  std::map<std::string, size_t> folded_nodes_;
};

Result<Bench> Bench::Make(const std::string& source, const Graph& original,
                          const CertificateOptions& options) {
  Bench bench;
  PLEAT_ASSIGN_OR_RETURN(bench.folded_,
                         converter::ConvertOnnxFile(source, {.input_shapes = options.shapes,
                                                             .training = options.training,
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
    bench.norms_.emplace(node.sources.front(), Norm{NameOf(original, node.inputs[0]),
                                                    NameOf(original, node.outputs[0])});
  }
  const Graph& folded = bench.folded_;
  bench.makers_ = folded.Makers();
  for (const ValueId id : folded.inputs) bench.folded_ids_.emplace(NameOf(folded, id), id);
  for (size_t i = 0; i < folded.nodes.size(); ++i) {
    bench.folded_nodes_.emplace(NameOf(folded, folded.nodes[i]), i);
    for (const ValueId id : folded.nodes[i].outputs) {
      if (id != runtime::kNoValue) bench.folded_ids_.emplace(NameOf(folded, id), id);
    }
  }
  return bench;
}

std::vector<char> Bench::Behind(const std::vector<char>& starts) const {
  std::vector<char> reached = starts;
  for (size_t i = 0; i < folded_.nodes.size(); ++i) {
    for (const ValueId id : folded_.nodes[i].inputs) {
      const int maker = id == runtime::kNoValue ? -1 : makers_[Index(id)];
      if (maker >= 0 && reached[static_cast<size_t>(maker)] != 0) reached[i] = 1;
    }
  }
  return reached;
}

std::vector<char> Bench::Before(ValueId end) const {
  std::vector<char> reached(folded_.nodes.size(), 0);
  if (makers_[Index(end)] >= 0) reached[static_cast<size_t>(makers_[Index(end)])] = 1;
  for (size_t i = folded_.nodes.size(); i-- > 0;) {
    if (reached[i] == 0) continue;
    for (const ValueId id : folded_.nodes[i].inputs) {
      const int maker = id == runtime::kNoValue ? -1 : makers_[Index(id)];
      if (maker >= 0) reached[static_cast<size_t>(maker)] = 1;
    }
  }
  return reached;
}

std::vector<char> Bench::StartsOf(const fb::BatchNormT& norm) const {
  std::vector<char> starts(folded_.nodes.size(), 0);
  for (const std::string& name : NamesIn(norm.into)) {
    const auto found = folded_nodes_.find(name);
    if (found != folded_nodes_.end()) starts[found->second] = 1;
  }
  const auto around = norms_.find(norm.node);
  if (around == norms_.end()) return starts;
  if (norm.kind.empty()) {
    const auto step = StepOf(norm);
    if (step) starts[*step] = 1;
    return starts;
  }
  if (!IsForward(norm)) return starts;
  const auto x = folded_ids_.find(around->second.x);
  for (size_t i = 0; i < folded_.nodes.size() && x != folded_ids_.end(); ++i) {
    const auto& inputs = folded_.nodes[i].inputs;
    if (std::find(inputs.begin(), inputs.end(), x->second) != inputs.end()) starts[i] = 1;
  }
  return starts;
}

std::optional<size_t> Bench::StepOf(const fb::BatchNormT& norm) const {
  for (size_t i = 0; i < folded_.nodes.size(); ++i) {
    const std::vector<std::string>& sources = folded_.nodes[i].sources;
    if (folded_.nodes[i].As<fb::ScaleShiftT>() != nullptr &&
        std::find(sources.begin(), sources.end(), norm.node) != sources.end()) {
      return i;
    }
  }
  return std::nullopt;
}

ValueId Bench::EndOf(const fb::BatchNormT& norm) const {
  if (norm.kind.empty()) {
    const auto step = StepOf(norm);
    return step ? ResultOf(folded_.nodes[*step]) : runtime::kNoValue;
  }
  const auto around = norms_.find(norm.node);
  if (around != norms_.end() && !IsForward(norm)) {
    const auto y = folded_ids_.find(around->second.y);
    if (y != folded_ids_.end()) return y->second;
  }
  const auto into = folded_nodes_.find(NamesIn(norm.into).front());
  return into == folded_nodes_.end() ? runtime::kNoValue
                                     : ResultOf(folded_.nodes[into->second]);
}

// Grows over other norms whose changes meet it, until all values around it are the original's.
Cone Bench::ConeOf(const fb::BatchNormT& norm) const {
  Cone cone{.nodes = {}, .end = EndOf(norm)};
  if (cone.end == runtime::kNoValue || makers_[Index(cone.end)] < 0) return cone;
  std::vector<char> starts = StartsOf(norm);
  for (bool grew = true; grew;) {
    grew = false;
    const std::vector<char> behind = Behind(starts), before = Before(cone.end);
    cone.nodes.assign(folded_.nodes.size(), 0);
    for (size_t i = 0; i < cone.nodes.size(); ++i) cone.nodes[i] = behind[i] & before[i];
    for (const fb::BatchNormT& other : folded_.batch_norms) {
      if (other.into.empty() || norms_.find(other.node) == norms_.end()) continue;
      const std::vector<char> own = StartsOf(other);
      bool meets = false, inside = true;
      for (size_t i = 0; i < own.size(); ++i) {
        meets = meets || (own[i] != 0 && cone.nodes[i] != 0);
        inside = inside && (own[i] == 0 || starts[i] != 0);
      }
      const auto x = folded_ids_.find(norms_.at(other.node).x);
      const bool forward = IsForward(other) && x != folded_ids_.end();
      const auto into = folded_nodes_.find(NamesIn(other.into).front());
      meets = meets || (forward && into != folded_nodes_.end() && cone.nodes[into->second] != 0);
      if (!meets) continue;
      const ValueId end = EndOf(other);
      const bool later = end != runtime::kNoValue && end != cone.end &&
                         Before(end)[static_cast<size_t>(makers_[Index(cone.end)])] != 0;
      if (later) cone.end = end;
      if (!inside) {
        for (size_t i = 0; i < own.size(); ++i) starts[i] |= own[i];
      }
      grew = grew || later || !inside;
    }
  }
  return cone;
}

Tensor Bench::Original(ValueId id) const {
  const auto found = ids_.find(NameOf(folded_, id));
  return found == ids_.end() ? Tensor() : oracle_->ValueAfterRun(found->second);
}

Tensor Magnitude(const Tensor& tensor) {
  if (!kernels::IsFloat(tensor.element())) return tensor;
  std::vector<double> numbers = runtime::ToDoubles(tensor);
  for (double& number : numbers) number = std::abs(number);
  return Tensor::Of<double>(tensor.shape(), numbers);
}

// Activations with which 1 - z of a Gru, and z, are z + 1 at least: a bound on what it adds up.
void TakeMagnitudes(fb::RecurrentT& step) {
  const size_t count = static_cast<size_t>(step.kind) + 1;
  for (size_t i = 0; i < step.activations.size(); ++i) {
    const bool negative = step.kind == fb::RecurrentKind::Gru && i % count == 1;
    step.activations[i] = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kAffine),
                                         negative ? -1.0f : 1.0f,
                                         count > 1 && i % count == 0 ? 3.0f : 0.0f);
  }
}

void TakeMagnitudes(Node& node) {
  if (auto* step = node.As<fb::RecurrentT>()) TakeMagnitudes(*step);
  if (auto* product = node.As<fb::MatMulT>()) {
    product->alpha = std::abs(product->alpha);
    product->beta = std::abs(product->beta);
  }
  if (auto* binary = node.As<fb::BinaryT>(); binary && binary->kind == fb::BinaryKind::Sub) {
    binary->kind = fb::BinaryKind::Add;
  }
  if (auto* unary = node.As<fb::UnaryT>()) {
    unary->activation = fb::Activation(static_cast<uint8_t>(kernels::UnaryKind::kAbs), 0, 0);
  }
}

Tensor Bench::Run(const Cone& cone, bool magnitude) const {
  const auto element = magnitude ? ElementType::kFloat64 : ElementType::kFloat32;
  Graph part;
  std::map<ValueId, ValueId> ids;
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < cone.nodes.size(); ++i) {
    if (cone.nodes[i] == 0) continue;
    Node node = folded_.nodes[i];
    for (ValueId& id : node.inputs) {
      if (id == runtime::kNoValue) continue;
      auto [place, added] = ids.emplace(id, runtime::kNoValue);
      if (added) {
        const Tensor* constant = folded_.ConstantOf(id);
        Tensor tensor = constant != nullptr ? *constant : Original(id);
        if (tensor.empty()) return {};
        const bool number = kernels::IsFloat(tensor.element());
        const bool tap_bias = constant != nullptr && constant->element() == ElementType::kFloat64;
        if (number && magnitude) tensor = Magnitude(tensor);
        if (number && !magnitude && !tap_bias) tensor = runtime::Cast(tensor, element);
        if (constant != nullptr) {
          place->second = part.AddConstant(NameOf(folded_, id), tensor);
        } else {
          place->second = part.AddValue(NameOf(folded_, id), tensor.type());
          part.inputs.push_back(place->second);
          inputs.push_back(tensor);
        }
      }
      id = place->second;
    }
    for (ValueId& id : node.outputs) {
      if (id == runtime::kNoValue) continue;
      ids[id] = part.AddValue(NameOf(folded_, id));
      id = ids[id];
    }
    if (magnitude) TakeMagnitudes(node);
    part.nodes.push_back(std::move(node));
  }
  const auto end = ids.find(cone.end);
  if (end == ids.end()) return {};
  part.outputs = {end->second};
  if (!runtime::InferGraph(part, /*evaluate=*/false).ok()) return {};
  auto model = Model::FromGraph(std::move(part));
  if (!model.ok()) return {};
  Session::Options options;
  options.select.reference = magnitude;
  const auto outputs = Session(*model, options).Run(inputs);
  return outputs.ok() ? (*outputs)[0] : Tensor();
}

// How many products one result of the node sums up, from the shape of its weights.
int64_t Products(const Node& node, const runtime::Shape& weights) {
  if (weights.empty()) return 1;
  if (const auto* product = node.As<fb::MatMulT>()) {
    return product->transpose_b || weights.size() < 2 ? weights.back()
                                                      : weights[weights.size() - 2];
  }
  int64_t products = 1;
  const size_t outputs = node.As<fb::ConvT>() != nullptr ? 0 : 1;
  for (size_t i = 0; i < weights.size(); ++i) products *= i == outputs ? 1 : weights[i];
  return products;
}

double Bench::RoundingsOf(const Cone& cone) const {
  int64_t count = 0;
  for (size_t i = 0; i < cone.nodes.size(); ++i) {
    if (cone.nodes[i] == 0) continue;
    const Node& node = folded_.nodes[i];
    const bool sums = node.As<fb::ConvT>() != nullptr || node.As<fb::MatMulT>() != nullptr ||
                      node.As<fb::ConvTransposeT>() != nullptr;
    const Tensor* weights = folded_.ConstantOf(node.input(1));
    count += 4 + (sums && weights != nullptr ? Products(node, weights->shape()) : 1);
  }
  return static_cast<double>(count);
}

size_t Bench::AxisOf(const Cone& cone) const {
  const Node& node = folded_.nodes[static_cast<size_t>(makers_[Index(cone.end)])];
  const auto rank = static_cast<size_t>(folded_.values[Index(cone.end)].type.rank());
  if (const auto* scale_shift = node.As<fb::ScaleShiftT>()) {
    return static_cast<size_t>(scale_shift->axis);
  }
  return node.As<fb::MatMulT>() != nullptr || rank < 2 ? rank - 1 : 1;
}

void Bench::Measure(const fb::BatchNormT& norm, Json& entry) const {
  if (!IsSomewhere(norm)) return;
  const Cone cone = ConeOf(norm);
  if (cone.end == runtime::kNoValue || makers_[Index(cone.end)] < 0) return;
  const Tensor expected = Original(cone.end);
  if (expected.empty()) return;
  const Tensor got = Run(cone, /*magnitude=*/false);
  const Tensor magnitude = Run(cone, /*magnitude=*/true);
  if (got.empty() || magnitude.empty() || got.shape() != expected.shape()) return;
  const std::vector<double> a = runtime::ToDoubles(got), b = runtime::ToDoubles(expected);
  const std::vector<double> size = runtime::ToDoubles(magnitude);
  const double factor = RoundingsOf(cone) * kUnit;
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
  if (a.empty() || got.shape().empty()) return;
  const runtime::Shape& shape = got.shape();
  const size_t axis = AxisOf(cone);
  int64_t inner = 1;
  for (size_t i = axis + 1; i < shape.size(); ++i) inner *= shape[i];
  entry["measured_error"] = std::abs(a[worst] - b[worst]);
  entry["rounding_bound"] = factor * size[worst];
  entry["measured_at"] = NameOf(folded_, cone.end);
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
                            "rounding_bound", "measured_at", "worst_channel"}) {
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
    if (bench.ok()) bench->Measure(bench->NormAt(i), entry);
  }
  report["not_measured"] = TextOrNull(bench.ok() ? "" : bench.status().message());
  report["source"] = FileFacts(file.bytes.size(), runtime::HashBytes(file.bytes));
  report["result"] = FileFacts(result.size(), runtime::HashBytes(result));
  return report;
}

}  // namespace pleat::tools
