// The arithmetic of a fold: weights and biases of Conv, ConvTranspose, MatMul and Recurrent under a
// per-channel function of their result or their input, all in double.
#ifndef PLEAT_CONVERTER_PASSES_FOLD_WEIGHTS_H_
#define PLEAT_CONVERTER_PASSES_FOLD_WEIGHTS_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "converter/passes/affine.h"

namespace pleat::converter {

// Where each weight of a linear operator stands: the channel of the result it adds to and the
// channel of the input it multiplies, by position in memory.
struct WeightMap {
  enum class Kind { kConv, kConvTranspose, kMatMul, kMatMulTransposed };
  Kind kind = Kind::kConv;
  int64_t inputs = 1;   // C, or K of a product
  int64_t outputs = 1;  // M, or N of a product
  int64_t groups = 1;
  int64_t taps = 1;

  int64_t count() const { return inputs / groups * outputs * taps; }
  // How many neighbouring weights share an output, or an input.
  int64_t Run(bool by_output) const;
  int64_t Output(int64_t i) const;
  int64_t Input(int64_t i) const;
};

// The map of a node's constant weights, nothing when they are not constant or not of a shape that
// has channels (a product with a vector or with a stack of matrices). Of a Recurrent it is that of
// the weights of its input, whose outputs are the gates of all directions.
std::optional<WeightMap> MapWeights(const Graph& graph, const Node& node);
// The same of a product whose constant weights stand on the left.
std::optional<WeightMap> MapLeftWeights(const Graph& graph, const Node& node);

// Multiplies every weight by the scale of its `channel` (an Output or Input of the map). Refuses,
// leaving `weights` as they were, when float32 cannot hold the result (OVERFLOW, UNDERFLOW).
std::optional<Refusal> ScaleWeights(const WeightMap& map, bool by_output,
                                    std::span<const double> scale, std::vector<double>& weights);

// What a constant input adds to each output channel where all taps see it:
// sum over taps and inputs of w * shift.
std::vector<double> SumOfShifts(const WeightMap& map, std::span<const double> weights,
                                std::span<const double> shift);

// The same for each tap by itself: [outputs][taps]. REQUIRES: the map is of a convolution.
std::vector<double> ShiftsOfTaps(const WeightMap& map, std::span<const double> weights,
                                 std::span<const double> shift);

// Refuses numbers that float32 cannot hold.
std::optional<Refusal> CheckRange(std::span<const double> numbers);

// The constant bias of Conv, ConvTranspose or MatMul as a list that holds a number for each of
// `channels` outputs, times beta; zeros when there is none. `shape` is the operand's new shape.
struct Bias {
  std::vector<double> numbers;
  Shape shape;
};
struct BiasOrRefusal {
  Bias bias;
  std::optional<Refusal> refusal;
};
BiasOrRefusal ReadBias(const Graph& graph, const Node& node, size_t channels);
// The same of a Recurrent: all of its bias, [directions, gates of the input and of the state].
BiasOrRefusal ReadGateBias(const Graph& graph, const Node& node, const WeightMap& map);

// New operands of one node. What stays as it is is left out.
struct LinearEdit {
  size_t node = 0;
  size_t operand = 1;  // that the weights are
  std::optional<std::vector<double>> weights;
  std::optional<Bias> bias;
  std::optional<std::vector<double>> tap_bias;  // of Conv and ConvTranspose: [outputs][taps]
};
// What edits so far give a node, for another that reaches it on another way, as through parts that
// are joined again; null when they leave it as it is. The last edit holds what all come to.
template <class T>
const T* SoFar(const std::vector<LinearEdit>& edits, size_t node,
               std::optional<T> LinearEdit::* field) {
  const T* found = nullptr;
  for (const LinearEdit& edit : edits) {
    if (edit.node == node && edit.*field) found = &*(edit.*field);
  }
  return found;
}
// The weights, operand `operand` of the node, that way.
std::vector<double> WeightsSoFar(const Graph& graph, const std::vector<LinearEdit>& edits,
                                 size_t node, size_t operand);
// Gives the node constants of its own in float64; a new bias has beta = 1.
void Apply(Graph& graph, LinearEdit edit);

// Where the node has its bias.
size_t BiasPosition(const Node& node);
// Where Conv and ConvTranspose have their tap bias.
size_t TapBiasPosition(const Node& node);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_FOLD_WEIGHTS_H_
