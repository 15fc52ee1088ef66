#include <fmt/core.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "converter/convert.h"
#include "runtime/model_file.h"
#include "tools/batch_norms.h"
#include "tools/console.h"
#include "tools/network.h"
#include "tools/verb.h"
#include "tools/verification.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::InvalidArgument;
using runtime::Result;
using runtime::Status;

struct Flags {
  std::string input, output, report, stop_after;
  std::vector<std::string> shapes;
  bool verify = false, no_fold = false, dump = false;
};

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Fails early where a file could not be written at the end.
Status CheckTarget(const std::string& path) {
  std::filesystem::path folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return runtime::IoError(path + ": there is no folder " + folder.string());
  }
  if (access(folder.c_str(), W_OK) != 0) {
    return runtime::IoError(path + ": the folder " + folder.string() + " cannot be written");
  }
  if (std::filesystem::is_directory(path, error)) {
    return runtime::IoError(path + ": is a folder");
  }
  return Status::Ok();
}

Status CheckPaths(const Flags& flags) {
  if (SameFile(flags.input, flags.output)) {
    return InvalidArgument("the output " + flags.output + " is the input itself");
  }
  PLEAT_RETURN_IF_ERROR(CheckTarget(flags.output));
  if (flags.report.empty()) return Status::Ok();
  if (SameFile(flags.report, flags.input) || SameFile(flags.report, flags.output)) {
    return InvalidArgument("the report " + flags.report + " is the input or the output");
  }
  return CheckTarget(flags.report);
}

// Both files, or neither: what stood at the report's path comes back when the model cannot be
// written.
Status WriteBoth(const Flags& flags, const std::string& bytes, const Graph& graph) {
  if (flags.report.empty()) return runtime::WriteFileAtomically(flags.output, BytesOf(bytes));
  std::optional<runtime::MappedFile> before;
  if (std::filesystem::exists(flags.report)) {
    PLEAT_ASSIGN_OR_RETURN(before, runtime::MapFile(flags.report));
  }
  const std::string report = JsonText(BatchNormReport(graph));
  PLEAT_RETURN_IF_ERROR(runtime::WriteFileAtomically(flags.report, BytesOf(report)));
  const Status status = runtime::WriteFileAtomically(flags.output, BytesOf(bytes));
  if (status.ok()) return status;
  if (before) {
    static_cast<void>(runtime::WriteFileAtomically(flags.report, before->bytes));
  } else {
    std::error_code error;
    std::filesystem::remove(flags.report, error);
  }
  return status;
}

struct Sizes {
  size_t nodes_before = 0, norms_before = 0;
};

converter::ConvertOptions OptionsOf(const Flags& flags, const Command& command,
                                    std::map<std::string, runtime::Shape> shapes,
                                    Progress& progress, Sizes& sizes) {
  converter::ConvertOptions options;
  options.input_shapes = std::move(shapes);
  options.fold = !flags.no_fold;
  options.stop_after = flags.stop_after;
  options.on_stage = [&flags, &command, &progress, &sizes, last = std::string()](
                         const std::string& stage, const Graph& graph) mutable {
    if (sizes.nodes_before == 0) sizes.nodes_before = graph.nodes.size();
    progress.Show(stage);
    if (command.verbose) fmt::print(stderr, "{}: {} nodes\n", stage, graph.nodes.size());
    if (!flags.dump) return;
    std::string text = GraphText(graph);
    if (text == last) {
      fmt::print(stderr, "== {}: unchanged\n", stage);
    } else {
      fmt::print(stderr, "== {}\n{}", stage, text);
    }
    last = std::move(text);
  };
  return options;
}

// The bytes to be written against the original network.
Result<VerifyReport> VerifyBytes(const Flags& flags, const std::string& bytes,
                                 const std::map<std::string, runtime::Shape>& shapes) {
  PLEAT_ASSIGN_OR_RETURN(const Graph original,
                         converter::ImportOnnxFile(flags.input, {.input_shapes = shapes}));
  PLEAT_ASSIGN_OR_RETURN(auto model, runtime::Model::FromBytes(BytesOf(bytes)));
  VerifyOptions options;
  options.shapes = shapes;
  return Verify(original, std::move(model), options);
}

Status Convert(const Flags& flags, const Command& command) {
  PLEAT_RETURN_IF_ERROR(CheckPaths(flags));
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  PLEAT_ASSIGN_OR_RETURN(const bool is_model, IsModelFile(flags.input));
  if (is_model) return InvalidArgument(flags.input + " is a .pleat file already");

  Sizes sizes;
  std::string bytes;
  std::optional<VerifyReport> verified;
  Graph graph;
  {
    Progress progress(command.quiet);
    progress.Show("reading " + flags.input);
    PLEAT_ASSIGN_OR_RETURN(
        graph, converter::ConvertOnnxFile(flags.input,
                                          OptionsOf(flags, command, shapes, progress, sizes)));
    bytes = SerializeGraph(graph);
    if (flags.verify) {
      progress.Show("verifying against the original network in double");
      PLEAT_ASSIGN_OR_RETURN(verified, VerifyBytes(flags, bytes, shapes));
    }
  }
  if (!verified || verified->pass) PLEAT_RETURN_IF_ERROR(WriteBoth(flags, bytes, graph));

  const BatchNormCount norms = CountBatchNorms(graph);
  if (command.json) {
    Json json = {
        {"version", 1},
        {"input", flags.input},
        {"output", flags.output},
        {"written", !verified || verified->pass},
        {"bytes", bytes.size()},
        {"nodes_before", sizes.nodes_before},
        {"nodes_after", graph.nodes.size()},
        {"batch_norms", {{"total", norms.total}, {"folded", norms.folded}, {"kept", norms.kept}}}};
    if (verified) json["verify"] = JsonOf(*verified);
    PrintJson(json);
  } else if (!command.quiet) {
    if (verified) fmt::print("{}", TextOf(*verified));
    if (!verified || verified->pass) {
      fmt::print("{}: {} nodes become {}, {} of {} batch norms folded, {}{}\n",
                 Printable(flags.output), sizes.nodes_before, graph.nodes.size(), norms.folded,
                 norms.total, BytesText(bytes.size()), verified ? ", verified" : "");
    }
  }
  return verified ? StatusOf(*verified) : Status::Ok();
}

}  // namespace

void AddConvert(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(app, command, "convert", "Turn an ONNX network into one .pleat file",
                           "  pleat convert net.onnx -o net.pleat\n"
                           "  pleat convert net.onnx -o net.pleat --verify --report folds.json\n"
                           "  pleat convert net.onnx -o net.pleat --input-shape image:1,3,224,224\n"
                           "Nothing is written when anything fails.");
  verb->add_option("IN", flags->input, "The ONNX file; its folder serves for external data")
      ->required();
  verb->add_option("-o,--output", flags->output, "The .pleat file to write")->required();
  verb->add_option("--report", flags->report, "Write what became of each batch norm, as JSON");
  verb->add_flag("--verify", flags->verify,
                 "Compare with the original network run in double before writing; exit 7 beyond "
                 "1e-4 of max|y|");
  AddShapeFlag(verb, flags->shapes);
  verb->add_flag("--no-fold", flags->no_fold, "Leave every batch norm a step of its own");
  verb->add_option("--stop-after", flags->stop_after, "Stop after the pass of this name");
  verb->add_flag("--dump", flags->dump,
                 "Print the graph after each stage that changed it (stderr)");
  verb->callback(
      [=, &command] { command.run = [=, &command] { return Convert(*flags, command); }; });
}

}  // namespace pleat::tools
