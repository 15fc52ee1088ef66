// The entries of the certificate that a node stands for.
#ifndef PLEAT_CONVERTER_PASSES_BATCH_NORMS_H_
#define PLEAT_CONVERTER_PASSES_BATCH_NORMS_H_

#include <string>
#include <vector>

#include "converter/passes/affine.h"

namespace pleat::converter {

// The batch normalisations of the source that `node` stands for.
std::vector<fb::BatchNormT*> BatchNormsOf(Graph& graph, const Node& node);

// Writes into their entries that they went into the node named `into`.
void MarkFolded(Graph& graph, const Node& node, const std::string& kind, const std::string& into);

// Writes into their entries why they stay; a later fold may still overrule it.
void Keep(Graph& graph, const Node& node, const Refusal& refusal);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_BATCH_NORMS_H_
