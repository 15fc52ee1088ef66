#include <fmt/core.h>

#include "tools/batch_norms.h"
#include "tools/console.h"
#include "tools/network.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

struct Flags {
  std::string path;
  std::vector<std::string> shapes;
  converter::TrainingMode training = converter::TrainingMode::kBatch;
};

runtime::Status Explain(const Flags& flags, const Command& command) {
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  PLEAT_ASSIGN_OR_RETURN(const auto model, LoadNetwork(flags.path, shapes, flags.training));
  if (command.json) {
    PrintJson(BatchNormReport(model->graph()));
  } else {
    PrintText(BatchNormText(model->graph()));
  }
  return runtime::Status::Ok();
}

}  // namespace

void AddExplain(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(app, command, "explain",
                           "Say of each batch norm where it was folded, or why it was kept",
                           "  pleat explain net.onnx\n"
                           "  pleat explain net.pleat --json\n"
                           "  cat net.onnx | pleat explain -");
  AddFile(verb, "FILE", flags->path, "An ONNX or .pleat file");
  AddShapeFlag(verb, flags->shapes);
  AddTrainingFlag(verb, flags->training);
  verb->callback(
      [=, &command] { command.run = [=, &command] { return Explain(*flags, command); }; });
}

}  // namespace pleat::tools
