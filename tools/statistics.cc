// Are the statistics that batch norms were stored with those of the data they meet?
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "converter/emit/statistics.h"
#include "tools/console.h"
#include "tools/network.h"
#include "tools/streams.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using converter::MeasuredNorm;
using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;

// Mean over the channels of the divergence of the normal distributions; half a deviation off is
// 0.125, a deviation of 1.5 times 0.22.
constexpr double kOff = 0.1;
// Numbers of a channel below which a measurement says little.
constexpr int64_t kFew = 100;

struct Flags {
  std::string input, output;
  std::vector<std::string> shapes;
  SessionFlags session;
  InputFlags inputs;
};

struct Row {
  std::string node;
  int64_t numbers = 0;  // measured, per channel
  double divergence = 0, shift = 0, least = 1, most = 1;
  int64_t worst = 0;  // channel

  bool off() const { return !(divergence <= kOff); }
};

Row Compared(const MeasuredNorm& norm, const std::map<std::string, Tensor>& values) {
  const auto numbers = [&](const std::string& name) { return ToDoubles(values.at(name)); };
  const std::vector<double> mean = numbers(norm.mean), variance = numbers(norm.variance);
  const std::vector<double> old_mean = numbers(norm.stored_mean);
  const std::vector<double> old_variance = numbers(norm.stored_variance);
  Row row{.node = norm.node};
  const std::vector<int64_t> shape = ToInt64s(values.at(norm.shape));
  row.numbers = runtime::ElementCount(shape) / std::max<int64_t>(static_cast<int64_t>(mean.size()), 1);
  const double epsilon = norm.epsilon;
  double worst = -1;
  for (size_t c = 0; c < mean.size() && c < old_mean.size() && c < old_variance.size(); ++c) {
    const double spread = old_variance[c] + epsilon, ratio = (variance[c] + epsilon) / spread;
    const double shift = std::abs(mean[c] - old_mean[c]) / std::sqrt(spread);
    double divergence = 0.5 * (ratio + shift * shift - 1 - std::log(ratio));
    if (!std::isfinite(divergence)) divergence = INFINITY;
    row.divergence += divergence / static_cast<double>(mean.size());
    row.shift = std::max(row.shift, shift);
    row.least = c == 0 ? ratio : std::min(row.least, ratio);
    row.most = c == 0 ? ratio : std::max(row.most, ratio);
    if (divergence > worst) row.worst = static_cast<int64_t>(c);
    worst = std::max(worst, divergence);
  }
  return row;
}

std::string TextOf(const std::vector<Row>& rows, const std::vector<std::string>& left) {
  Table table({"batch norm", "numbers", "divergence", "mean off by", "variance x", "worst", ""},
              "lrrrrrl");
  size_t off = 0;
  bool few = false;
  for (const Row& row : rows) {
    off += row.off() ? 1 : 0;
    few = few || row.numbers < kFew;
    table.Add({row.node, std::to_string(row.numbers), fmt::format("{:.3g}", row.divergence),
               fmt::format("{:.3g}", row.shift), fmt::format("{:.3g}-{:.3g}", row.least, row.most),
               std::to_string(row.worst), row.off() ? "OFF" : "ok"});
  }
  std::string text = table.Text();
  text += fmt::format("{} of {} batch norms are off (divergence above {})\n", off, rows.size(), kOff);
  if (few) {
    text += fmt::format("where fewer than {} numbers of a channel were measured, more data says more\n",
                        kFew);
  }
  for (const std::string& node : left) {
    text += fmt::format("not measured: {}, whose statistics are not stored constants\n",
                        Printable(node));
  }
  return text;
}

Json JsonOf(const std::vector<Row>& rows, const std::vector<std::string>& left) {
  Json list = Json::array();
  for (const Row& row : rows) {
    list.push_back({{"node", row.node},
                    {"numbers", row.numbers},
                    {"divergence", row.divergence},
                    {"mean_shift", row.shift},
                    {"variance_ratio_min", row.least},
                    {"variance_ratio_max", row.most},
                    {"worst_channel", row.worst},
                    {"off", row.off()}});
  }
  return {{"version", 1}, {"batch_norms", std::move(list)}, {"not_measured", left}};
}

