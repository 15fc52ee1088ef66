// Checks of index tensors, shared by the operators that gather and scatter.
#ifndef PLEAT_RUNTIME_OPS_INDEX_CHECK_H_
#define PLEAT_RUNTIME_OPS_INDEX_CHECK_H_

#include <span>

#include "runtime/ops/arguments.h"

namespace pleat::runtime {

// Fails where an axis of size 0 is indexed and, when the numbers are known, unless entry i lies in
// [-size, size) of sizes[i % sizes.size()].
Status CheckIndices(const Type& index, const Tensor* known, std::span<const int64_t> sizes);

// Fails unless `index` may index x element by element along `axis`: an integer type, the rank of
// x, and no size above x's but along the axis.
Status CheckElementIndex(const Type& x, const Type& index, int64_t axis);

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_INDEX_CHECK_H_
