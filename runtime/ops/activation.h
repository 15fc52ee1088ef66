// An activation as a file holds it becomes one that kernels take.
#ifndef PLEAT_RUNTIME_OPS_ACTIVATION_H_
#define PLEAT_RUNTIME_OPS_ACTIVATION_H_

#include <string>

#include "kernels/activation.h"
#include "runtime/graph.h"

namespace pleat::runtime {

// Fails unless the kind is a function from numbers to numbers of the same type.
inline Result<kernels::Activation> ActivationOf(const fb::Activation& fields) {
  const auto kind = static_cast<kernels::UnaryKind>(fields.kind());
  const bool to_number = kind != kernels::UnaryKind::kNot && kind != kernels::UnaryKind::kIsNaN &&
                         kind != kernels::UnaryKind::kIsInf &&
                         kind != kernels::UnaryKind::kBitwiseNot;
  if (fields.kind() >= kernels::kUnaryKindCount || !to_number) {
    return InvalidModel("unknown activation " + std::to_string(fields.kind()));
  }
  return kernels::Activation{kind, fields.a(), fields.b()};
}

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_OPS_ACTIVATION_H_
