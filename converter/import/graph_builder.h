// A Graph that grows one node at a time with every type inferred as soon as it can be, and nodes
// over constants evaluated on the spot: importers always see what is known.
#ifndef PLEAT_CONVERTER_IMPORT_GRAPH_BUILDER_H_
#define PLEAT_CONVERTER_IMPORT_GRAPH_BUILDER_H_

#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/graph.h"

namespace pleat::converter {

class GraphBuilder {
 public:
  runtime::Graph& graph() { return graph_; }

  // kNoValue has the default type and is no constant.
  runtime::Type type(runtime::ValueId id) const;
  // The numbers of a value known before any run; an empty Tensor for all others.
  runtime::Tensor constant(runtime::ValueId id) const;

  // The narrow type of ONNX's that a value stands for, see narrow_type.h; 0 for all others.
  int narrow(runtime::ValueId id) const;
  void SetNarrow(runtime::ValueId id, int data_type);

  // Adds a node whose inputs and outputs are values of the graph, and sets the outputs' types. When
  // its results follow from constants (or from types alone) they become constants instead and no
  // node is added; results too large to keep, see the .cc file, stay a node.
  runtime::Status Add(runtime::Node node);

 private:
  runtime::Status Evaluate(const runtime::Node& node,
                           const std::vector<const runtime::Tensor*>& known, bool* done);

  runtime::Graph graph_;
  std::unordered_map<runtime::ValueId, int> narrow_;
  int64_t evaluated_bytes_ = 0;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_GRAPH_BUILDER_H_
