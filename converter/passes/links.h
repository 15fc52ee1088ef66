// Operators that stand between an affine step and the linear operator that could take it, and what
// of the step may pass them.
#ifndef PLEAT_CONVERTER_PASSES_LINKS_H_
#define PLEAT_CONVERTER_PASSES_LINKS_H_

#include <vector>

#include "converter/passes/affine.h"

namespace pleat::converter {

// Whether the node makes each of its numbers from numbers of input 0 alone by moving, averaging,
// comparing or bending them, so that a per-channel function may pass: views, transpositions,
// slices, pools, means, resampling, padding, blocks of pixels, Relu and its like.
bool IsLink(const Node& node);

// The functions of input 0 that have the same effect as `after` on one of the node's outputs: each
// is a candidate, proved by the order of axes and elements. Empty: `refusal` says why.
struct Passage {
  std::vector<Affine> before;
  Refusal refusal;
};
// REQUIRES: IsLink(node); nobody but the node reads input 0.
Passage BeforeLink(const Graph& graph, const Node& node, ValueId output, const Affine& after);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_LINKS_H_
