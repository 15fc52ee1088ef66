// ONNX nodes that are several steps of a graph.
#ifndef PLEAT_CONVERTER_EMIT_WHOLE_H_
#define PLEAT_CONVERTER_EMIT_WHOLE_H_

#include <functional>
#include <string>

#include "runtime/graph.h"

namespace pleat::converter {

// Keeps folds away from parts of a node, as ONNX has no form for what would be left of it: of one
// that quantises, say, or normalises. `op_of` is the operator of an ONNX node in Node::sources,
// empty for one that is not known.
void KeepWhole(runtime::Graph& graph, const std::function<std::string(const std::string&)>& op_of);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_EMIT_WHOLE_H_
