#include "tools/outputs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "runtime/model_file.h"
#include "tools/npy.h"
#include "tools/npz.h"
#include "tools/streams.h"

namespace pleat::tools {
namespace {

using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;

const std::string& NameOf(const Graph& graph, size_t output) {
  return graph.values[static_cast<size_t>(graph.outputs[output])].name;
}

std::string FileName(size_t output) { return fmt::format("output_{}.npy", output); }

std::string LabelOf(const OutputOptions& options, int64_t index) {
  const auto i = static_cast<size_t>(index);
  return i < options.labels.size() ? options.labels[i] : "";
}

bool HasRows(const Tensor& tensor) { return !tensor.shape().empty() && tensor.count() > 0; }

Json TopJson(const Tensor& tensor, const OutputOptions& options) {
  Json rows = Json::array();
  for (const auto& row : TopClasses(tensor, options.top)) {
    Json classes = Json::array();
    for (const ClassScore& best : row) {
      classes.push_back({{"index", best.index},
                         {"label", TextOrNull(LabelOf(options, best.index))},
                         {"score", best.score}});
    }
    rows.push_back(std::move(classes));
  }
  return rows;
}

// What one call of WriteOutputs has made, undone unless kept.
class Written {
 public:
  ~Written() {
    std::error_code error;
    for (const std::filesystem::path& path : files_) std::filesystem::remove(path, error);
    if (!folder_.empty()) std::filesystem::remove(folder_, error);
  }
  Status MakeFolder(const std::string& folder) {
    std::error_code error;
    if (std::filesystem::create_directory(folder, error)) folder_ = folder;
    if (error) return runtime::IoError(folder + ": cannot create: " + error.message());
    return Status::Ok();
  }
  Status Write(const std::filesystem::path& path, const std::string& bytes) {
    const bool is_new = !std::filesystem::exists(path);
    PLEAT_RETURN_IF_ERROR(
        runtime::WriteFileAtomically(path.string(), std::as_bytes(std::span(bytes))));
    if (is_new) files_.push_back(path);
    return Status::Ok();
  }
  void Keep() {
    files_.clear();
    folder_.clear();
  }

 private:
  std::vector<std::filesystem::path> files_;
  std::filesystem::path folder_;
};

bool IsArchive(const Graph& graph, const OutputOptions& options) {
  return IsStream(options.file) ? graph.outputs.size() > 1 : options.file.ends_with(".npz");
}

Status WriteOutputFile(const Graph& graph, const std::vector<Tensor>& outputs,
                       const OutputOptions& options) {
  if (options.file.empty()) return Status::Ok();
  std::string bytes;
  if (IsArchive(graph, options)) {
    std::vector<NamedArray> arrays;
    for (size_t i = 0; i < outputs.size(); ++i) arrays.push_back({NameOf(graph, i), outputs[i]});
    PLEAT_ASSIGN_OR_RETURN(bytes, SerializeNpz(arrays));
  } else {
    bytes = SerializeNpy(outputs[0]);
  }
  return WriteFileOrStdout(options.file, std::as_bytes(std::span(bytes)));
}

}  // namespace

Status CheckOutputFile(const Graph& graph, const OutputOptions& options) {
  PLEAT_RETURN_IF_ERROR(CheckNoTerminal(options.file));
  if (options.file.empty() || IsArchive(graph, options)) return Status::Ok();
  if (!IsStream(options.file) && !options.file.ends_with(".npy")) {
    return runtime::InvalidArgument(options.file + ": expected a name that ends in .npy or .npz");
  }
  if (graph.outputs.size() == 1) return Status::Ok();
  return runtime::InvalidArgument(options.file + ": a .npy file holds one array, but there are " +
                                  std::to_string(graph.outputs.size()) +
                                  " outputs; a name that ends in .npz takes them all");
}

Result<std::vector<std::string>> ReadLabels(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  const std::string_view text(reinterpret_cast<const char*>(file.bytes.data()), file.bytes.size());
  std::vector<std::string> labels;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    labels.emplace_back(text.substr(begin, end - begin));
    if (labels.back().ends_with('\r')) labels.back().pop_back();
    begin = end + 1;
  }
  return labels;
}

