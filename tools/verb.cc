#include "tools/verb.h"

#include <set>

#include "tools/streams.h"

namespace pleat::tools {

CLI::App* AddVerb(CLI::App& app, Command& command, const std::string& name,
                  const std::string& description, const std::string& examples) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->footer("Examples:\n" + examples);
  verb->add_flag("--json", command.json, "Print JSON with a \"version\" field");
  verb->add_flag("-v,--verbose", command.verbose, "Say more on stderr");
  verb->add_flag("-q,--quiet", command.quiet, "Say nothing but results and errors");
  return verb;
}

CLI::Option* AddFile(CLI::App* verb, const std::string& name, std::string& path,
                     const std::string& description) {
  const auto open = [](std::string& text) -> std::string {
    const runtime::Result<std::string> opened = InputPath(text);
    if (!opened.ok()) return opened.status().message();
    text = *opened;
    return "";
  };
  return verb->add_option(name, path, description + "; - reads stdin")
      ->required()
      ->transform(CLI::Validator(open, ""));
}

runtime::Session::Options SessionFlags::Options() const {
  runtime::Session::Options options;
  options.threads = threads;
  options.select.exact = exact;
  if (kernels == "reference") {
    options.select.reference = true;
  } else if (!kernels.empty()) {
    options.select.only = kernels.c_str();
  }
  return options;
}

runtime::Status SessionFlags::Check(const runtime::Plan& plan) const {
  if (kernels.empty() || kernels == "reference") return runtime::Status::Ok();
  std::set<std::string> names;
  for (const runtime::Step& step : plan.steps) {
    if (step.kernel_name == kernels) return runtime::Status::Ok();
    for (const std::string& refusal : step.refusals)
      names.insert(refusal.substr(0, refusal.find(':')));
  }
  std::string list = "reference";
  for (const std::string& name : names) list += ", " + name;
  return runtime::InvalidArgument("--kernels " + kernels +
                                  ": no step of this network can use it; known here: " + list);
}

void AddSessionFlags(CLI::App* verb, SessionFlags& flags) {
  verb->add_option("--threads", flags.threads, "Threads to run on")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--kernels", flags.kernels,
                   "Use only this kernel where it can ('reference': plain loops everywhere)");
  verb->add_flag("--exact", flags.exact,
                 "The smallest errors: terms are added up as they stand (no Winograd), in short "
                 "partial sums");
}

void AddInputFlags(CLI::App* verb, InputFlags& flags) {
  verb->add_option(
          "--input", flags.inputs,
          "NAME=FILE for each input: .npy, .npz, .pb (ONNX TensorProto), .png or .jpg, or - for "
          "stdin; NAME= may be left out with one input, and of an .npz whose arrays have the "
          "inputs' names. A name given again adds to its batch")
      ->allow_extra_args(false);
  verb->add_option("--mean", flags.picture.mean,
                   "Pictures: subtracted per channel from pixels scaled to 0..1, e.g. 0.5 or "
                   "0.485,0.456,0.406")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb->add_option("--std", flags.picture.std, "Pictures: divides per channel after --mean")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb->add_flag("--resize", flags.picture.resize,
                 "Pictures: scale (bilinear) to the height and width the input takes");
  const std::map<std::string, PictureLayout> layouts = {{"NCHW", PictureLayout::kChannelsFirst},
                                                        {"NHWC", PictureLayout::kChannelsLast}};
  verb->add_option("--layout", flags.picture.layout,
                   "Pictures: where the input has its channels; default: as its sizes say, NCHW "
                   "where both could be meant")
      ->transform(CLI::CheckedTransformer(layouts, CLI::ignore_case).description("NCHW|NHWC"));
}

void AddTrainingFlag(CLI::App* verb, converter::TrainingMode& training) {
  using converter::TrainingMode;
  const std::map<std::string, TrainingMode> names = {{"batch", TrainingMode::kBatch},
                                                     {"freeze", TrainingMode::kFreeze},
                                                     {"error", TrainingMode::kError}};
  verb->add_option("--bn-training", training,
                   "Batch norms in training mode: 'batch' runs them on the statistics of their "
                   "input (default), 'freeze' uses the stored ones, 'error' refuses them all")
      ->transform(CLI::CheckedTransformer(names).description("batch|freeze|error"));
}

void AddShapeFlag(CLI::App* verb, std::vector<std::string>& flags) {
  verb->add_option("--input-shape", flags,
                   "NAME:1,3,224,224 for an input whose sizes are open or to be replaced; ? or a word "
                   "leaves a size open. NAME:[1,3,224,224] and NAME:1x3x224x224 mean the same")
      ->allow_extra_args(false);
}

}  // namespace pleat::tools
