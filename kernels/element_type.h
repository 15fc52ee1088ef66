// The number types a tensor can hold, and their sizes.
#ifndef PLEAT_KERNELS_ELEMENT_TYPE_H_
#define PLEAT_KERNELS_ELEMENT_TYPE_H_

#include <cstddef>
#include <cstdint>

namespace pleat::kernels {

// Values are part of the model file: append, never renumber.
enum class ElementType : uint8_t {
  kFloat32 = 0,
  kFloat64 = 1,
  kInt64 = 2,
  kInt32 = 3,
  kInt16 = 4,
  kInt8 = 5,
  kUint8 = 6,
  kUint16 = 7,
  kUint32 = 8,
  kUint64 = 9,
  kBool = 10,  // one byte, 0 or 1
  kFloat16 = 11,
  kBFloat16 = 12,
};
inline constexpr int kElementTypeCount = 13;

// Bytes of one element.
constexpr size_t ElementSize(ElementType type) {
  constexpr size_t kSizes[kElementTypeCount] = {4, 8, 8, 4, 2, 1, 1, 2, 4, 8, 1, 2, 2};
  return kSizes[static_cast<size_t>(type)];
}

// The name ONNX users know: "float32", "int64", "bool".
constexpr const char* ElementName(ElementType type) {
  constexpr const char* kNames[kElementTypeCount] = {
      "float32", "float64", "int64",  "int32", "int16",   "int8",    "uint8",
      "uint16",  "uint32",  "uint64", "bool",  "float16", "bfloat16"};
  return kNames[static_cast<size_t>(type)];
}

constexpr bool IsFloat(ElementType type) {
  return type == ElementType::kFloat32 || type == ElementType::kFloat64 ||
         type == ElementType::kFloat16 || type == ElementType::kBFloat16;
}

template <class T>
constexpr ElementType ElementTypeOf();
template <>
constexpr ElementType ElementTypeOf<float>() {
  return ElementType::kFloat32;
}
template <>
constexpr ElementType ElementTypeOf<double>() {
  return ElementType::kFloat64;
}
template <>
constexpr ElementType ElementTypeOf<int64_t>() {
  return ElementType::kInt64;
}
template <>
constexpr ElementType ElementTypeOf<int32_t>() {
  return ElementType::kInt32;
}
template <>
constexpr ElementType ElementTypeOf<int16_t>() {
  return ElementType::kInt16;
}
template <>
constexpr ElementType ElementTypeOf<int8_t>() {
  return ElementType::kInt8;
}
template <>
constexpr ElementType ElementTypeOf<uint8_t>() {
  return ElementType::kUint8;
}
template <>
constexpr ElementType ElementTypeOf<uint16_t>() {
  return ElementType::kUint16;
}
template <>
constexpr ElementType ElementTypeOf<uint32_t>() {
  return ElementType::kUint32;
}
template <>
constexpr ElementType ElementTypeOf<uint64_t>() {
  return ElementType::kUint64;
}
template <>
constexpr ElementType ElementTypeOf<bool>() {
  return ElementType::kBool;
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_ELEMENT_TYPE_H_
