#include "tools/network.h"

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

Result<std::vector<Shape>> ChooseRunnableShapes(runtime::Session& session,
                                                const std::map<std::string, Shape>& given,
                                                std::vector<std::string>* assumed) {
  constexpr int64_t kSizes[] = {kDefaultSize, 224, 256, 32, 16, 8};
  Status first;
  for (const int64_t size : kSizes) {
    std::vector<std::string> notes;
    PLEAT_ASSIGN_OR_RETURN(std::vector<Shape> shapes,
                           ChooseShapes(session.model().graph(), given, size, &notes));
    const Status status = session.Prepare(shapes).status();
    if (status.ok()) {
      assumed->insert(assumed->end(), notes.begin(), notes.end());
      return shapes;
    }
    if (first.ok()) first = status;
    if (notes.empty()) return status;
  }
  return Status(first.code(), first.message() + "; --input-shape gives the sizes to use");
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code error;
  return a == b || std::filesystem::equivalent(a, b, error);
}

}  // namespace pleat::tools
