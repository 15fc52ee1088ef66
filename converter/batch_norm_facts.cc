#include "converter/batch_norm_facts.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "converter/convert.h"
#include "converter/import/tensor_proto.h"
#include "converter/onnx_reader.h"

namespace pleat::converter {
namespace {

constexpr int kVariance = 4;

using runtime::Tensor;
using Tensors = std::map<std::string, Tensor>;

// Reduces the model to the nodes that `wanted` follows from, which become its outputs.
void KeepMakersOf(const std::set<std::string>& wanted, onnx::ModelProto& model) {
  onnx::GraphProto& graph = *model.mutable_graph();
  std::set<std::string> needed = wanted;
  std::vector<onnx::NodeProto> kept;
  for (int i = graph.node_size() - 1; i >= 0; --i) {
    onnx::NodeProto& node = *graph.mutable_node(i);
    const auto& outputs = node.output();
    if (std::none_of(outputs.begin(), outputs.end(),
                     [&](const std::string& name) { return needed.contains(name); })) {
      continue;
    }
    needed.insert(node.input().begin(), node.input().end());
    kept.push_back(std::move(node));
  }
  graph.clear_node();
  for (size_t i = kept.size(); i-- > 0;) *graph.add_node() = std::move(kept[i]);
  auto& initializers = *graph.mutable_initializer();
  initializers.erase(std::remove_if(initializers.begin(), initializers.end(),
                                    [&](const onnx::TensorProto& tensor) {
                                      return !needed.contains(tensor.name());
                                    }),
                     initializers.end());
  graph.clear_output();
  for (const std::string& name : wanted) graph.add_output()->set_name(name);
}

// Those of `wanted` that are known before a run. What they follow from is evaluated.
Tensors Evaluate(const std::set<std::string>& wanted, onnx::ModelProto& model,
                 const std::string& folder) {
  Tensors known;
  if (wanted.empty()) return known;
  KeepMakersOf(wanted, model);
  const std::string text = model.SerializeAsString();
  ConvertOptions options;
  options.folder = folder;
  options.stop_after = "evaluate_constants";
  const auto graph = ConvertOnnx(std::as_bytes(std::span(text)), options);
  if (!graph.ok()) return known;
  for (const runtime::ValueId id : graph->outputs) {
    if (const Tensor* constant = graph->ConstantOf(id)) {
      known.emplace(graph->values[static_cast<size_t>(id)].name, *constant);
    }
  }
  return known;
}

}  // namespace

runtime::Result<std::map<std::string, double>> SmallestVariances(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadModelFile(path));
  PLEAT_ASSIGN_OR_RETURN(const auto model, ReadOnnx(bytes));
  ExternalData external(FolderOf(path));
  std::map<std::string, std::string> variances;  // of each norm
  std::set<std::string> wanted;
  for (const onnx::NodeProto& node : model->graph().node()) {
    if (node.op_type() != "BatchNormalization" || node.input_size() <= kVariance) continue;
    variances.emplace(node.name().empty() ? node.output(0) : node.name(), node.input(kVariance));
    wanted.insert(node.input(kVariance));
  }
  Tensors known;
  for (const auto& tensor : model->graph().initializer()) {
    if (wanted.erase(tensor.name()) == 0) continue;
    PLEAT_ASSIGN_OR_RETURN(known[tensor.name()], TensorOfProto(tensor, &external));
  }
  known.merge(Evaluate(wanted, *model, FolderOf(path)));
  std::map<std::string, double> smallest;
  for (const auto& [norm, variance] : variances) {
    const auto found = known.find(variance);
    if (found == known.end() || found->second.count() == 0) continue;
    const std::vector<double> numbers = runtime::ToDoubles(found->second);
    smallest[norm] = *std::min_element(numbers.begin(), numbers.end());
  }
  return smallest;
}

}  // namespace pleat::converter
