#include <new>

#include "runtime/model_file.h"
#include "runtime/session.h"

namespace pleat::runtime {
namespace {

Status OutOfMemory() { return {StatusCode::kOutOfMemory, "out of memory while loading a model"}; }

size_t ConstantBytes(const Graph& graph) {
  size_t bytes = 0;
  for (const Value& value : graph.values) {
    if (value.constant) bytes += value.constant->bytes();
  }
  for (const Node& node : graph.nodes) {
    for (const Graph& subgraph : node.subgraphs) bytes += ConstantBytes(subgraph);
  }
  return bytes;
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::Load(const std::string& path) try {
  PLEAT_ASSIGN_OR_RETURN(MappedFile file, MapFile(path));
  Result<std::shared_ptr<const Model>> model = FromBytes(file.bytes, file.owner);
  if (!model.ok()) return model.status().In(path);
  return model;
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

Result<std::shared_ptr<const Model>> Model::LoadDescriptor(int descriptor) try {
  PLEAT_ASSIGN_OR_RETURN(MappedFile file, MapDescriptor(descriptor, "the file descriptor"));
  return FromBytes(file.bytes, file.owner);
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

Result<std::shared_ptr<const Model>> Model::FromBytes(std::span<const std::byte> bytes,
                                                      std::shared_ptr<const void> owner) try {
  PLEAT_ASSIGN_OR_RETURN(Graph graph, ParseGraph(bytes, std::move(owner)));
  std::shared_ptr<Model> model(new Model);
  model->graph_ = std::move(graph);
  return std::shared_ptr<const Model>(std::move(model));
} catch (const std::bad_alloc&) {
  return OutOfMemory();
}

Result<std::shared_ptr<const Model>> Model::FromGraph(Graph graph) {
  PLEAT_RETURN_IF_ERROR(CheckGraph(graph));
  std::shared_ptr<Model> model(new Model);
  model->graph_ = std::move(graph);
  return std::shared_ptr<const Model>(std::move(model));
}

size_t Model::weight_bytes() const { return ConstantBytes(graph_); }

}  // namespace pleat::runtime
