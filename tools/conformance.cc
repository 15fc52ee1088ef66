#include <fmt/core.h>

#include <map>
#include <string>

#include "tools/conformance_process.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using runtime::Status;

struct Flags {
  std::string folder;
  Tolerance tolerance = kOnnxTolerance;
  double seconds = 60;
  SessionFlags session;
};

struct Counts {
  size_t of[3] = {0, 0, 0};
  size_t& operator[](CaseStatus status) { return of[static_cast<size_t>(status)]; }
  size_t operator[](CaseStatus status) const { return of[static_cast<size_t>(status)]; }
};

Json JsonOf(const std::vector<ConformanceCase>& cases, const std::vector<CaseResult>& results,
            const Counts& total) {
  Json list = Json::array();
  for (size_t i = 0; i < cases.size(); ++i) {
    list.push_back({{"name", cases[i].name},
                    {"status", CaseStatusName(results[i].status)},
                    {"reason", TextOrNull(results[i].reason)},
                    {"operators", results[i].operators}});
  }
  return {{"version", 1},
          {"passed", total[CaseStatus::kPassed]},
          {"failed", total[CaseStatus::kFailed]},
          {"unsupported", total[CaseStatus::kUnsupported]},
          {"cases", std::move(list)}};
}

// A case counts once for each operator it holds.
std::string OperatorsText(const std::vector<CaseResult>& results) {
  std::map<std::string, Counts> by_operator;
  for (const CaseResult& result : results) {
    for (const std::string& op : result.operators) ++by_operator[op][result.status];
  }
  Table table({"operator", "passed", "failed", "unsupported"}, "lrrr");
  for (const auto& [op, counts] : by_operator) {
    table.Add({Printable(op), std::to_string(counts.of[0]), std::to_string(counts.of[1]),
               std::to_string(counts.of[2])});
  }
  return table.Text();
}

std::string CasesText(const std::vector<ConformanceCase>& cases,
                      const std::vector<CaseResult>& results, CaseStatus status) {
  std::string text;
  for (size_t i = 0; i < cases.size(); ++i) {
    if (results[i].status != status) continue;
    text += fmt::format("{} {}: {}\n", CaseStatusName(status), Printable(cases[i].name),
                        Printable(results[i].reason));
  }
  return text;
}

Status Conform(const Flags& flags, const Command& command) {
  PLEAT_ASSIGN_OR_RETURN(const auto cases, FindCases(flags.folder));
  std::vector<CaseResult> results(cases.size());
  Counts total;
  Progress progress(command.quiet || command.json);
  PLEAT_RETURN_IF_ERROR(RunIsolated(
      cases.size(), flags.seconds,
      [&](size_t i) { return RunCase(cases[i], flags.tolerance, flags.session.Options()); },
      [&](size_t i, CaseResult result) {
        ++total[result.status];
        results[i] = std::move(result);
        if (i + 1 < cases.size()) progress.Show(cases[i + 1].name);
      }));
  const size_t failed = total[CaseStatus::kFailed];
  if (command.json) {
    PrintJson(JsonOf(cases, results, total));
  } else if (!command.quiet) {
    std::string text = OperatorsText(results) + "\n";
    text += CasesText(cases, results, CaseStatus::kUnsupported);
    text += CasesText(cases, results, CaseStatus::kFailed);
    fmt::print("{}{} passed, {} failed, {} unsupported\n", text, total[CaseStatus::kPassed], failed,
               total[CaseStatus::kUnsupported]);
  }
  if (failed == 0) return Status::Ok();
  return {runtime::StatusCode::kVerificationFailed,
          fmt::format("{} of {} cases failed", failed, cases.size())};
}

}  // namespace

void AddConformance(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, command, "conformance", "Run a folder of test cases in ONNX's layout",
      "  pleat conformance /usr/share/libonnx-testdata/data/node\n"
      "  pleat conformance --json my/networks\n"
      "A case is a folder at any depth with model.onnx and test_data_set_K beside it. It passes\n"
      "when type and shape of every output are right, integers are equal and floats are within\n"
      "atol + rtol * |y|, rtol being at least two units in the last place of bfloat16. It is\n"
      "unsupported when the converter refuses it for an operator or a type that is on its list\n"
      "(exit code 4 of `convert`); a crash, a throw or no result in time is a failure like any\n"
      "other. Exit code 7 when a case failed.");
  verb->add_option("DIR", flags->folder, "The folder")->required();
  verb->add_option("--atol", flags->tolerance.atol, "Absolute error let through")
      ->check(CLI::NonNegativeNumber)
      ->default_str("1e-7");
  verb->add_option("--rtol", flags->tolerance.rtol, "Relative error let through")
      ->check(CLI::NonNegativeNumber)
      ->default_str("1e-3");
  verb->add_option("--timeout", flags->seconds, "Seconds for each case")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  AddSessionFlags(verb, flags->session);
  verb->callback(
      [=, &command] { command.run = [=, &command] { return Conform(*flags, command); }; });
}

}  // namespace pleat::tools
