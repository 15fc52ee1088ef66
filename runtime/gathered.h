// An output of a loop: slices of one type, one from each iteration, along a new axis.
#ifndef PLEAT_RUNTIME_GATHERED_H_
#define PLEAT_RUNTIME_GATHERED_H_

#include <vector>

#include "runtime/session.h"

namespace pleat::runtime {

class Gathered {
 public:
  // `declared` is what is known of the slices before there are any.
  Gathered(const Type& declared, int64_t max_bytes) : type_(declared), max_bytes_(max_bytes) {}

  // Fails where the slice's shape is not that of those before it.
  Status Add(const TensorView& slice);
  // All slices; unknown sizes are 0 where there are none. `reversed`: the last comes first.
  Result<Tensor> Take(int64_t axis, bool reversed) const;

 private:
  Type type_;
  int64_t max_bytes_;
  int64_t count_ = 0;
  std::vector<std::byte> bytes_;
};

// Slice `index` along an axis, that axis left out.
Tensor SliceOf(const Tensor& tensor, int axis, int64_t index);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_GATHERED_H_
