// Tensors for a network's inputs: from files, or made up.
#ifndef PLEAT_TOOLS_INPUTS_H_
#define PLEAT_TOOLS_INPUTS_H_

#include <map>
#include <string>
#include <vector>

#include "runtime/graph.h"
#include "tools/picture.h"

namespace pleat::tools {

// One tensor per graph input, in graph order, from flags "NAME=FILE" (.npy, .npz, .pb, .png, .jpg, or
// "-" for stdin; a bare FILE where the graph has one input). An .npz brings the array of that name
// or its only one; without NAME= each of its arrays goes to the input of its name, and those named
// arr_K to input K. A name given again adds to the batch: the tensors are joined along the first
// axis.
runtime::Result<std::vector<runtime::Tensor>> ReadInputs(const runtime::Graph& graph,
                                                         const std::vector<std::string>& flags,
                                                         const PictureOptions& picture);

// Flags "NAME:1,3,224,224", "NAME:[1,3,224,224]" or "NAME:1x3x224x224" as shapes by name; "?" or a
// word leaves a size open.
runtime::Result<std::map<std::string, runtime::Shape>> ParseShapes(
    const std::vector<std::string>& flags);

// A known shape for every input: the given one, else the declared one with 1 for an unknown first
// size and `size` for others. Sizes of one symbol are alike. `assumed` receives a line per input
// that had sizes chosen for it.
inline constexpr int64_t kDefaultSize = 64;
runtime::Result<std::vector<runtime::Shape>> ChooseShapes(
    const runtime::Graph& graph, const std::map<std::string, runtime::Shape>& given, int64_t size,
    std::vector<std::string>* assumed);

// The same numbers for the same seed on every machine: floats even in [-1, 1), integers and
// booleans 0 or 1.
std::vector<runtime::Tensor> RandomInputs(const runtime::Graph& graph,
                                          const std::vector<runtime::Shape>& shapes, uint64_t seed);

// Fails unless there is a tensor for every input, of its element type and of sizes that fit: by
// kInputTypeRule where one is otherwise.
inline constexpr const char* kInputTypeRule = "INPUT_TYPE";
runtime::Status CheckInputs(const runtime::Graph& graph,
                            const std::vector<runtime::Tensor>& inputs);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_INPUTS_H_
