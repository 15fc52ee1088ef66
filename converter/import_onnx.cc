#include <filesystem>

#include "converter/convert.h"
#include "converter/import/importer.h"
#include "converter/onnx_reader.h"
#include "converter/within_memory.h"

namespace pleat::converter {
namespace {

using runtime::Graph;
using runtime::Result;

// Fails, naming all of them, when a batch norm runs in training mode.
runtime::Status RefuseTraining(const Graph& graph) {
  std::string names;
  for (const auto& norm : graph.batch_norms) {
    if (norm.reason != "BN_TRAINING_MODE") continue;
    names += (names.empty() ? "" : ", ") + norm.node;
  }
  if (names.empty()) return runtime::Status::Ok();
  return runtime::Unsupported("batch norms in training mode, which --bn-training=error refuses: " +
                              names);
}

Result<Graph> Import(std::unique_ptr<onnx::ModelProto> model, const ConvertOptions& options) {
  PLEAT_ASSIGN_OR_RETURN(Graph graph, Importer(*model, options).Run());
  model.reset();
  if (options.training == TrainingMode::kError) PLEAT_RETURN_IF_ERROR(RefuseTraining(graph));
  PLEAT_RETURN_IF_ERROR(runtime::InferGraph(graph, /*evaluate=*/false));
  if (options.on_stage) options.on_stage("import", graph);
  return graph;
}

}  // namespace

Result<Graph> ImportOnnx(std::span<const std::byte> bytes, const ConvertOptions& options) {
  return WithinMemory(options.limits, [&]() -> Result<Graph> {
    PLEAT_ASSIGN_OR_RETURN(auto model, ReadOnnx(bytes, options.limits));
    return Import(std::move(model), options);
  });
}

Result<Graph> ImportOnnxFile(const std::string& path, ConvertOptions options) {
  if (options.folder.empty()) options.folder = FolderOf(path);
  return WithinMemory(options.limits, [&]() -> Result<Graph> {
    PLEAT_ASSIGN_OR_RETURN(std::vector<std::byte> bytes, ReadModelFile(path, options.limits));
    PLEAT_ASSIGN_OR_RETURN(auto model, ReadOnnx(bytes, options.limits));
    std::vector<std::byte>().swap(bytes);
    return Import(std::move(model), options);
  });
}

}  // namespace pleat::converter
