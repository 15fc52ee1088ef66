// What a run leaves: output_K.npy, outputs.json, and the best classes.
#ifndef PLEAT_TOOLS_OUTPUTS_H_
#define PLEAT_TOOLS_OUTPUTS_H_

#include <string>
#include <vector>

#include "runtime/graph.h"
#include "tools/console.h"

namespace pleat::tools {

// One name per line; a line break at the end of the file ends the last line.
runtime::Result<std::vector<std::string>> ReadLabels(const std::string& path);

struct ClassScore {
  int64_t index = 0;
  double score = 0;
};

// The `top` largest numbers of each row, largest first, equal ones in order of index, NaN last.
// Rows run along the first axis; a tensor of one axis is one row.
std::vector<std::vector<ClassScore>> TopClasses(const runtime::Tensor& tensor, int top);

struct OutputOptions {
  std::string folder;  // empty: no files there
  std::string file;    // .npz, or .npy of one output; "-": stdout; empty: none
  int top = 0;         // 0: no classes
  std::vector<std::string> labels;
};

// {"version", "outputs": [{"name", "type", "shape", "file", "top"}]}; "file" only with a folder,
// "top" only when asked for: per row a list of {"index", "label", "score"}.
Json OutputsJson(const runtime::Graph& graph, const std::vector<runtime::Tensor>& outputs,
                 const OutputOptions& options);
std::string OutputsText(const runtime::Graph& graph, const std::vector<runtime::Tensor>& outputs,
                        const OutputOptions& options);
// For scripts: the best classes alone, a line per row, by label where there is one, else by index.
std::string ClassesText(const std::vector<runtime::Tensor>& outputs, const OutputOptions& options);

// Fails early where `file` cannot take what a network has for outputs.
runtime::Status CheckOutputFile(const runtime::Graph& graph, const OutputOptions& options);

// Makes the folder if need be and writes every file, stdout last; on failure removes what it has
// written.
runtime::Status WriteOutputs(const runtime::Graph& graph,
                             const std::vector<runtime::Tensor>& outputs,
                             const OutputOptions& options);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_OUTPUTS_H_
