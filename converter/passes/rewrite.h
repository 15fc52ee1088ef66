// The vocabulary of passes: who makes and reads a value, and edits that keep a graph in order.
#ifndef PLEAT_CONVERTER_PASSES_REWRITE_H_
#define PLEAT_CONVERTER_PASSES_REWRITE_H_

#include <optional>
#include <string>
#include <vector>

#include "runtime/graph.h"

namespace pleat::converter {

using runtime::ElementType;
using runtime::Graph;
using runtime::kNoValue;
using runtime::kUnknownDim;
using runtime::Node;
using runtime::Shape;
using runtime::Tensor;
using runtime::Type;
using runtime::Value;
using runtime::ValueId;
namespace fb = runtime::fb;

// Makers and readers of every value; edits make it stale unless it is told.
class Uses {
 public:
  explicit Uses(const Graph& graph) : readers_(graph.Readers()), makers_(graph.Makers()) {}
  // Index of the node that makes the value, -1 when none does.
  int Maker(ValueId id) const { return id == kNoValue ? -1 : makers_[static_cast<size_t>(id)]; }
  // In the order of nodes, then -1 for each time the value is an output of the graph.
  const std::vector<int>& Readers(ValueId id) const { return readers_[static_cast<size_t>(id)]; }
  bool IsOutput(ValueId id) const;
  // The node that alone reads the value, once; -1 when there is no such node or the value is also
  // a graph output.
  int OnlyReader(ValueId id) const;

  // Node `index` is about to change, or go: what it reads and makes is forgotten.
  void Forget(const Graph& graph, size_t index);
  // What the changed node reads and makes now.
  void Learn(const Graph& graph, size_t index);
  // Every use of `from` as an input or graph output becomes `to`.
  void ReplaceUses(Graph& graph, ValueId from, ValueId to);

 private:
  std::vector<std::vector<int>> readers_;
  std::vector<int> makers_;
};

// The node that makes a value when it is of operator T, else null.
template <class T>
const T* MakerAs(const Graph& graph, const Uses& uses, ValueId id) {
  const int maker = uses.Maker(id);
  return maker < 0 ? nullptr : graph.nodes[static_cast<size_t>(maker)].As<T>();
}

// The node that alone reads the numbers of the value, once: others ask for its shape at most. -1
// when there is no such node or the value is also a graph output.
int OnlyReaderOfNumbers(const Graph& graph, const Uses& uses, ValueId id);
// Whether the node makes numbers of the shape of input 0 alone.
bool AsksForShape(const Node& node);

// What people call the node: its name, or that of what it makes.
std::string NameOf(const Graph& graph, const Node& node);

// `to` stands for what `from` stands for as well.
void AddSources(Node& to, const Node& from);

// Empties a node; DropEmptyNodes removes the emptied ones.
void Empty(Node& node);
void DropEmptyNodes(Graph& graph);

// Puts makers before readers, otherwise keeping the order. REQUIRES: no cycle.
void SortNodes(Graph& graph);

// A new float64 constant.
ValueId AddDoubles(Graph& graph, const std::string& name, const std::vector<double>& numbers,
                   Shape shape);
ValueId AddInt64s(Graph& graph, const std::string& name, const std::vector<int64_t>& numbers);
// A new value of the given type.
ValueId AddTyped(Graph& graph, const std::string& name, Type type);

// The elements of an int64 or int32 constant, nothing when the value is not one.
std::optional<std::vector<int64_t>> KnownInt64s(const Graph& graph, ValueId id);
// The one number of a constant with one element, nothing when the value is not one.
std::optional<double> KnownScalar(const Graph& graph, ValueId id);

// The list as the operator means it: `field` when not empty, else the constant input at
// `position`; nothing when that input is there but not known.
std::optional<std::vector<int64_t>> FieldOrInput(const Graph& graph, const Node& node,
                                                 const std::vector<int64_t>& field,
                                                 size_t position);

const Type& TypeOf(const Graph& graph, ValueId id);

// Whether the activation leaves numbers as they are.
bool IsNone(const fb::Activation& activation);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_REWRITE_H_
