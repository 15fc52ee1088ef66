#include <fmt/core.h>

#include <optional>

#include "converter/convert.h"
#include "tools/network.h"
#include "tools/outputs.h"
#include "tools/streams.h"
#include "tools/test_data.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using runtime::Result;
using runtime::Session;
using runtime::Shape;
using runtime::Status;
using runtime::Tensor;

struct Flags {
  std::string path, labels, test_data;
  SessionFlags session;
  InputFlags input;
  OutputOptions output;
  bool in_double = false;
  // Other programs' float32 answers are no better than this where they come from sums near 1, as
  // many a sigmoid's do.
  Tolerance tolerance{.floor = 2.4e-7};
};

Status CheckKernels(const Flags& flags, Session& session, const std::vector<Tensor>& inputs) {
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  PLEAT_ASSIGN_OR_RETURN(const runtime::Plan* plan, session.Prepare(shapes));
  return flags.session.Check(*plan);
}

Status RunOn(Session& session, const std::vector<Tensor>& inputs, const OutputOptions& options,
             const Command& command) {
  const runtime::Graph& graph = session.model().graph();
  PLEAT_RETURN_IF_ERROR(CheckOutputFile(graph, options));
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, session.Run(inputs));
  PLEAT_RETURN_IF_ERROR(WriteOutputs(graph, outputs, options));
  if (IsStream(options.file)) {
    if (!command.quiet) fmt::print(stderr, "{}", OutputsText(graph, outputs, options));
  } else if (command.json) {
    PrintJson(OutputsJson(graph, outputs, options));
  } else if (command.quiet) {
    fmt::print("{}", ClassesText(outputs, options));
  } else {
    fmt::print("{}", OutputsText(graph, outputs, options));
  }
  return Status::Ok();
}

Status RunInputs(const Flags& flags, const Command& command, Session& session) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs,
                         ReadInputs(session.model().graph(), flags.input.inputs,
                                    flags.input.picture));
  PLEAT_RETURN_IF_ERROR(CheckKernels(flags, session, inputs));
  return RunOn(session, inputs, flags.output, command);
}

Status RunTestData(const Flags& flags, const Command& command, Session& session) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::string> folders, FindTestSets(flags.test_data));
  size_t failed = 0;
  Json sets = Json::array();
  Progress progress(command.quiet);
  std::string text;
  for (const std::string& folder : folders) {
    progress.Show(folder);
    PLEAT_ASSIGN_OR_RETURN(const TestSetReport report,
                           RunTestSet(session, folder, flags.tolerance));
    failed += !report.pass;
    sets.push_back(JsonOf(report, flags.tolerance));
    text += TextOf(report, flags.tolerance);
  }
  if (command.json) {
    PrintJson({{"version", 1}, {"pass", failed == 0}, {"test_data", std::move(sets)}});
  } else if (!command.quiet) {
    PrintText(text);
  }
  if (failed == 0) return Status::Ok();
  return {runtime::StatusCode::kVerificationFailed,
          fmt::format("{} of {} test sets are beyond the tolerance", failed, folders.size())};
}

// The oracle: the ONNX network as it was written, nothing folded, every number a double.
Status RunInDouble(const Flags& flags, const Command& command) {
  PLEAT_ASSIGN_OR_RETURN(const bool is_model, IsModelFile(flags.path));
  if (is_model || !flags.test_data.empty()) {
    return runtime::InvalidArgument("--double takes an ONNX file, and no --test-data");
  }
  PLEAT_ASSIGN_OR_RETURN(const runtime::Graph graph, converter::ImportOnnxFile(flags.path, {}));
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs,
                         ReadInputs(graph, flags.input.inputs, flags.input.picture));
  Session::Options options = flags.session.Options();
  options.select.reference = true;
  PLEAT_ASSIGN_OR_RETURN(const auto model, runtime::Model::FromGraph(PromoteToDouble(graph)));
  Session session(model, options);
  std::vector<Tensor> doubles;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto id = static_cast<size_t>(model->graph().inputs[i]);
    doubles.push_back(runtime::Cast(inputs[i], model->graph().values[id].type.element));
  }
  return RunOn(session, doubles, flags.output, command);
}

Status Run(Flags flags, const Command& command) {
  if (!flags.labels.empty()) {
    PLEAT_ASSIGN_OR_RETURN(flags.output.labels, ReadLabels(flags.labels));
    if (flags.output.top == 0) flags.output.top = 1;
  }
  const bool test = !flags.test_data.empty();
  if (IsStream(flags.output.file) && command.json) {
    return runtime::InvalidArgument("--json and -o - would both print on stdout");
  }
  if (test && !flags.output.file.empty()) {
    return runtime::InvalidArgument("--test-data compares: leave -o out");
  }
  if (test && !flags.input.inputs.empty()) {
    return runtime::InvalidArgument("--test-data brings its own inputs: leave --input out");
  }
  if (flags.in_double) return RunInDouble(flags, command);
  PLEAT_ASSIGN_OR_RETURN(const auto model, LoadNetwork(flags.path, {}));
  Session::Options options = flags.session.Options();
  if (!test) options.select.runs = 1;  // test data is for the kernels of many runs
  Session session(model, options);
  return test ? RunTestData(flags, command, session) : RunInputs(flags, command, session);
}

}  // namespace

void AddRun(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, command, "run", "Run a network on files, or on test data with answers",
      "  pleat run net.pleat --input x=x.npy --output-dir out\n"
      "  pleat run net.pleat --input inputs.npz -o outputs.npz\n"
      "  pleat run net.pleat --input - -o - < x.npy > y.npy\n"
      "  pleat run digits.pleat --input seven.png --mean 0.1307 --std 0.3081 --top 3\n"
      "  pleat run net.pleat --input cat.jpg --resize --mean 0.485,0.456,0.406 \\\n"
      "      --std 0.229,0.224,0.225 --top 5 --labels classes.txt\n"
      "  pleat run net.pleat --test-data folder/with/test_data_set_0\n"
      "Pictures: pixels are scaled to 0..1, then (x - mean) / std per channel; a grey input takes\n"
      "grey, another takes RGB. An ONNX file is converted in memory.\n"
      "Test data: every output must be within 1e-4 * max|y| + 2.4e-7, or, with --atol or --rtol,\n"
      "every number within atol + rtol * |y|; integers must be equal. Exit code 7 otherwise.");
  AddFile(verb, "FILE", flags->path, "A .pleat or ONNX file");
  AddInputFlags(verb, flags->input);
  verb->add_option("-o,--output", flags->output.file,
                   "Write the outputs into this file: .npz, or .npy where there is one; - is stdout");
  verb->add_option("--output-dir", flags->output.folder,
                   "Write output_K.npy and outputs.json into this folder");
  verb->add_option("--top", flags->output.top,
                   "Print the K largest classes of each row; with -q nothing else")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_option("--labels", flags->labels, "A file with the name of each class on a line");
  verb->add_option("--test-data", flags->test_data,
                   "A folder of input_K.pb and output_K.pb, or of test_data_set_K folders");
  verb->add_option("--atol", flags->tolerance.atol, "Test data: absolute error let through")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--rtol", flags->tolerance.rtol, "Test data: relative error let through")
      ->check(CLI::NonNegativeNumber);
  verb->add_flag("--double", flags->in_double,
                 "Run an ONNX file as it was written in double precision, slowly: the answers that "
                 "conversion is measured against");
  AddSessionFlags(verb, flags->session);
  verb->callback([=, &command] { command.run = [=, &command] { return Run(*flags, command); }; });
}

}  // namespace pleat::tools
