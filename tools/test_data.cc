#include "tools/test_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "converter/tensor_file.h"
#include "tools/inputs.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Result;
using runtime::Tensor;
using runtime::ValueId;

std::string FileOf(const std::string& folder, const char* kind, size_t k) {
  return (std::filesystem::path(folder) / fmt::format("{}_{}.pb", kind, k)).string();
}

// ONNX before 1.13 wrote the answers of its bfloat16 cases as the bits in uint16.
Tensor OfType(const Tensor& tensor, runtime::ElementType wanted) {
  using runtime::ElementType;
  if (wanted != ElementType::kBFloat16 || tensor.element() != ElementType::kUint16) return tensor;
  return Tensor::Borrow(wanted, tensor.shape(), tensor.raw(), std::make_shared<Tensor>(tensor));
}

// kind_0.pb, kind_1.pb ... at the positions of `ids` they belong to; empty tensors where there is
// no file.
Result<std::vector<Tensor>> ReadTensors(const Graph& graph, const std::vector<ValueId>& ids,
                                        const std::string& folder, const char* kind) {
  std::vector<Tensor> tensors(ids.size());
  for (size_t k = 0; std::filesystem::exists(FileOf(folder, kind, k)); ++k) {
    const std::string path = FileOf(folder, kind, k);
    PLEAT_ASSIGN_OR_RETURN(converter::NamedTensor named, converter::ReadTensorFile(path));
    size_t at = k;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (graph.values[static_cast<size_t>(ids[i])].name == named.name) at = i;
    }
    if (at >= ids.size()) {
      return runtime::InvalidArgument(
          fmt::format("{}: the network has only {} {}s", path, ids.size(), kind));
    }
    if (!tensors[at].empty()) {
      return runtime::InvalidArgument(path + ": a second tensor for the same " + kind);
    }
    const runtime::Type& type = graph.values[static_cast<size_t>(ids[at])].type;
    tensors[at] = OfType(named.tensor, type.element);
  }
  return tensors;
}

int SetNumber(const std::string& name) {
  constexpr std::string_view kPrefix = "test_data_set_";
  int number = -1;
  if (!name.starts_with(kPrefix)) return -1;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, number);
  return parsed.ec == std::errc() && parsed.ptr == end ? number : -1;
}

bool Elementwise(const Tolerance& tolerance) { return tolerance.atol || tolerance.rtol; }

}  // namespace

Result<std::vector<std::string>> FindTestSets(const std::string& folder) {
  namespace fs = std::filesystem;
  if (fs::exists(FileOf(folder, "input", 0)) || fs::exists(FileOf(folder, "output", 0))) {
    return std::vector<std::string>{folder};
  }
  std::error_code error;
  std::vector<std::pair<int, std::string>> sets;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const int number = SetNumber(entry.path().filename().string());
    if (number >= 0) sets.emplace_back(number, entry.path().string());
  }
  if (error) return runtime::IoError(folder + ": " + error.message());
  if (sets.empty()) {
    return runtime::IoError(folder + ": neither input_0.pb nor folders test_data_set_K in it");
  }
  std::sort(sets.begin(), sets.end());
  std::vector<std::string> folders;
  for (const auto& [number, path] : sets) folders.push_back(path);
  return folders;
}

Result<TestSetReport> RunTestSet(runtime::Session& session, const std::string& folder,
                                 const Tolerance& tolerance) {
  const Graph& graph = session.model().graph();
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> inputs,
                         ReadTensors(graph, graph.inputs, folder, "input"));
  PLEAT_ASSIGN_OR_RETURN(const std::vector<Tensor> expected,
                         ReadTensors(graph, graph.outputs, folder, "output"));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].empty()) continue;
    return runtime::IoError(fmt::format("{}: no file for input '{}'", folder,
                                        graph.values[static_cast<size_t>(graph.inputs[i])].name));
  }
  PLEAT_RETURN_IF_ERROR(CheckInputs(graph, inputs).In(folder));
  Result<std::vector<Tensor>> got = session.Run(inputs);
  if (!got.ok()) return got.status().In(folder);
  TestSetReport report{folder, {}, true};
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].empty()) continue;
    const std::string& name = graph.values[static_cast<size_t>(graph.outputs[i])].name;
    report.outputs.push_back({name, (*got)[i].type(), Compare((*got)[i], expected[i], tolerance)});
    report.pass = report.pass && report.outputs.back().difference.pass;
  }
  if (report.outputs.empty()) return runtime::IoError(folder + ": no output_K.pb to compare with");
  return report;
}

std::string TextOf(const TestSetReport& report, const Tolerance& tolerance) {
  const std::string passing =
      Elementwise(tolerance) ? "passes at atol (or rtol)" : "passes at bound";
  Table table({"output", "type", "max error", "of max|y|", passing, ""}, "llrrrl");
  for (const OutputDifference& output : report.outputs) {
    const Difference& difference = output.difference;
    std::string error = fmt::format("{:.3g}", difference.max_error);
    std::string scaled = fmt::format("{:.3g}", difference.scaled_error);
    std::string passes = scaled;
    if (!difference.mismatch.empty()) {
      error = difference.mismatch;
      scaled = passes = "";
    } else if (difference.exact) {
      error = fmt::format("{} differ", difference.wrong);
      scaled = passes = "";
    } else if (Elementwise(tolerance)) {
      passes = fmt::format("{:.3g} ({:.3g})", difference.smallest_atol, difference.smallest_rtol);
    }
    table.Add({output.name, TypeText(output.type), error, scaled, passes,
               difference.pass ? "ok" : "BEYOND"});
  }
  return Printable(report.folder) + "\n" + table.Text();
}

Json JsonOf(const TestSetReport& report, const Tolerance& tolerance) {
  Json outputs = Json::array();
  for (const OutputDifference& output : report.outputs) {
    const Difference& difference = output.difference;
    Json json = {{"name", output.name}, {"type", TypeText(output.type)}};
    json.update(JsonOf(difference));
    if (difference.mismatch.empty() && !difference.exact) {
      if (Elementwise(tolerance)) {
        json["smallest_atol"] = difference.smallest_atol;
        json["smallest_rtol"] = difference.smallest_rtol;
      } else {
        json["bound"] = difference.bound;
        json["smallest_bound"] = difference.scaled_error;
      }
    }
    outputs.push_back(std::move(json));
  }
  return {{"folder", report.folder}, {"pass", report.pass}, {"outputs", std::move(outputs)}};
}

}  // namespace pleat::tools
