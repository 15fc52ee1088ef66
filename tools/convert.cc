#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "converter/convert.h"
#include "converter/emit/emit_onnx.h"
#include "runtime/model_file.h"
#include "tools/batch_norms.h"
#include "tools/certificate.h"
#include "tools/certificate_page.h"
#include "tools/console.h"
#include "tools/network.h"
#include "tools/streams.h"
#include "tools/verb.h"
#include "tools/verification.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::InvalidArgument;
using runtime::Result;
using runtime::Status;

struct Flags {
  std::string input, output, onnx, report, stop_after, only_pass;
  std::vector<std::string> shapes;
  converter::TrainingMode training = converter::TrainingMode::kBatch;
  converter::Limits limits;
  bool verify = false, no_fold = false, half_weights = false, dump = false;
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

// Targets that are asked for, each with its name in messages.
std::vector<std::pair<const char*, std::string>> TargetsOf(const Flags& flags) {
  std::vector<std::pair<const char*, std::string>> targets;
  if (!flags.output.empty()) targets.push_back({"output", flags.output});
  if (!flags.onnx.empty()) targets.push_back({"ONNX file", flags.onnx});
  if (!flags.report.empty()) targets.push_back({"report", flags.report});
  return targets;
}

Status CheckPaths(const Flags& flags, const Command& command) {
  const auto targets = TargetsOf(flags);
  if (flags.output.empty() && flags.onnx.empty()) {
    return InvalidArgument("nothing to write: give -o OUT.pleat, --emit-onnx OUT.onnx or both");
  }
  if (flags.half_weights && flags.output.empty()) {
    return InvalidArgument("--half-weights is about the .pleat file: give -o OUT.pleat");
  }
  for (size_t i = 0; i < targets.size(); ++i) {
    const auto& [what, path] = targets[i];
    if (SameFile(flags.input, path)) {
      return InvalidArgument(std::string("the ") + what + " " + path + " is the input itself");
    }
    for (size_t j = 0; j < i; ++j) {
      if (!SameFile(path, targets[j].second)) continue;
      return InvalidArgument(std::string("the ") + what + " " + path + " is the " +
                             targets[j].first + " too");
    }
    if (IsStream(path)) {
      if (command.json) return InvalidArgument("--json and - would both print on stdout");
      if (path != flags.report) PLEAT_RETURN_IF_ERROR(CheckNoTerminal(path));
    } else {
      PLEAT_RETURN_IF_ERROR(CheckTarget(path));
    }
  }
  return Status::Ok();
}

// Writes the files in order, or none of them: what stood at a path comes back when a later one
// cannot be written.
Status WriteAll(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<std::optional<runtime::MappedFile>> before(files.size());
  Status status;
  size_t written = 0;
  while (status.ok() && written < files.size()) {
    const auto& [path, bytes] = files[written];
    if (written + 1 < files.size() && std::filesystem::exists(path)) {
      PLEAT_ASSIGN_OR_RETURN(before[written], runtime::MapFile(path));
    }
    status = WriteFileOrStdout(path, BytesOf(bytes));
    written += status.ok() ? 1 : 0;
  }
  if (status.ok()) return status;
  for (size_t i = 0; i < written; ++i) {
    if (before[i]) {
      static_cast<void>(runtime::WriteFileAtomically(files[i].first, before[i]->bytes));
    } else {
      std::error_code error;
      std::filesystem::remove(files[i].first, error);
    }
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
  options.half_weights = flags.half_weights;
  options.training = flags.training;
  options.limits = flags.limits;
  options.stop_after = flags.stop_after;
  options.only_pass = flags.only_pass;
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

// Products whose weights became float16, and all that have constant weights.
struct Products {
  size_t halved = 0, all = 0;
};
Products CountProducts(const Graph& graph) {
  Products count;
  for (const runtime::Node& node : graph.nodes) {
    for (const Graph& subgraph : node.subgraphs) {
      const Products inside = CountProducts(subgraph);
      count.halved += inside.halved;
      count.all += inside.all;
    }
    const auto* product = node.As<runtime::fb::MatMulT>();
    if (product == nullptr) continue;
    const runtime::Tensor* weights = graph.ConstantOf(node.input(1));
    if (weights == nullptr) continue;
    ++count.all;
    if (weights->element() == runtime::ElementType::kFloat16) ++count.halved;
  }
  return count;
}

// Of the .pleat file; an ONNX file's weights are float32 all the same.
double BoundOf(const Flags& flags) {
  return flags.half_weights ? kHalfWeightsBound : Tolerance().bound;
}

// The bytes to be written against the original network.
Result<VerifyReport> VerifyBytes(const Flags& flags, const std::string& bytes,
                                 const std::map<std::string, runtime::Shape>& shapes,
                                 double bound) {
  PLEAT_ASSIGN_OR_RETURN(const Graph original,
                         converter::ImportOnnxFile(flags.input, {.input_shapes = shapes,
                                                                 .training = flags.training}));
  PLEAT_ASSIGN_OR_RETURN(auto model, runtime::Model::FromBytes(BytesOf(bytes)));
  VerifyOptions options;
  options.shapes = shapes;
  options.tolerance.bound = bound;
  return Verify(original, std::move(model), options);
}

// The report's text: a page for a name that ends in .html, else JSON.
Result<std::string> ReportOf(const Flags& flags, const Graph& graph, const std::string& bytes,
                             const std::map<std::string, runtime::Shape>& shapes) {
  PLEAT_ASSIGN_OR_RETURN(const Graph original,
                         converter::ImportOnnxFile(flags.input, {.input_shapes = shapes,
                                                                 .training = flags.training}));
  PLEAT_ASSIGN_OR_RETURN(Json report,
                         Certificate(flags.input, original, graph, BytesOf(bytes),
                                     {.shapes = shapes,
                                      .training = flags.training,
                                      .fold = !flags.no_fold}));
  report["outputs"] = nullptr;
  if (!flags.output.empty()) {
    const auto check = VerifyBytes(flags, bytes, shapes, BoundOf(flags));
    if (check.ok()) report["outputs"] = JsonOf(*check)["outputs"];
  }
  return flags.report.ends_with(".html") ? CertificatePage(report, original, flags.input)
                                         : JsonText(report);
}

Status Convert(const Flags& flags, const Command& command) {
  PLEAT_RETURN_IF_ERROR(CheckPaths(flags, command));
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  PLEAT_ASSIGN_OR_RETURN(const bool is_model, IsModelFile(flags.input));
  if (is_model) return InvalidArgument(flags.input + " is a .pleat file already");

  Sizes sizes;
  std::string bytes, onnx, report;
  std::vector<VerifyReport> verified;
  Graph graph;
  {
    Progress progress(command.quiet);
    progress.Show("reading " + flags.input);
    PLEAT_ASSIGN_OR_RETURN(
        graph, converter::ConvertOnnxFile(flags.input,
                                          OptionsOf(flags, command, shapes, progress, sizes)));
    bytes = SerializeGraph(graph);
    if (!flags.onnx.empty()) {
      progress.Show("folding into ONNX");
      PLEAT_ASSIGN_OR_RETURN(onnx, converter::EmitOnnxFile(flags.input, {.input_shapes = shapes,
                                                                         .training = flags.training,
                                                                         .fold = !flags.no_fold}));
    }
    if (!flags.report.empty()) {
      progress.Show("measuring each fold against the original network in double");
      const std::string& result = flags.output.empty() ? onnx : bytes;
      PLEAT_ASSIGN_OR_RETURN(report, ReportOf(flags, graph, result, shapes));
    }
    if (flags.verify) progress.Show("verifying against the original network in double");
    if (flags.verify && !flags.output.empty()) {
      PLEAT_ASSIGN_OR_RETURN(VerifyReport check,
                             VerifyBytes(flags, bytes, shapes, BoundOf(flags)));
      verified.push_back(std::move(check));
    }
    if (flags.verify && !flags.onnx.empty()) {
      PLEAT_ASSIGN_OR_RETURN(
          const Graph again,
          converter::ConvertOnnx(BytesOf(onnx), {.input_shapes = shapes,
                                                 .training = flags.training,
                                                 .fold = false}));
      PLEAT_ASSIGN_OR_RETURN(VerifyReport check, VerifyBytes(flags, SerializeGraph(again), shapes,
                                                             Tolerance().bound));
      verified.push_back(std::move(check));
    }
  }
  const bool pass = std::all_of(verified.begin(), verified.end(),
                                [](const VerifyReport& check) { return check.pass; });
  if (pass) {
    std::vector<std::pair<std::string, std::string>> files;
    if (!flags.report.empty()) files.push_back({flags.report, report});
    if (!flags.onnx.empty()) files.push_back({flags.onnx, onnx});
    if (!flags.output.empty()) files.push_back({flags.output, bytes});
    // What is on stdout cannot be taken back.
    std::stable_partition(files.begin(), files.end(),
                          [](const auto& file) { return !IsStream(file.first); });
    PLEAT_RETURN_IF_ERROR(WriteAll(files));
  }

  const BatchNormCount norms = CountBatchNorms(graph);
  const std::string& target = flags.output.empty() ? flags.onnx : flags.output;
  const size_t size = flags.output.empty() ? onnx.size() : bytes.size();
  const Products products = CountProducts(graph);
  if (command.json) {
    Json json = {
        {"version", 1},
        {"input", flags.input},
        {"output", target},
        {"written", pass},
        {"bytes", size},
        {"nodes_before", sizes.nodes_before},
        {"nodes_after", graph.nodes.size()},
        {"batch_norms", {{"total", norms.total}, {"folded", norms.folded}, {"kept", norms.kept}}}};
    if (flags.half_weights) {
      json["half_weights"] = {{"products", products.all}, {"float16", products.halved}};
    }
    if (!flags.onnx.empty()) json["onnx"] = flags.onnx;
    if (!verified.empty()) json["verify"] = JsonOf(verified.front());
    if (verified.size() > 1) json["verify_onnx"] = JsonOf(verified.back());
    PrintJson(json);
  } else if (!command.quiet) {
    const auto targets = TargetsOf(flags);
    const bool taken = std::any_of(targets.begin(), targets.end(),
                                   [](const auto& target) { return IsStream(target.second); });
    std::FILE* to = taken ? stderr : stdout;
    for (const VerifyReport& check : verified) PrintText(TextOf(check), to);
    if (pass) {
      fmt::print(to, "{}: {} nodes become {}, {} of {} batch norms folded, {}{}\n", Printable(target),
                 sizes.nodes_before, graph.nodes.size(), norms.folded, norms.total, BytesText(size),
                 verified.empty() ? "" : ", verified");
    }
    if (pass && flags.half_weights) {
      fmt::print(to, "weights of {} of {} matrix products are float16\n", products.halved,
                 products.all);
    }
    if (pass && !flags.onnx.empty() && !flags.output.empty()) {
      fmt::print(to, "{}: the same folded, as ONNX, {}\n", Printable(flags.onnx),
                 BytesText(onnx.size()));
    }
  }
  for (const VerifyReport& check : verified) PLEAT_RETURN_IF_ERROR(StatusOf(check));
  return Status::Ok();
}

}  // namespace

void AddConvert(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(app, command, "convert", "Turn an ONNX network into one .pleat file",
                           "  pleat convert net.onnx -o net.pleat\n"
                           "  pleat convert net.onnx -o net.pleat --verify --report folds.json\n"
                           "  pleat convert net.onnx -o net.pleat --input-shape image:1,3,224,224\n"
                           "  pleat convert net.onnx -o net.pleat --half-weights --verify\n"
                           "  pleat convert net.onnx --emit-onnx folded.onnx\n"
                           "  curl -s https://example.org/net.onnx | pleat convert - -o - > net.pleat\n"
                           "Nothing is written when anything fails.");
  AddFile(verb, "IN", flags->input, "The ONNX file; its folder serves for external data");
  verb->add_option("-o,--output", flags->output, "The .pleat file to write; - is stdout");
  verb->add_option("--emit-onnx", flags->onnx,
                   "Write the network with its batch norms folded as ONNX, for other runtimes");
  verb->add_option(
      "--report", flags->report,
      "Write what became of each batch norm, with formula, ranges and measured error: JSON, "
      "or a page to read where the name ends in .html");
  verb->add_flag("--verify", flags->verify,
                 "Compare with the original network run in double before writing; exit 7 beyond "
                 "1e-4 of max|y|, with --half-weights 2e-3");
  AddShapeFlag(verb, flags->shapes);
  AddTrainingFlag(verb, flags->training);
  verb->add_flag("--no-fold", flags->no_fold, "Leave every batch norm a step of its own");
  verb->add_flag("--half-weights", flags->half_weights,
                 "Keep the weights of fully connected layers as float16, half as long and faster "
                 "to read, where no output's weights lose more than rounding to 11 bits takes");
  verb->add_option("--max-file-bytes", flags->limits.file_bytes,
                   "Refuse a larger ONNX file before it is read, exit 6")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--max-nodes", flags->limits.nodes,
                   "Refuse more nodes, with calls of functions expanded, exit 6")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  verb->add_option("--max-memory-bytes", flags->limits.memory_bytes,
                   "Refuse a network whose tensors would take more while it is converted, exit 6; "
                   "else 4 GiB and 8 for each byte read")
      ->check(CLI::PositiveNumber);
  verb->add_option("--stop-after", flags->stop_after, "Stop after the pass of this name");
  verb->add_option("--only-pass", flags->only_pass, "Run the pass of this name alone");
  verb->add_flag("--dump", flags->dump,
                 "Print the graph after each stage that changed it (stderr)");
  verb->callback(
      [=, &command] { command.run = [=, &command] { return Convert(*flags, command); }; });
}

}  // namespace pleat::tools
