#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kernels/fma_peak.h"
#include "tools/candidates.h"
#include "tools/console.h"
#include "tools/network.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Plan;
using runtime::Result;
using runtime::Session;
using runtime::Shape;
using runtime::Status;
using runtime::Step;
using runtime::Tensor;

struct Flags {
  std::string path;
  std::vector<std::string> shapes;
  SessionFlags session;
  int warmup = 2;
  double min_time = 1;
  bool profile = false, explain = false, peak = false;
};

using Clock = std::chrono::steady_clock;

double MillisecondsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// A step of the plan, or what was left to the run behind the steps.
struct Row {
  const runtime::Node* node;
  const char* kernel_name;
  Shape output;
  double multiply_adds;
  const std::vector<std::string>* refusals;  // null of what was left to the run
};

struct Measured {
  double load_ms = 0, prepare_ms = 0, first_run_ms = 0;
  std::vector<double> runs_ms;                    // sorted
  std::vector<Row> rows;
  std::vector<std::vector<double>> row_seconds;  // of each profiled run
  std::vector<StepCandidates> candidates;        // of the plan's steps, with --explain
  std::vector<Shape> input_shapes;
  std::vector<std::string> assumed;
  const Plan* plan = nullptr;
  size_t weights_bytes = 0, deferred_bytes = 0;
  double multiply_adds = 0;
  double peak_gflops = 0;  // what multiply-adds alone reach on these threads

  // The smallest time that `part` of all runs do not exceed.
  double Quantile(double part) const {
    const double rank = std::ceil(part * static_cast<double>(runs_ms.size()));
    return runs_ms[static_cast<size_t>(std::max(rank, 1.0)) - 1];
  }
  double Median() const {
    const size_t n = runs_ms.size();
    return n % 2 ? runs_ms[n / 2] : (runs_ms[n / 2 - 1] + runs_ms[n / 2]) / 2;
  }
};

constexpr size_t kFewestRuns = 5;

Status MeasureRuns(const Flags& flags, const Command& command, Session& session,
                   const std::vector<Tensor>& inputs, Measured& measured) {
  Progress progress(command.quiet);
  progress.Show("warming up");
  for (int i = 0; i < flags.warmup; ++i) {
    PLEAT_RETURN_IF_ERROR(session.Run(inputs).status());
  }
  progress.Show("measuring");
  const Clock::time_point start = Clock::now();
  while (measured.runs_ms.size() < kFewestRuns ||
         MillisecondsSince(start) < flags.min_time * 1000) {
    const Clock::time_point begin = Clock::now();
    PLEAT_RETURN_IF_ERROR(session.Run(inputs).status());
    measured.runs_ms.push_back(MillisecondsSince(begin));
  }
  std::sort(measured.runs_ms.begin(), measured.runs_ms.end());
  if (!flags.profile) return Status::Ok();
  progress.Show("profiling");
  session.Profile([&measured](size_t step, double seconds) {
    measured.row_seconds[step].push_back(seconds);
  });
  const size_t profiled_runs = std::clamp<size_t>(measured.runs_ms.size() / 2, 1, 100);
  for (size_t i = 0; i < profiled_runs; ++i) {
    PLEAT_RETURN_IF_ERROR(session.Run(inputs).status());
  }
  session.Profile(nullptr);
  return Status::Ok();
}

size_t PeakRssKilobytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss);
}

double PeakGflops(int threads) {
  kernels::ThreadPool pool(threads);
  return kernels::MeasureFmaPeak(pool) * 1e-9;
}

// Medians over the profiled runs, but for the shortest time.
struct StepTime {
  double ms = 0, min_ms = 0, percent = 0, gflops = 0;
};

std::vector<StepTime> StepTimes(const Measured& measured) {
  std::vector<StepTime> times(measured.rows.size());
  double total = 0;
  for (size_t i = 0; i < times.size(); ++i) {
    std::vector<double> seconds = measured.row_seconds[i];
    if (seconds.empty()) continue;
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    times[i].ms = *middle * 1000;
    times[i].min_ms = *std::min_element(seconds.begin(), seconds.end()) * 1000;
    total += times[i].ms;
    if (*middle > 0) times[i].gflops = 2e-9 * measured.rows[i].multiply_adds / *middle;
  }
  for (StepTime& time : times) time.percent = total > 0 ? 100 * time.ms / total : 0;
  return times;
}

