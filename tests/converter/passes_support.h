// Small networks for the tests of passes: built by hand or by seed, run in double and as converted.
#ifndef PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_H_
#define PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_H_

#include <string>
#include <vector>

#include "converter/convert.h"
#include "kernels/activation.h"
#include "runtime/graph.h"
#include "tests/support/random.h"

namespace pleat::tests {

using runtime::ElementType;
using runtime::Graph;
using runtime::kNoValue;
using runtime::kUnknownDim;
using runtime::Node;
using runtime::Shape;
using runtime::Tensor;
using runtime::ValueId;
namespace fb = runtime::fb;

struct ConvSpec {
  int64_t outputs = 4;
  std::vector<int64_t> kernel = {3, 3};
  std::vector<int64_t> strides = {};
  std::vector<int64_t> dilations = {};
  std::vector<int64_t> pads = {};  // all begins, then all ends
  int64_t group = 1;
  bool bias = true;
  fb::AutoPad auto_pad = fb::AutoPad::NotSet;
};

struct RecurrentSpec {
  fb::RecurrentKind kind = fb::RecurrentKind::Rnn;
  fb::RecurrentDirection direction = fb::RecurrentDirection::Forward;
  bool batch_first = false;
  bool bias = true;
  bool linear_before_reset = false;
};

// Builds a graph step by step; every step returns its result and is a node "opN" of its own.
// Numbers are small integers and powers of two, so that sums of products are exact in float32; with
// `exact` false they are any numbers.
class Net {
 public:
  explicit Net(uint64_t seed = 1, bool exact = true) : Net(Random(seed), exact) {}
  explicit Net(Random choices, bool exact) : random(choices), exact_(exact) {}

  ValueId Input(Shape shape);
  ValueId Weights(Shape shape);
  ValueId Constant(Shape shape, const std::vector<float>& numbers);
  ValueId Int64s(const std::vector<int64_t>& numbers);
  ValueId Conv(ValueId x, const ConvSpec& spec);
  ValueId ConvTranspose(ValueId x, const ConvSpec& spec);
  ValueId MatMul(ValueId a, ValueId b, ValueId c = kNoValue, fb::MatMulT fields = {});
  // Two hidden units over x [steps, batch, inputs], or [batch, steps, inputs]. An Rnn ends in Relu,
  // which keeps whole numbers whole.
  ValueId Recurrent(ValueId x, const RecurrentSpec& spec);
  // An inference batch norm, listed in batch_norms.
  ValueId BatchNorm(ValueId x, int axis = 1);
  ValueId BatchNorm(ValueId x, int axis, std::vector<double> scale, std::vector<double> shift);
  ValueId Unary(ValueId x, kernels::UnaryKind kind, float a = 0, float b = 0);
  ValueId Relu(ValueId x);
  ValueId Binary(fb::BinaryKind kind, ValueId a, ValueId b);
  ValueId Transpose(ValueId x, std::vector<int64_t> perm);
  ValueId Reshape(ValueId x, const std::vector<int64_t>& shape);
  template <class T>
  ValueId Add(T fields, std::vector<ValueId> inputs) {
    return Append(std::move(fields), std::move(inputs))[0];
  }
  // A node with several results.
  template <class T>
  std::vector<ValueId> AddMany(T fields, std::vector<ValueId> inputs, size_t outputs) {
    return Append(std::move(fields), std::move(inputs), outputs);
  }
  void Output(ValueId id) { graph.outputs.push_back(id); }

  const Shape& ShapeOf(ValueId id) const {
    return graph.values[static_cast<size_t>(id)].type.shape;
  }
  // Powers of two, some negative, and small integers.
  std::vector<double> Scales(size_t count);
  std::vector<double> Shifts(size_t count);

  Graph graph;
  Random random;

 private:
  template <class T>
  std::vector<ValueId> Append(T fields, std::vector<ValueId> inputs, size_t outputs = 1);
  fb::WindowT Window(const ConvSpec& spec);

  bool exact_;
};

// Whole numbers in [-4, 4], or any in [-1, 1], for every input of the graph; unknown sizes
// become 2.
std::vector<Tensor> MakeInputs(const Graph& graph, uint64_t seed, bool exact = true);

// The answers of the graph as it stands, in double with reference kernels.
std::vector<Tensor> RunInDouble(const Graph& graph, const std::vector<Tensor>& inputs);
// The answers of the graph as it stands in its own types.
std::vector<Tensor> Run(const Graph& graph, const std::vector<Tensor>& inputs, bool reference);

// All passes; a failure fails the test and returns the graph as far as it got.
Graph Converted(const Graph& graph, const converter::ConvertOptions& options = {});

// Converts, and expects the same answers: equal to the bit where `tolerance` is 0, else within
// tolerance * max |y|. Returns the converted graph.
Graph ExpectSameAnswers(const Graph& graph, double tolerance = 0,
                        const converter::ConvertOptions& options = {});

// How many nodes are of operator T.
template <class T>
int Count(const Graph& graph) {
  int count = 0;
  for (const Node& node : graph.nodes) count += node.As<T>() != nullptr ? 1 : 0;
  return count;
}

// "FOLDED conv" or "KEPT REASON" of batch norm `index`.
std::string Fate(const Graph& graph, size_t index = 0);

}  // namespace pleat::tests

#include "tests/converter/passes_support-inl.h"

#endif  // PLEAT_TESTS_CONVERTER_PASSES_SUPPORT_H_
