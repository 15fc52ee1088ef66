// One attempt to fold an affine step into what reads its result.
#ifndef PLEAT_CONVERTER_PASSES_FORWARD_FOLD_H_
#define PLEAT_CONVERTER_PASSES_FORWARD_FOLD_H_

#include <string>
#include <vector>

#include "converter/passes/batch_norms.h"
#include "converter/passes/fold_weights.h"

namespace pleat::converter {

// Absorb collects what to change; nothing changes before Commit.
class ForwardFold {
 public:
  ForwardFold(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // Whether all readers of `id` can take affine(id) upon themselves.
  bool Absorb(ValueId id, const Affine& affine);
  // Changes the graph, and tells `uses`; what `source` stands for goes into the operators found.
  // REQUIRES: Absorb returned true, and the graph is the same.
  void Commit(Graph& graph, Uses& uses, BatchNorms& norms, const Node& source);
  // The same without a word in the certificate.
  void CommitSilently(Graph& graph, Uses& uses);

  const Refusal& refusal() const { return refusal_; }
  // Whether some reader would have taken it.
  bool several() const { return several_; }

 private:
  // Steps within one another, so that the stack holds them, and all that are tried.
  static constexpr int kMaxDepth = 500, kMaxTries = 10000;
  bool Refuse(std::string code, std::string sentence) {
    refusal_ = {std::move(code), std::move(sentence)};
    return false;
  }
  bool AbsorbByAll(ValueId id, const Affine& affine);
  bool AbsorbBy(const Node& node, size_t index, ValueId id, const Affine& affine);
  bool IntoLinear(size_t index, const Affine& affine);
  bool IntoRecurrent(size_t index, const Affine& affine);
  bool ShiftInto(const Node& node, const WeightMap& map, const Affine& affine, LinearEdit& edit);
  bool Through(const Node& node, const Affine& affine);
  bool ThroughMean(const Node& node, const Affine& affine);
  bool ThroughPool(const Node& node, const Affine& affine);
  bool ThroughPad(const Node& node, const Affine& affine);
  bool ThroughConcat(const Node& node, ValueId id, const Affine& affine);
  bool ThroughSlice(const Node& node, const Affine& affine);
  bool ThroughSplit(const Node& node, const Affine& affine);
  bool ThroughGather(const Node& node, const Affine& affine);
  // Behind a step of which channel c is channel source[c] before it.
  bool AbsorbTaken(ValueId id, const Affine& affine, const std::vector<int64_t>& source);
  bool PassesUnchanged(const Node& node, const Affine& affine) const;

  const Graph& graph_;
  const Uses& uses_;
  std::vector<LinearEdit> edits_;
  Refusal refusal_;
  bool several_ = false;
  int depth_ = 0, tries_ = 0;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_FORWARD_FOLD_H_