std::vector<Row> RowsOf(const Graph& graph, const Plan& plan,
                        std::span<const runtime::DeferredStep> deferred) {
  std::vector<Row> rows;
  for (const Step& step : plan.steps) {
    Shape output;
    if (!step.outputs.empty()) output = plan.types[static_cast<size_t>(step.outputs[0])].shape;
    rows.push_back({&graph.nodes[static_cast<size_t>(step.node)], step.kernel_name, output,
                    step.multiply_adds, &step.refusals});
  }
  for (const runtime::DeferredStep& step : deferred) {
    rows.push_back({&graph.nodes[static_cast<size_t>(step.node)], step.kernel_name,
                    step.output.shape, step.multiply_adds, nullptr});
  }
  return rows;
}

Json CandidatesJson(const StepCandidates& candidates) {
  Json list = Json::array();
  for (const CandidateTime& candidate : candidates) {
    Json item = {{"name", candidate.name}, {"chosen", candidate.chosen}};
    if (!candidate.refusal.empty()) {
      item["refused"] = candidate.refusal;
    } else if (!candidate.not_measured.empty()) {
      item["not_measured"] = candidate.not_measured;
    } else {
      item["ms"] = candidate.ms;
      item["min_ms"] = candidate.min_ms;
    }
    list.push_back(std::move(item));
  }
  return list;
}

Json BenchJson(const Flags& flags, const Measured& measured) {
  const Plan& plan = *measured.plan;
  Json json = {{"version", 1},
               {"file", flags.path},
               {"threads", flags.session.threads},
               {"input_shapes", measured.input_shapes},
               {"assumed", measured.assumed},
               {"runs", measured.runs_ms.size()},
               {"median_ms", measured.Median()},
               {"min_ms", measured.runs_ms.front()},
               {"max_ms", measured.runs_ms.back()},
               {"p90_ms", measured.Quantile(0.9)},
               {"p99_ms", measured.Quantile(0.99)},
               {"load_ms", measured.load_ms},
               {"prepare_ms", measured.prepare_ms},
               {"first_run_ms", measured.first_run_ms},
               {"peak_rss_kb", PeakRssKilobytes()},
               {"arena_bytes", plan.arena_bytes},
               {"deferred_bytes", measured.deferred_bytes},
               {"packed_bytes", plan.packed_bytes},
               {"weights_bytes", measured.weights_bytes},
               {"multiply_adds", measured.multiply_adds},
               {"gflops", 2e-6 * measured.multiply_adds / measured.Median()},
               {"peak_gflops", measured.peak_gflops}};
  if (!flags.profile && !flags.explain) return json;
  const std::vector<StepTime> times = StepTimes(measured);
  if (flags.explain) {
    const Choices choices = CountChoices(measured.candidates);
    json["choices"] = {{"steps", choices.steps}, {"within_10_percent", choices.good}};
  }
  json["steps"] = Json::array();
  for (size_t i = 0; i < measured.rows.size(); ++i) {
    const Row& row = measured.rows[i];
    Json item = {{"node", row.node->name},
                 {"op", row.node->OpName()},
                 {"kernel", row.kernel_name},
                 {"output", row.output},
                 {"multiply_adds", row.multiply_adds},
                 {"deferred", row.refusals == nullptr}};
    if (flags.profile) {
      item["ms"] = times[i].ms;
      item["min_ms"] = times[i].min_ms;
      item["percent"] = times[i].percent;
      item["gflops"] = times[i].gflops;
    }
    if (flags.explain) {
      item["refused"] = row.refusals ? Json(*row.refusals) : Json::array();
      item["candidates"] =
          row.refusals ? CandidatesJson(measured.candidates[i]) : Json(Json::array());
    }
    json["steps"].push_back(std::move(item));
  }
  return json;
}

