// One number line per channel: y = x * scale[c] + shift[c], in double, and how such a function
// moves between the two sides of an operator that only rearranges.
#ifndef PLEAT_CONVERTER_PASSES_AFFINE_H_
#define PLEAT_CONVERTER_PASSES_AFFINE_H_

#include <span>
#include <string>
#include <vector>

#include "converter/passes/rewrite.h"

namespace pleat::converter {

struct Affine {
  int axis = 0;
  std::vector<double> scale;
  std::vector<double> shift;

  size_t channels() const { return scale.size(); }
  bool IsShiftOnly() const;  // every scale is 1
  bool IsScaleOnly() const;  // every shift is 0
  bool IsFinite() const;
};

// Why a fold is refused: a code of the certificate and one plain sentence.
struct Refusal {
  std::string code;
  std::string sentence;
};

// after(before(x)). REQUIRES: the same axis and channels.
Affine Compose(const Affine& before, const Affine& after);

// What a ScaleShift node computes. REQUIRES: its constants are known.
Affine AffineOf(const Graph& graph, const Node& scale_shift);
// Makes a ScaleShift node compute `affine`, with constants of its own.
void SetAffine(Graph& graph, Node& scale_shift, const Affine& affine);

// Whether a node only renames or reorders positions of input 0: Transpose, Reshape, Flatten,
// Squeeze, Unsqueeze, Identity.
bool IsRearrangement(const Node& node);

// The functions of the input that become `output` behind the rearrangement, one for each input axis
// whose index is proved to decide the channel; none when there is no such axis. Proofs use the
// order of elements in memory, never equal sizes alone.
std::vector<Affine> BeforeRearrangement(const Graph& graph, const Node& node, const Affine& output);
// The functions of the output that `input` becomes behind the rearrangement.
std::vector<Affine> AfterRearrangement(const Graph& graph, const Node& node, const Affine& input);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_AFFINE_H_
