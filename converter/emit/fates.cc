#include "converter/emit/fates.h"

#include <algorithm>

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using runtime::Graph;
using runtime::Node;

bool IsAffine(const Node& node) { return node.As<fb::ScaleShiftT>() != nullptr; }

}  // namespace

void Fates::Before(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.sources.empty()) continue;
    Fate& fate = all_[node.sources.front()];
    ++fate.steps;
    fate.affine += IsAffine(node) ? 1 : 0;
    fate.sources = std::max(fate.sources, node.sources.size());
  }
}

void Fates::BeforeMerging(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.sources.empty() || (node.As<fb::ConvT>() == nullptr && !IsAffine(node))) continue;
    reads_[node.sources.front()] = node.inputs[0];
  }
}

void Fates::After(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.sources.empty()) continue;
    Fate& fate = all_[node.sources.front()];
    ++fate.left;
    fate.affine_left += IsAffine(node) ? 1 : 0;
  }
  // A convolution stands for what was folded into it and for what was merged with it; only the
  // latter read what the convolution read.
  for (const Node& node : graph.nodes) {
    if (node.sources.empty() || node.As<fb::ConvT>() == nullptr) continue;
    const auto own = reads_.find(node.sources.front());
    if (own == reads_.end()) continue;
    for (const std::string& source : node.sources) {
      const auto other = reads_.find(source);
      const Fate* fate = Find(source);
      if (other == reads_.end() || other == own || other->second != own->second) continue;
      if (fate == nullptr || fate->left != 0) continue;
      taken_.insert(source);
      takers_.insert(own->first);
    }
  }
}

const Fates::Fate* Fates::Find(const std::string& mark) const {
  const auto found = all_.find(mark);
  return found == all_.end() ? nullptr : &found->second;
}

}  // namespace pleat::converter