std::vector<std::vector<ClassScore>> TopClasses(const Tensor& tensor, int top) {
  if (!HasRows(tensor) || top <= 0) return {};
  const std::vector<double> values = ToDoubles(tensor);
  const size_t rows = tensor.shape().size() == 1 ? 1 : static_cast<size_t>(tensor.shape()[0]);
  const size_t classes = values.size() / rows;
  const size_t wanted = std::min(classes, static_cast<size_t>(top));
  std::vector<std::vector<ClassScore>> result;
  std::vector<size_t> order(classes);
  for (size_t row = 0; row < rows; ++row) {
    const double* scores = &values[row * classes];
    std::iota(order.begin(), order.end(), size_t{0});
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(wanted), order.end(),
                      [&](size_t a, size_t b) {
                        if (std::isnan(scores[a]) != std::isnan(scores[b])) {
                          return std::isnan(scores[b]);
                        }
                        return scores[a] > scores[b] || (!(scores[b] > scores[a]) && a < b);
                      });
    std::vector<ClassScore> best;
    for (size_t i = 0; i < wanted; ++i) {
      best.push_back({static_cast<int64_t>(order[i]), scores[order[i]]});
    }
    result.push_back(std::move(best));
  }
  return result;
}

Json OutputsJson(const Graph& graph, const std::vector<Tensor>& outputs,
                 const OutputOptions& options) {
  Json list = Json::array();
  for (size_t i = 0; i < outputs.size(); ++i) {
    Json json = {{"name", NameOf(graph, i)},
                 {"type", kernels::ElementName(outputs[i].element())},
                 {"shape", outputs[i].shape()}};
    if (!options.folder.empty()) json["file"] = FileName(i);
    if (options.top > 0) json["top"] = TopJson(outputs[i], options);
    list.push_back(std::move(json));
  }
  return {{"version", 1}, {"outputs", std::move(list)}};
}

std::string OutputsText(const Graph& graph, const std::vector<Tensor>& outputs,
                        const OutputOptions& options) {
  Table table({"output", "type", "file"}, "lll");
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string file = options.folder.empty()
                                 ? ""
                                 : (std::filesystem::path(options.folder) / FileName(i)).string();
    table.Add({NameOf(graph, i), TypeText(outputs[i].type()), file});
  }
  std::string text = table.Text();
  for (size_t i = 0; options.top > 0 && i < outputs.size(); ++i) {
    Table best({"row", "class", "label", "score"}, "rrlr");
    const auto rows = TopClasses(outputs[i], options.top);
    for (size_t row = 0; row < rows.size(); ++row) {
      for (const ClassScore& score : rows[row]) {
        best.Add({std::to_string(row), std::to_string(score.index), LabelOf(options, score.index),
                  fmt::format("{:.6g}", score.score)});
      }
    }
    text +=
        fmt::format("\n{}: the best {}\n", Printable(NameOf(graph, i)), options.top) + best.Text();
  }
  return text;
}

std::string ClassesText(const std::vector<Tensor>& outputs, const OutputOptions& options) {
  std::string text;
  for (const Tensor& output : outputs) {
    for (const auto& row : TopClasses(output, options.top)) {
      for (size_t i = 0; i < row.size(); ++i) {
        const std::string label = LabelOf(options, row[i].index);
        text += (i == 0 ? "" : " ") + (label.empty() ? std::to_string(row[i].index) : label);
      }
      text += "\n";
    }
  }
  return text;
}

Status WriteOutputs(const Graph& graph, const std::vector<Tensor>& outputs,
                    const OutputOptions& options) {
  if (options.folder.empty()) return WriteOutputFile(graph, outputs, options);
  Written written;
  const std::filesystem::path folder = options.folder;
  PLEAT_RETURN_IF_ERROR(written.MakeFolder(options.folder));
  for (size_t i = 0; i < outputs.size(); ++i) {
    PLEAT_RETURN_IF_ERROR(written.Write(folder / FileName(i), SerializeNpy(outputs[i])));
  }
  PLEAT_RETURN_IF_ERROR(
      written.Write(folder / "outputs.json", JsonText(OutputsJson(graph, outputs, options))));
  PLEAT_RETURN_IF_ERROR(WriteOutputFile(graph, outputs, options));
  written.Keep();
  return Status::Ok();
}

}  // namespace pleat::tools
