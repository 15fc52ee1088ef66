#include "tools/conformance_case.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "converter/convert.h"
#include "converter/operators.h"
#include "runtime/model_file.h"
#include "tools/inputs.h"

namespace pleat::tools {
namespace {

namespace fs = std::filesystem;
using runtime::Result;
using runtime::Status;

// The model beside the test data of a folder; empty when it is no case.
Result<std::string> ModelIn(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> models;
  bool has_data = false;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("test_data_set_")) has_data = true;
    if (name == "model.onnx") models.insert(models.begin(), entry.path().string());
    if (name != "model.onnx" && name.ends_with(".onnx")) models.push_back(entry.path().string());
  }
  if (error) return runtime::IoError(folder.string() + ": " + error.message());
  if (!has_data || models.empty()) return std::string();
  const bool plain = fs::path(models[0]).filename() == "model.onnx";
  return plain || models.size() == 1 ? models[0] : std::string();
}

Status AddCase(const fs::path& folder, const fs::path& root, std::vector<ConformanceCase>* cases) {
  PLEAT_ASSIGN_OR_RETURN(const std::string model, ModelIn(folder));
  if (model.empty()) return Status::Ok();
  fs::path name = folder == root ? fs::absolute(folder).lexically_normal() : folder;
  if (folder == root) {
    name = name.has_filename() ? name.filename() : name.parent_path().filename();
  } else {
    name = folder.lexically_relative(root);
  }
  cases->push_back({name.string(), folder.string(), model});
  return Status::Ok();
}

std::string TextOf(const OutputDifference& output) {
  const Difference& difference = output.difference;
  if (!difference.mismatch.empty()) {
    return fmt::format("output '{}' {}", output.name, difference.mismatch);
  }
  return fmt::format("output '{}': {} elements are wrong; at {} it is {:.9g}, expected {:.9g}",
                     output.name, difference.wrong, difference.worst, difference.worst_got,
                     difference.worst_expected);
}

// ONNX lets a case state its own tolerance in data.json. A Fourier transform's rounding goes with its
// largest number: ONNX's own answers have 1.9e-7 beside 54 where the exact one is 0, so that only
// what is beyond half a unit in the last place of the largest counts.
Tolerance ToleranceOf(const ConformanceCase& test, const std::vector<std::string>& operators,
                      Tolerance tolerance) {
  for (const std::string& op : operators) {
    if (op == "DFT" || op == "STFT") tolerance.noise = std::ldexp(1, -24);
  }
  std::ifstream file(fs::path(test.folder) / "data.json");
  const Json json = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return tolerance;
  const auto read = [&](const char* name, std::optional<double>* value) {
    if (json.contains(name) && json[name].is_number()) *value = json[name].get<double>();
  };
  read("rtol", &tolerance.rtol);
  read("atol", &tolerance.atol);
  return tolerance;
}

// Empty when every output of every set is right.
Result<std::string> RunSets(const ConformanceCase& test, const Tolerance& tolerance,
                            const runtime::Session::Options& options,
                            const runtime::Graph& graph) {
  const std::string file = runtime::SerializeGraph(graph);
  PLEAT_ASSIGN_OR_RETURN(const auto model,
                         runtime::Model::FromBytes(std::as_bytes(std::span(file))));
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::string> sets, FindTestSets(test.folder));
  runtime::Session session(model, options);
  for (const std::string& set : sets) {
    PLEAT_ASSIGN_OR_RETURN(const TestSetReport report, RunTestSet(session, set, tolerance));
    if (report.outputs.size() < graph.outputs.size()) {
      return fmt::format("{} of {} outputs have an answer to compare with", report.outputs.size(),
                         graph.outputs.size());
    }
    for (const OutputDifference& output : report.outputs) {
      if (!output.difference.pass) return TextOf(output);
    }
  }
  return std::string();
}

}  // namespace

const char* CaseStatusName(CaseStatus status) {
  constexpr const char* kNames[] = {"passed", "failed", "unsupported"};
  return kNames[static_cast<int>(status)];
}

Result<std::vector<ConformanceCase>> FindCases(const std::string& folder) {
  std::error_code error;
  std::vector<ConformanceCase> cases;
  if (!fs::is_directory(folder)) return runtime::IoError(folder + " is not a folder");
  PLEAT_RETURN_IF_ERROR(AddCase(folder, folder, &cases));
  for (auto entry = fs::recursive_directory_iterator(folder, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (!entry->is_directory()) continue;
    if (entry->path().filename().string().starts_with("test_data_set_")) {
      entry.disable_recursion_pending();
      continue;
    }
    PLEAT_RETURN_IF_ERROR(AddCase(entry->path(), folder, &cases));
  }
  if (error) return runtime::IoError(folder + ": " + error.message());
  if (cases.empty()) {
    return runtime::IoError(folder + ": no folder with model.onnx and test_data_set_K in it");
  }
  std::sort(cases.begin(), cases.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return cases;
}

CaseResult RunCase(const ConformanceCase& test, const Tolerance& tolerance,
                   const runtime::Session::Options& options) {
  CaseResult result;
  if (auto operators = converter::OperatorsOf(test.model); operators.ok()) {
    result.operators = std::move(*operators);
  }
  const Result<runtime::Graph> graph = converter::ConvertOnnxFile(test.model, {});
  if (!graph.ok()) {
    if (converter::IsListedRefusal(graph.status())) result.status = CaseStatus::kUnsupported;
    result.reason = graph.status().message();
    return result;
  }
  const Result<std::string> wrong =
      RunSets(test, ToleranceOf(test, result.operators, tolerance), options, *graph);
  result.reason = wrong.ok() ? *wrong : wrong.status().message();
  if (!wrong.ok() && wrong.status().rule() == std::string_view(kInputTypeRule)) {
    result.status = CaseStatus::kUnsupported;
    result.reason = "its data contradict the inputs it declares: " + result.reason;
  }
  if (result.reason.empty()) result.status = CaseStatus::kPassed;
  return result;
}

}  // namespace pleat::tools
