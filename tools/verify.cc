#include <fmt/core.h>

#include <optional>

#include "converter/convert.h"
#include "tools/network.h"
#include "tools/verb.h"
#include "tools/verification.h"

namespace pleat::tools {
namespace {

using runtime::Result;
using runtime::Status;

struct Flags {
  std::string original, converted;
  std::vector<std::string> shapes;
  SessionFlags session;
  InputFlags input;
  converter::TrainingMode training = converter::TrainingMode::kBatch;
  uint64_t seed = 1;
  std::optional<double> bound;
};

Result<VerifyReport> RunBoth(const Flags& flags, const Command& command) {
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  Progress progress(command.quiet);
  progress.Show("reading");
  PLEAT_ASSIGN_OR_RETURN(const runtime::Graph original,
                         converter::ImportOnnxFile(flags.original, {.input_shapes = shapes,
                                                                    .training = flags.training}));
  PLEAT_ASSIGN_OR_RETURN(const auto model, LoadNetwork(flags.converted, shapes, flags.training));
  VerifyOptions options;
  options.session = flags.session.Options();
  options.seed = flags.seed;
  options.shapes = shapes;
  if (flags.bound) options.tolerance.bound = *flags.bound;
  if (!flags.input.inputs.empty()) {
    PLEAT_ASSIGN_OR_RETURN(options.inputs,
                           ReadInputs(model->graph(), flags.input.inputs, flags.input.picture));
  }
  progress.Show("running the original network in double, and the file");
  return Verify(original, model, options);
}

Status VerifyFiles(const Flags& flags, const Command& command) {
  PLEAT_ASSIGN_OR_RETURN(const VerifyReport report, RunBoth(flags, command));
  if (command.json) {
    Json json = {{"version", 1}, {"original", flags.original}, {"file", flags.converted}};
    json.update(JsonOf(report));
    PrintJson(json);
  } else if (!command.quiet) {
    PrintText(TextOf(report));
  }
  return StatusOf(report);
}

}  // namespace

void AddVerify(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, command, "verify",
      "Run the original network in double and the file as it is, and compare their outputs",
      "  pleat verify net.onnx net.pleat\n"
      "  pleat verify net.onnx net.pleat --seed 7 --threads 4 --json\n"
      "  pleat verify net.onnx net.pleat --input-shape image:2,3,320,320\n"
      "  pleat verify net.onnx net.pleat --input cat.png --resize --bound 1e-5\n"
      "Random inputs are even in [-1, 1). Open sizes become 1 (batch) or 64 unless given.\n"
      "Exit code 7 when an output is off by more than the bound; the first node whose value\n"
      "departs is then named.");
  AddFile(verb, "IN", flags->original, "The ONNX file");
  AddFile(verb, "FILE", flags->converted, "The .pleat file made from it");
  verb->add_option("--seed", flags->seed, "Of the random inputs")->capture_default_str();
  verb->add_option("--bound", flags->bound,
                   "Largest error let through, as a part of max|y| (default 1e-4)")
      ->check(CLI::NonNegativeNumber);
  AddShapeFlag(verb, flags->shapes);
  AddTrainingFlag(verb, flags->training);
  AddSessionFlags(verb, flags->session);
  AddInputFlags(verb, flags->input);
  verb->callback(
      [=, &command] { command.run = [=, &command] { return VerifyFiles(*flags, command); }; });
}

}  // namespace pleat::tools
