// Declares every operator's rule, from the list.
#ifndef PLEAT_RUNTIME_OPS_OPS_H_
#define PLEAT_RUNTIME_OPS_OPS_H_

#include "runtime/op.h"

namespace pleat::runtime {

#define PLEAT_OP(name) extern const OpRule k##name##Rule;
#include "runtime/ops/ops.inc"
#undef PLEAT_OP

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_OPS_H_
