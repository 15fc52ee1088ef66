// From an element type to the C++ type that holds it: what a kernel written once for all of them
// needs.
#ifndef PLEAT_KERNELS_VISIT_TYPE_H_
#define PLEAT_KERNELS_VISIT_TYPE_H_

#include <cstdlib>

#include "kernels/element_type.h"

namespace pleat::kernels {

// True for the types VisitNumber knows.
constexpr bool IsNumber(ElementType type) { return type <= ElementType::kUint64; }

// Returns f.operator()<T>() with the T that holds a `type`.
// REQUIRES: IsNumber(type), so neither bool nor a half-width float.
template <class F>
decltype(auto) VisitNumber(ElementType type, F&& f) {
  switch (type) {
    case ElementType::kFloat32:
      return f.template operator()<float>();
    case ElementType::kFloat64:
      return f.template operator()<double>();
    case ElementType::kInt64:
      return f.template operator()<int64_t>();
    case ElementType::kInt32:
      return f.template operator()<int32_t>();
    case ElementType::kInt16:
      return f.template operator()<int16_t>();
    case ElementType::kInt8:
      return f.template operator()<int8_t>();
    case ElementType::kUint8:
      return f.template operator()<uint8_t>();
    case ElementType::kUint16:
      return f.template operator()<uint16_t>();
    case ElementType::kUint32:
      return f.template operator()<uint32_t>();
    case ElementType::kUint64:
      return f.template operator()<uint64_t>();
    default:
      std::abort();
  }
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_VISIT_TYPE_H_
