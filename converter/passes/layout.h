// Values in another order of axes: the state of the channels-last rewrite and what its rules ask.
#ifndef PLEAT_CONVERTER_PASSES_LAYOUT_H_
#define PLEAT_CONVERTER_PASSES_LAYOUT_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "converter/passes/rewrite.h"

namespace pleat::converter {

// Axis i of the value as the network states it ("plain") is axis order[i] of the value stored.
using Order = std::vector<int>;

// [N, C, spatial..] stored as [N, spatial.., C].
Order ChannelsLastOrder(int rank);
bool IsPlain(const Order& order);
// The order of a value that loses the plain axes for which `gone` is set.
Order WithoutAxes(const Order& order, const std::vector<bool>& gone);
// stored[order[i]] = plain[i].
template <class T>
std::vector<T> Stored(const std::vector<T>& plain, const Order& order) {
  std::vector<T> stored(plain.size());
  for (size_t i = 0; i < plain.size(); ++i) stored[static_cast<size_t>(order[i])] = plain[i];
  return stored;
}

struct Form {
  ValueId id;
  Order order;
};

// Nodes are read in order and written anew; every value is made in one form, and a transposition
// is written only when a reader asks for another. Ids in old nodes name values, whatever their
// form.
class Layout {
 public:
  explicit Layout(Graph& graph);

  Graph& graph() { return graph_; }
  const Type& TypeOf(ValueId id) const { return graph_.values[static_cast<size_t>(id)].type; }
  // The rank of a value, -1 when it has no known rank or is absent.
  int Rank(ValueId id) const;

  // The form a value was made in when that is not the plain one, else null.
  const Form* Native(ValueId id) const;
  // Ids that hold the value in the order asked for. REQUIRES: `id` is known by now.
  ValueId Plain(ValueId id);
  ValueId In(ValueId id, const Order& order);
  // An operand that broadcasts against values of rank order.size() in `order`; its rank is at most
  // that.
  ValueId Operand(ValueId id, const Order& order);

  // Says that `id` is made in `order` and returns the value to make.
  ValueId Make(ValueId id, const Order& order);
  // Says that `id` is what `form` holds already.
  void Alias(ValueId id, Form form);
  // Writes a node.
  void Emit(Node node);
  template <class T>
  void Emit(const std::string& name, T fields, std::vector<ValueId> inputs,
            std::vector<ValueId> outputs) {
    Emit(runtime::MakeNode(name, std::move(fields), std::move(inputs), std::move(outputs)));
  }
  // Writes a node with all operands and results plain.
  void EmitPlain(Node node);

  // Puts the new nodes into the graph; its outputs are plain.
  void Finish();

 private:
  struct State {
    ValueId plain = kNoValue;
    std::optional<Form> native;
    std::map<Order, ValueId> others;
  };
  State& StateOf(ValueId id);
  // Writes `from`, stored in `from_order`, to `to`, stored in `to_order`.
  void Reorder(ValueId from, const Order& from_order, ValueId to, const Order& to_order);
  ValueId ReorderedConstant(ValueId id, const Order& order);
  ValueId AddForm(ValueId id, const Order& order);

  Graph& graph_;
  std::vector<State> states_;
  std::vector<Node> nodes_;
};

// Rewrites one node; false: the node has to run plain, and nothing was written.
using LayoutRule = bool (*)(Layout& layout, Node& node);
// The rule of an operator, null when it has none.
LayoutRule LayoutRuleOf(fb::Op type);
// The rules of Transpose, Reshape, Squeeze, Unsqueeze and ShapeOf.
bool LayTranspose(Layout& layout, Node& node);
bool LayReshape(Layout& layout, Node& node);
bool LaySqueeze(Layout& layout, Node& node);
bool LayUnsqueeze(Layout& layout, Node& node);
bool LayShapeOf(Layout& layout, Node& node);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_LAYOUT_H_
