// The entries of the certificate that a node stands for.
#ifndef PLEAT_CONVERTER_PASSES_BATCH_NORMS_H_
#define PLEAT_CONVERTER_PASSES_BATCH_NORMS_H_

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "converter/passes/affine.h"

namespace pleat::converter {

// REQUIRES: the graph keeps its entries as long as this lives.
class BatchNorms {
 public:
  explicit BatchNorms(Graph& graph);

  // The batch normalisations of the source that `node` stands for, in the order of the graph.
  std::vector<fb::BatchNormT*> Of(const Node& node) const;
  // Whether `node` is a batch norm or a step of one that was spelled out, not what took one.
  bool IsOne(const Node& node) const;
  // Writes into their entries that they went into the node named `into`.
  void MarkFolded(const Node& node, const std::string& kind, const std::string& into);
  // Writes into their entries why they stay; a later fold may still overrule it.
  void Keep(const Node& node, const Refusal& refusal);
  // Writes into the entries of those that went into `node` what to say should it stay a step.
  void KeepWithin(const Node& node, const Refusal& refusal);

 private:
  std::vector<fb::BatchNormT>& entries_;
  std::unordered_multimap<std::string_view, size_t> by_name_;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_BATCH_NORMS_H_
