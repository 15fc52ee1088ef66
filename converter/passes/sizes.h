// Which sizes are equal at every run, though they are not known yet.
#ifndef PLEAT_CONVERTER_PASSES_SIZES_H_
#define PLEAT_CONVERTER_PASSES_SIZES_H_

#include <map>
#include <string>
#include <vector>

#include "converter/passes/rewrite.h"

namespace pleat::converter {

// Gives every size of every value a token: the size where it is known, else a negative number that
// stands for how it came about, so that equal tokens are equal sizes.
// REQUIRES: types are inferred.
class Sizes {
 public:
  explicit Sizes(const Graph& graph);
  // Whether both shapes are proved to be the same.
  bool Same(ValueId a, ValueId b) const;
  // The tokens of a value; empty when its rank is not known.
  const std::vector<int64_t>& Of(ValueId id) const { return tokens_[static_cast<size_t>(id)]; }

 private:
  int64_t Intern(const std::string& origin);
  int64_t Fresh() { return --last_; }
  void Derive(const Graph& graph, const Node& node, std::vector<int64_t>& tokens);
  int64_t Broadcast(const Graph& graph, const Node& node, size_t from_last);

  std::vector<std::vector<int64_t>> tokens_;
  std::map<std::string, int64_t> origins_;
  int64_t last_ = 0;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_PASSES_SIZES_H_
