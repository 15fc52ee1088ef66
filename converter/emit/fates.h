// What becomes of each node of a source while its graph goes through the passes. Nodes are named by
// marks, which Node::sources carries.
#ifndef PLEAT_CONVERTER_EMIT_FATES_H_
#define PLEAT_CONVERTER_EMIT_FATES_H_

#include <map>
#include <set>
#include <string>

#include "runtime/graph.h"

namespace pleat::converter {

class Fates {
 public:
  // Of how many steps a node consisted before folding, how many of those were ScaleShift, and how
  // many of either are left.
  struct Fate {
    int steps = 0, affine = 0, left = 0, affine_left = 0;
    size_t sources = 0;  // of the step that stands for most
  };

  // What is there before the first fold, before convolutions are merged, and after the last fold.
  void Before(const runtime::Graph& graph);
  void BeforeMerging(const runtime::Graph& graph);
  void After(const runtime::Graph& graph);

  const std::map<std::string, Fate>& all() const { return all_; }
  // Null when no step was the node's.
  const Fate* Find(const std::string& mark) const;
  // Whether the node was a term of a sum and is now a part of a convolution beside it.
  bool Taken(const std::string& mark) const { return taken_.contains(mark); }
  // Whether the node is a convolution that took others.
  bool Takes(const std::string& mark) const { return takers_.contains(mark); }
  bool AnyTaken() const { return !taken_.empty(); }

 private:
  std::map<std::string, Fate> all_;
  std::map<std::string, runtime::ValueId> reads_;  // of what may be merged
  std::set<std::string> taken_, takers_;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_EMIT_FATES_H_
