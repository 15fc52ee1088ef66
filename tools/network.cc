#include "tools/network.h"

#include <algorithm>
#include <filesystem>

#include "runtime/model_file.h"
#include "tools/inputs.h"

namespace pleat::tools {

using runtime::Model;
using runtime::Result;
using runtime::Shape;
using runtime::Status;

Result<bool> IsModelFile(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  return runtime::LooksLikeModelFile(file.bytes) || path.ends_with(".pleat");
}

Result<std::shared_ptr<const Model>> LoadNetwork(const std::string& path,
                                                 const std::map<std::string, Shape>& input_shapes,
                                                 converter::TrainingMode training) {
  PLEAT_ASSIGN_OR_RETURN(const bool is_model, IsModelFile(path));
  if (is_model) return Model::Load(path);
  PLEAT_ASSIGN_OR_RETURN(runtime::Graph graph,
                         converter::ConvertOnnxFile(
                             path, {.input_shapes = input_shapes, .training = training}));
  return Model::FromGraph(std::move(graph));
}

namespace {

// What is given, and one for each open size without a name of the inputs behind the first: states
// go on from run to run for each of a batch.
std::map<std::string, Shape> WithSingleStates(const runtime::Graph& graph,
                                              const std::map<std::string, Shape>& given) {
  std::map<std::string, Shape> shapes = given;
  for (size_t i = 1; i < graph.inputs.size(); ++i) {
    const runtime::Value& input = graph.values[static_cast<size_t>(graph.inputs[i])];
    Shape shape = input.type.shape;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      const bool named = axis < input.symbols.size() && !input.symbols[axis].empty();
      if (shape[axis] == runtime::kUnknownDim && !named) shape[axis] = 1;
    }
    if (input.type.ranked && shape != input.type.shape) shapes.emplace(input.name, shape);
  }
  return shapes;
}

// Whether all of the network runs; what depends on numbers is found out by running it.
Status TryShapes(runtime::Session& session, const std::vector<Shape>& shapes) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::Plan* plan, session.Prepare(shapes));
  if (plan->deferred.empty()) return Status::Ok();
  return session.Run(RandomInputs(session.model().graph(), shapes, 1)).status();
}

}  // namespace

Result<std::vector<Shape>> ChooseRunnableShapes(runtime::Session& session,
                                                const std::map<std::string, Shape>& given,
                                                std::vector<std::string>* assumed) {
  constexpr int64_t kSizes[] = {kDefaultSize, 224, 256, 512, 32, 16, 8};
  const runtime::Graph& graph = session.model().graph();
  Status first;
  const auto single = WithSingleStates(graph, given);
  for (const auto* known : {&given, &single}) {
    for (const int64_t size : kSizes) {
      std::vector<std::string> notes;
      PLEAT_ASSIGN_OR_RETURN(std::vector<Shape> shapes, ChooseShapes(graph, *known, size, &notes));
      const Status status =
          notes.empty() ? session.Prepare(shapes).status() : TryShapes(session, shapes);
      if (status.ok()) {
        for (size_t i = 0; known == &single && i < shapes.size(); ++i) {
          const std::string& name = graph.values[static_cast<size_t>(graph.inputs[i])].name;
          if (given.contains(name) || !single.contains(name)) continue;
          std::string note = "input '" + name + "' taken as " + runtime::ShapeText(shapes[i]);
          if (std::ranges::find(notes, note) == notes.end()) notes.push_back(std::move(note));
        }
        assumed->insert(assumed->end(), notes.begin(), notes.end());
        return shapes;
      }
      if (first.ok()) first = status;
      if (notes.empty() && known == &given) return status;
    }
  }
  return Status(first.code(), first.message() + "; --input-shape gives the sizes to use");
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || std::filesystem::equivalent(a, b, error);
}

}  // namespace pleat::tools