void PrintSteps(const Flags& flags, const Measured& measured) {
  const std::vector<StepTime> times = StepTimes(measured);
  Table table({"op", "node", "output", "kernel", "ms", "%", "GFLOP/s", "% of peak"},
              "llllrrrr");
  for (size_t i = 0; i < measured.rows.size(); ++i) {
    const Row& row = measured.rows[i];
    const bool counted = flags.profile && row.multiply_adds > 0;
    table.Add(
        {row.node->OpName(), row.node->name, runtime::ShapeText(row.output),
         std::string(row.kernel_name) + (row.refusals == nullptr ? " *" : ""),
         flags.profile ? fmt::format("{:.3f}", times[i].ms) : "",
         flags.profile ? fmt::format("{:.1f}", times[i].percent) : "",
         counted ? fmt::format("{:.1f}", times[i].gflops) : "",
         counted ? fmt::format("{:.0f}", 100 * times[i].gflops / measured.peak_gflops) : ""});
  }
  fmt::print("{}\n", table.Text());
  if (!measured.plan->deferred.empty()) {
    fmt::print("* not planned: sizes or parameters there depend on numbers, or it runs "
               "subgraphs\n\n");
  }
}

void PrintCandidates(const Measured& measured) {
  for (size_t i = 0; i < measured.candidates.size(); ++i) {
    const Row& row = measured.rows[i];
    const StepCandidates& candidates = measured.candidates[i];
    const std::string better =
        IsGoodChoice(candidates) ? "" : ", over 10 % slower than " + BestOf(candidates)->name;
    fmt::print("{} '{}' uses {}{}\n", row.node->OpName(), Printable(row.node->name),
               row.kernel_name, better);
    for (const CandidateTime& candidate : candidates) {
      fmt::print("  {} {}: {}\n", candidate.chosen ? '*' : ' ', candidate.name,
                 candidate.measured() ? fmt::format("{:.4f} ms", candidate.ms)
                 : candidate.refusal.empty() ? "not measured, " + candidate.not_measured
                                             : "refuses, " + candidate.refusal);
    }
  }
  const Choices choices = CountChoices(measured.candidates);
  fmt::print("\nchosen within 10 % of the best: {} of {} steps with a choice\n\n", choices.good,
             choices.steps);
}

void PrintBench(const Flags& flags, const Measured& measured) {
  if (flags.profile || flags.explain) PrintSteps(flags, measured);
  if (flags.explain) PrintCandidates(measured);
  const Plan& plan = *measured.plan;
  fmt::print("median {:.3f} ms over {} runs on {} thread{}\n", measured.Median(),
             measured.runs_ms.size(), flags.session.threads,
             flags.session.threads == 1 ? "" : "s");
  fmt::print("min {:.3f}, p90 {:.3f}, p99 {:.3f}, max {:.3f} ms\n", measured.runs_ms.front(),
             measured.Quantile(0.9), measured.Quantile(0.99), measured.runs_ms.back());
  fmt::print("load {:.3f} ms, prepare {:.3f} ms, first run {:.3f} ms\n", measured.load_ms,
             measured.prepare_ms, measured.first_run_ms);
  fmt::print("weights {}, packed besides {}, arena {}, peak memory of the process {}\n",
             BytesText(measured.weights_bytes), BytesText(plan.packed_bytes),
             BytesText(plan.arena_bytes), BytesText(PeakRssKilobytes() * 1024));
  if (!plan.deferred.empty()) {
    fmt::print("{} of {} nodes are not planned, as sizes or parameters depend on numbers there or "
               "they run subgraphs; they need {} besides the arena\n",
               plan.deferred.size(), measured.rows.size(), BytesText(measured.deferred_bytes));
  }
  if (measured.multiply_adds > 0) {
    const double gflops = 2e-6 * measured.multiply_adds / measured.Median();
    fmt::print("{:.1f} million multiply-adds, {:.1f} GFLOP/s, {:.0f} % of the {:.1f} that "
               "multiply-adds alone reach\n",
               measured.multiply_adds * 1e-6, gflops, 100 * gflops / measured.peak_gflops,
               measured.peak_gflops);
  }
}