Result<std::map<std::string, Tensor>> Measure(const Flags& flags,
                                              const converter::Measuring& measuring) {
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  converter::ConvertOptions options{.input_shapes = shapes};
  options.folder = measuring.folder;
  PLEAT_ASSIGN_OR_RETURN(
      Graph graph, converter::ConvertOnnx(std::as_bytes(std::span(measuring.onnx)), options));
  PLEAT_ASSIGN_OR_RETURN(const auto model, runtime::Model::FromGraph(std::move(graph)));
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs,
                         ReadInputs(model->graph(), flags.inputs.inputs, flags.inputs.picture));
  runtime::Session session(model, flags.session.Options());
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> outputs, session.Run(inputs));
  std::map<std::string, Tensor> values;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto id = static_cast<size_t>(model->graph().outputs[i]);
    values.emplace(model->graph().values[id].name, outputs[i]);
  }
  return values;
}

Status CheckFlags(const Flags& flags, const Command& command) {
  if (flags.inputs.inputs.empty()) {
    return runtime::InvalidArgument("give data to measure on with --input");
  }
  if (flags.output.empty()) return Status::Ok();
  if (SameFile(flags.input, flags.output)) {
    return runtime::InvalidArgument("the output " + flags.output + " is the input itself");
  }
  if (!IsStream(flags.output)) return Status::Ok();
  if (command.json) return runtime::InvalidArgument("--json and - would both print on stdout");
  return CheckNoTerminal(flags.output);
}

Status RunStatistics(const Flags& flags, const Command& command) {
  PLEAT_RETURN_IF_ERROR(CheckFlags(flags, command));
  Progress progress(command.quiet);
  progress.Show("reading");
  PLEAT_ASSIGN_OR_RETURN(const converter::Measuring measuring,
                         converter::MeasuringOnnxFile(flags.input));
  progress.Show("measuring");
  PLEAT_ASSIGN_OR_RETURN(const auto values, Measure(flags, measuring));
  std::vector<Row> rows;
  std::map<std::string, converter::Statistics> statistics;
  for (const MeasuredNorm& norm : measuring.norms) {
    rows.push_back(Compared(norm, values));
    statistics[norm.y] = {values.at(norm.mean), values.at(norm.variance)};
  }
  if (!flags.output.empty()) {
    PLEAT_ASSIGN_OR_RETURN(const std::string onnx,
                           converter::WithStatisticsInFile(flags.input, statistics));
    PLEAT_RETURN_IF_ERROR(WriteFileOrStdout(flags.output, std::as_bytes(std::span(onnx))));
  }
  if (command.json) {
    PrintJson(JsonOf(rows, measuring.left));
  } else if (!command.quiet) {
    PrintText(TextOf(rows, measuring.left), IsStream(flags.output) ? stderr : stdout);
  }
  return Status::Ok();
}

}  // namespace

void AddStatistics(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, command, "statistics",
      "Compare the means and variances stored in batch norms with those of data; write them anew",
      "  pleat statistics net.onnx --input data.npz\n"
      "  pleat statistics net.onnx --input a.png --input b.png --resize -o repaired.onnx\n"
      "  pleat statistics net.onnx --input x=data.npy --threads 4 --json\n"
      "Statistics from small batches, or of other data, are OFF: the mean divergence of stored from\n"
      "measured normal distributions is above 0.1. 'mean off by' is in stored deviations, of the\n"
      "worst channel. With -o the measured ones are stored, those of all the data as one batch,\n"
      "each behind the corrected batch norms before it; convert that file then.");
  AddFile(verb, "FILE", flags->input, "An ONNX file");
  verb->add_option("-o,--output", flags->output,
                   "Write the network with measured statistics here, as ONNX; - is stdout");
  AddShapeFlag(verb, flags->shapes);
  AddSessionFlags(verb, flags->session);
  AddInputFlags(verb, flags->inputs);
  verb->callback(
      [=, &command] { command.run = [=, &command] { return RunStatistics(*flags, command); }; });
}

}  // namespace pleat::tools
