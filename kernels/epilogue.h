// What happens to a sum before it is stored: bounds are applied in registers, every other
// activation to the block just written, while it is in the cache.
#ifndef PLEAT_KERNELS_EPILOGUE_H_
#define PLEAT_KERNELS_EPILOGUE_H_

#include <cstddef>
#include <limits>

#include "kernels/activation.h"

namespace pleat::kernels {

struct Epilogue {
  explicit Epilogue(const Activation& act) : activation(act) {
    if (act.kind == UnaryKind::kClip) {
      low = act.a;
      high = act.b;
    }
    bounds_only = act.kind == UnaryKind::kIdentity || act.kind == UnaryKind::kClip;
  }

  // Applies what is not bounds to `rows` rows of `columns` values, `step` apart.
  void Finish(float* y, size_t rows, size_t columns, size_t step) const;

  Activation activation;
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
  bool bounds_only;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_EPILOGUE_H_