Status BenchPeak(const Flags& flags, const Command& command) {
  const double gflops = PeakGflops(flags.session.threads);
  if (command.json) {
    PrintJson({{"version", 1}, {"threads", flags.session.threads}, {"peak_gflops", gflops}});
  } else {
    fmt::print("{:.1f} GFLOP/s\n", gflops);
  }
  return Status::Ok();
}

Status Bench(const Flags& flags, const Command& command) {
  if (flags.peak) return BenchPeak(flags, command);
  if (flags.path.empty()) return runtime::InvalidArgument("FILE is required, or --peak");
  PLEAT_ASSIGN_OR_RETURN(const auto shapes, ParseShapes(flags.shapes));
  Measured measured;
  const Clock::time_point start = Clock::now();
  PLEAT_ASSIGN_OR_RETURN(const auto model, LoadNetwork(flags.path, shapes));
  measured.load_ms = MillisecondsSince(start);
  measured.weights_bytes = model->weight_bytes();

  Session session(model, flags.session.Options());
  const Clock::time_point prepare = Clock::now();
  PLEAT_ASSIGN_OR_RETURN(measured.input_shapes,
                         ChooseRunnableShapes(session, shapes, &measured.assumed));
  measured.prepare_ms = MillisecondsSince(prepare);
  PLEAT_ASSIGN_OR_RETURN(measured.plan, session.Prepare(measured.input_shapes));
  PLEAT_RETURN_IF_ERROR(flags.session.Check(*measured.plan));
  measured.row_seconds.resize(measured.plan->steps.size() + measured.plan->deferred.size());
  const std::vector<Tensor> inputs = RandomInputs(model->graph(), measured.input_shapes, 1);
  const Clock::time_point first = Clock::now();
  PLEAT_RETURN_IF_ERROR(session.Run(inputs).status());
  measured.first_run_ms = MillisecondsSince(first);
  PLEAT_RETURN_IF_ERROR(MeasureRuns(flags, command, session, inputs, measured));
  measured.peak_gflops = PeakGflops(flags.session.threads);
  PLEAT_ASSIGN_OR_RETURN(measured.plan, session.Prepare(measured.input_shapes));
  measured.rows = RowsOf(model->graph(), *measured.plan, session.Deferred());
  measured.deferred_bytes = session.deferred_bytes();
  for (const Row& row : measured.rows) measured.multiply_adds += row.multiply_adds;
  if (flags.explain) {
    Progress progress(command.quiet);
    progress.Show("measuring candidates");
    PLEAT_ASSIGN_OR_RETURN(
        measured.candidates,
        MeasureCandidates(model->graph(), *measured.plan, flags.session.Options(), flags.min_time));
  }

  if (command.json) {
    PrintJson(BenchJson(flags, measured));
    return Status::Ok();
  }
  for (const std::string& line : measured.assumed) fmt::print("{}\n", Printable(line));
  PrintBench(flags, measured);
  return Status::Ok();
}

}  // namespace

void AddBench(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb =
      AddVerb(app, command, "bench", "Measure how fast a network runs, and where the time goes",
              "  pleat bench net.pleat --threads 4\n"
              "  pleat bench net.pleat --profile --input-shape image:8,3,224,224\n"
              "  pleat bench net.pleat --explain --json\n"
              "load: reading the file (for ONNX, converting it too); prepare: choosing kernels and "
              "packing\n"
              "weights; first run: the one after. All other times are of runs after the warm-up.");
  AddFile(verb, "FILE", flags->path, "A .pleat or ONNX file")->required(false);
  AddSessionFlags(verb, flags->session);
  verb->add_option("--warmup", flags->warmup, "Runs before measuring")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  verb->add_option("--min-time", flags->min_time, "Seconds to measure for, at least five runs")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  verb->add_flag("--profile", flags->profile,
                 "Show every step: kernel, time, share, GFLOP/s, and their part of the peak");
  verb->add_flag("--peak", flags->peak,
                 "Measure nothing but the peak: multiply-adds in registers, on all threads");
  verb->add_flag("--explain", flags->explain,
                 "Show for every step its candidate kernels: the time of each, or why it refuses");
  AddShapeFlag(verb, flags->shapes);
  verb->callback([=, &command] { command.run = [=, &command] { return Bench(*flags, command); }; });
}

}  // namespace pleat::tools
