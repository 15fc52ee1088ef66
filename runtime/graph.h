// The portable form of a network: what is computed, and nothing about how. A .pleat file holds one.
// Tensors are float32 inside, other types only at the edges and for shapes, indices and masks.
#ifndef PLEAT_RUNTIME_GRAPH_H_
#define PLEAT_RUNTIME_GRAPH_H_

#include <optional>
#include <string>
#include <vector>

#include "pleat_generated.h"
#include "runtime/tensor.h"

namespace pleat::runtime {

// Index into Graph::values; kNoValue stands for an optional input left out or an output not wanted.
using ValueId = int;
inline constexpr ValueId kNoValue = -1;

struct Value {
  std::string name;
  Type type;
  // Names of unknown sizes of a graph input, "" where a size is known or nameless; may be empty.
  std::vector<std::string> symbols;
  // Set when the value is known before any run. Weights that fold in double are float64 here until
  // the converter rounds them.
  std::optional<Tensor> constant;
};

struct Graph;

struct Node {
  std::string name;
  fb::OpUnion op;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<std::string> sources;  // the ONNX nodes this one stands for
  // What If, Loop and Scan run; empty for all other operators. See pleat.fbs for what goes in.
  std::vector<Graph> subgraphs;

  // The fields when the operator is T (e.g. As<fb::ConvT>()), else null.
  template <class T>
  T* As() {
    return op.type == fb::OpUnionTraits<T>::enum_value ? static_cast<T*>(op.value) : nullptr;
  }
  template <class T>
  const T* As() const {
    return op.type == fb::OpUnionTraits<T>::enum_value ? static_cast<const T*>(op.value) : nullptr;
  }
  const char* OpName() const { return fb::EnumNameOp(op.type); }
  // The input's id, kNoValue when there are fewer inputs.
  ValueId input(size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
};

// A node of operator T: MakeNode("conv1", fb::ConvT{...}, {x, w}, {y}).
template <class T>
Node MakeNode(std::string name, T fields, std::vector<ValueId> inputs,
              std::vector<ValueId> outputs) {
  Node node;
  node.name = std::move(name);
  node.op.Set(std::move(fields));
  node.inputs = std::move(inputs);
  node.outputs = std::move(outputs);
  return node;
}

// Subgraphs may lie so deep in one another.
inline constexpr int kMaxSubgraphDepth = 32;

struct Graph {
  std::string name;
  std::string producer;
  std::vector<Value> values;
  std::vector<Node> nodes;  // in an order in which they can run
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<fb::BatchNormT> batch_norms;  // what became of each BatchNormalization of the source

  ValueId AddValue(std::string name, Type type = {.ranked = false});
  ValueId AddConstant(std::string name, Tensor tensor);

  // The constant behind an id; null for kNoValue and for values made by nodes or callers.
  const Tensor* ConstantOf(ValueId id) const;
  // Readers of each value: one entry per use, graph outputs included (as -1).
  std::vector<std::vector<int>> Readers() const;
  // Index of the node that makes each value; -1 for inputs, constants and unused values.
  std::vector<int> Makers() const;
  // Drops nodes whose outputs nobody reads, then values nobody names; ids change.
  void EliminateDead();
};

// Fails, naming the place, unless: ids are in range, every value has one maker and is made before
// it is read, names of inputs and outputs are unique, constants match their types; and the same for
// every subgraph.
Status CheckGraph(const Graph& graph);

// One line a node, as people read it:
//   %y: float32[1,8,14,14] = Conv(%x, %w, %b)
std::string GraphText(const Graph& graph);

// Fills the type of every value a node makes, from the inputs' types on. Constants that follow from
// shapes alone (ShapeOf of a known shape and what is computed from it) are evaluated and set when
// `evaluate` is true. Fails at the first node whose operands do not fit, naming it.
Status InferGraph(Graph& graph, bool evaluate);

// The same graph with every float32 (and float16) value, constant and cast in double: the oracle.
Graph PromoteToDouble(const Graph& graph);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_GRAPH_H_
