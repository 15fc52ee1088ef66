// The nodes of an ONNX graph that its outputs need, in an order in which they can run, after proof
// that the graph is well formed.
#ifndef PLEAT_CONVERTER_IMPORT_NODE_ORDER_H_
#define PLEAT_CONVERTER_IMPORT_NODE_ORDER_H_

#include <onnx/onnx_pb.h>

#include <functional>
#include <string>
#include <vector>

#include "runtime/status.h"

namespace pleat::converter {

// Indices into graph.node(), each after all it depends on, otherwise in the file's order. Fails
// (kInvalidModel, naming the place) unless every value has one maker, inputs, outputs and
// initializers are named once each, nothing reads a name that neither this graph nor `is_outer`
// knows, and there is no cycle. Time is O((V + E) log V).
runtime::Result<std::vector<int>> NodesInOrder(
    const onnx::GraphProto& graph, const std::function<bool(const std::string&)>& is_outer);

// The names a node reads: its inputs, and what its subgraphs take from outside. Left-out inputs
// ("") are not among them.
std::vector<std::string> NamesRead(const onnx::NodeProto& node);

// The first output stands in for a missing name.
std::string NodeName(const onnx::NodeProto& node);
// "name (Op)".
std::string NodeText(const onnx::NodeProto& node);
// "(Op) of ai.onnx 17": with the version of its domain, where that is imported.
std::string OperatorText(const onnx::NodeProto& node, const onnx::ModelProto& model, int64_t opset);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_NODE_ORDER_H_
