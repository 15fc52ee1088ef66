// Walks an ONNX graph and hands each node to the importer of its operator (imports.inc).
#ifndef PLEAT_CONVERTER_IMPORT_IMPORTER_H_
#define PLEAT_CONVERTER_IMPORT_IMPORTER_H_

#include <onnx/onnx_pb.h>

#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "converter/convert.h"
#include "converter/import/external_data.h"
#include "converter/import/graph_builder.h"
#include "converter/import/tensor_sequences.h"

namespace pleat::converter {

// The names of one ONNX graph; a subgraph sees those of the graphs around it.
struct Scope {
  GraphBuilder* builder = nullptr;  // of the graph that its values are in
  Scope* outer = nullptr;
  // Of a subgraph that stays one: values of the outer scope that it reads, which become its last
  // inputs. Null where the outer scope is in the same graph.
  std::vector<runtime::ValueId>* captured = nullptr;
  int64_t opset = 0;  // of the default domain
  int depth = 0;      // of calls to model-local functions
  std::unordered_map<std::string, runtime::ValueId> values;
  std::unordered_map<std::string, onnx::TensorProto*> initializers;  // not read so far
  std::unordered_set<std::string> read;  // by nodes, subgraphs or as outputs
};

// A subgraph, and the values outside that its inputs behind its own stand for.
struct Subgraph {
  runtime::Graph graph;
  std::vector<runtime::ValueId> captured;
};

struct OperatorImport;

class Importer {
 public:
  // Both must outlive the importer. The model's weights are emptied as they are read.
  Importer(onnx::ModelProto& model, const ConvertOptions& options);

  // Once. kUnsupported lists every node that has no importer or that its importer refuses.
  runtime::Result<runtime::Graph> Run();

  const ConvertOptions& options() const { return options_; }
  // Of the graph that grows now: the model's or a subgraph.
  GraphBuilder& builder() { return *builder_; }
  ExternalData& external() { return external_; }
  TensorSequences& sequences() { return sequences_; }

  // The type in which values of an element type are computed: float32 for floats of any width. Only
  // a model that takes float64 inputs computes its float64 values in float64.
  runtime::ElementType ComputeType(runtime::ElementType type) const;

  // The value or the sequence behind a name, read from the initializers at first use. kRefused for
  // what a refused node should have made.
  static constexpr runtime::ValueId kRefused = -2;
  runtime::Result<runtime::ValueId> Lookup(const std::string& name, Scope& scope);
  // The same of an output; fails where it is an input that the call of a function leaves out.
  runtime::Result<runtime::ValueId> LookupOutput(const std::string& name, Scope& scope);

  // The nodes of a subgraph become nodes of the graph, on these inputs, of which there must be as
  // many as it has; returns the values of its outputs.
  runtime::Result<std::vector<runtime::ValueId>> Inline(onnx::GraphProto& graph, Scope& outer,
                                                        std::span<const runtime::ValueId> inputs);
  // A subgraph whose inputs have the given types; what was read from it before is read again.
  runtime::Result<Subgraph> ImportSubgraph(const onnx::GraphProto& graph, Scope& outer,
                                           std::span<const runtime::Type> inputs);
  size_t RefusedSoFar() const { return refused_.size(); }
  void ForgetRefused(size_t so_far) { refused_.resize(so_far); }

 private:
  // A value of the scope around a subgraph that stays one, as an input of it.
  runtime::ValueId Capture(runtime::ValueId outside, Scope& scope);
  runtime::Status ImportInputs(Scope& scope);
  runtime::Status ImportInput(const onnx::ValueInfoProto& input, Scope& scope);
  runtime::Status ApplyInputShape(const onnx::ValueInfoProto& input, runtime::Value* value);
  runtime::Status ImportNodes(onnx::GraphProto& graph, Scope& scope);
  runtime::Status ImportNode(onnx::NodeProto& node, Scope& scope);
  runtime::Status ImportOperator(const OperatorImport& entry, onnx::NodeProto& node,
                                 std::vector<runtime::ValueId> inputs, Scope& scope);
  // A call to a model-local function: the body's nodes, in a scope of their own.
  runtime::Status ImportCall(const onnx::FunctionProto& function, const onnx::NodeProto& call,
                             const std::vector<runtime::ValueId>& inputs, Scope& scope);
  runtime::Status ImportOutput(const onnx::ValueInfoProto& output, Scope& scope);
  // The value becomes the graph's next output under this name and with this element type.
  void AddOutput(const std::string& name, runtime::ValueId inside, runtime::ElementType element);
  // The status that lists all of them.
  runtime::Status RefusedNodes() const;

  onnx::ModelProto& model_;
  const ConvertOptions& options_;
  std::unordered_map<std::string, const onnx::FunctionProto*> functions_;  // by FunctionKey
  ExternalData external_;
  TensorSequences sequences_;
  GraphBuilder model_builder_;
  GraphBuilder* builder_ = &model_builder_;
  int subgraph_depth_ = 0;
  bool takes_float64_ = false;
  std::map<std::string, int64_t> symbol_sizes_;  // of names that input_shapes fixes
  struct RefusedNode {
    std::string name, what;  // what: operator, domain, its version, and why
    runtime::Status status;
  };
  std::vector<RefusedNode> refused_;
  int64_t imported_nodes_ = 0;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_IMPORTER_H_
