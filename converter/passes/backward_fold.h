// One attempt to fold an affine step into what makes its input.
#ifndef PLEAT_CONVERTER_PASSES_BACKWARD_FOLD_H_
#define PLEAT_CONVERTER_PASSES_BACKWARD_FOLD_H_

#include <string>
#include <vector>

#include "converter/passes/batch_norms.h"
#include "converter/passes/fold_weights.h"

namespace pleat::converter {

// Absorb collects what to change; nothing changes before Commit.
class BackwardFold {
 public:
  BackwardFold(const Graph& graph, const Uses& uses) : graph_(graph), uses_(uses) {}

  // Whether the maker of `id` can make affine(id) instead.
  bool Absorb(ValueId id, const Affine& affine);
  // Changes the graph, and tells `uses`; what `source` stands for goes into the operators found.
  // REQUIRES: Absorb returned true, and the graph is the same.
  void Commit(Graph& graph, Uses& uses, BatchNorms& norms, const Node& source);

  const Refusal& refusal() const { return refusal_; }
  // The ScaleShift nodes that Commit changed, which may fold on now.
  std::vector<size_t> changed_affine() const;

 private:
  // Steps within one another, so that the stack holds them, and all that are tried.
  static constexpr int kMaxDepth = 500, kMaxTries = 10000;
  struct AffineEdit {
    size_t node;
    Affine affine;
  };
  struct ConstantEdit {
    size_t node;
    size_t operand;
    std::vector<double> numbers;
    Shape shape;
  };
  struct Mark {
    size_t linear, affine, constants;
    std::string kind;
  };
  // The constant of an operand, as the edits so far make it.
  std::vector<double> NumbersSoFar(size_t index, size_t operand) const;
  Mark Here() const { return {linear_.size(), affine_.size(), constants_.size(), kind_}; }
  void BackTo(const Mark& mark);

  bool Refuse(std::string code, std::string sentence) {
    refusal_ = {std::move(code), std::move(sentence)};
    return false;
  }
  bool Refuse(const Refusal& refusal, const std::string& name) {
    return Refuse(refusal.code, refusal.sentence + " in '" + name + "'");
  }
  bool AbsorbNext(ValueId id, const Affine& affine);
  // Whether nobody but one reader sees the value.
  bool IsPrivate(ValueId id, const std::string& what);
  // Operand `operand` of a node: made by others, or a constant.
  bool IntoOperand(size_t index, size_t operand, const Affine& affine);
  bool IntoConstant(size_t index, size_t operand, const Affine& affine);
  bool IntoLinear(size_t index, const Affine& affine);
  bool IntoLeft(size_t index, const Affine& affine);
  bool IntoAffine(size_t index, const Affine& affine);
  bool IntoNormalization(size_t index, const Affine& affine);
  bool IntoTable(size_t index, const Affine& affine);
  bool IntoConcat(size_t index, const Affine& affine);
  bool IntoBinary(size_t index, const Affine& affine);
  bool IntoSum(size_t index, const Affine& affine);
  bool IntoProduct(size_t index, const Affine& affine);
  bool IntoPRelu(size_t index, const Affine& affine);
  bool Through(const Node& node, ValueId output, const Affine& affine);

  const Graph& graph_;
  const Uses& uses_;
  std::vector<LinearEdit> linear_;
  std::vector<AffineEdit> affine_;
  std::vector<ConstantEdit> constants_;
  Refusal refusal_;
  std::string kind_;
  int depth_ = 0, tries_ = 0;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_BACKWARD_FOLD_H_
