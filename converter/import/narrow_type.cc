#include "converter/import/narrow_type.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "converter/import/tensor_proto.h"

namespace pleat::converter {
namespace {

using runtime::ElementType;
using runtime::Tensor;
using Special = NarrowType::Special;

constexpr int kFirst = 17;  // TensorProto.FLOAT8E4M3FN, which older ONNX headers do not name
constexpr NarrowType kTypes[] = {
    {"float8e4m3fn", ElementType::kFloat32, 8, true, 3, 7, 448, Special::kLastIsNaN},
    {"float8e4m3fnuz", ElementType::kFloat32, 8, true, 3, 8, 240, Special::kMinusZeroIsNaN},
    {"float8e5m2", ElementType::kFloat32, 8, true, 2, 15, 57344, Special::kInfinities},
    {"float8e5m2fnuz", ElementType::kFloat32, 8, true, 2, 16, 57344, Special::kMinusZeroIsNaN},
    {"uint4", ElementType::kUint8, 4, false, 0, 0, 15, Special::kNone},
    {"int4", ElementType::kInt8, 4, true, 0, 0, 7, Special::kNone},
    {"float4e2m1", ElementType::kFloat32, 4, true, 1, 1, 6, Special::kNone},
    {"float8e8m0", ElementType::kFloat32, 8, false, 0, 127, 0x1p127, Special::kLastIsNaN},
    {"uint2", ElementType::kUint8, 2, false, 0, 0, 3, Special::kNone},
    {"int2", ElementType::kInt8, 2, true, 0, 0, 1, Special::kNone},
};

constexpr const char* kMovers[] = {
    "Concat",    "Constant", "ConstantOfShape", "Expand",  "Flatten", "Gather",  "GatherElements",
    "GatherND",  "Identity", "Reshape",         "Slice",   "Split",   "Squeeze", "Tile",
    "Transpose", "Unsqueeze"};
constexpr const char* kReaders[] = {"Cast", "CastLike", "DequantizeLinear", "QuantizeLinear",
                                    "Shape", "Size"};

template <size_t N>
bool IsOneOf(const char* const (&names)[N], const std::string& op) {
  return std::find(std::begin(names), std::end(names), op) != std::end(names);
}

double FloatOf(const NarrowType& type, uint32_t bits) {
  const uint32_t magnitude = type.sign ? bits & ((1u << (type.bits - 1)) - 1) : bits;
  const uint32_t last = (1u << (type.bits - (type.sign ? 1 : 0))) - 1;
  const double sign = type.sign && magnitude != bits ? -1 : 1;
  const auto fraction = static_cast<int>(magnitude & ((1u << type.mantissa) - 1));
  const auto exponent = static_cast<int>(magnitude >> type.mantissa);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  if (type.special == Special::kLastIsNaN && magnitude == last) return nan;
  if (type.special == Special::kMinusZeroIsNaN && magnitude == 0 && sign < 0) return nan;
  if (type.special == Special::kInfinities && exponent == static_cast<int>(last >> type.mantissa)) {
    return fraction != 0 ? nan : sign * std::numeric_limits<double>::infinity();
  }
  // Without a mantissa there are no numbers below the first power of two.
  if (type.mantissa == 0) return std::ldexp(1, exponent - type.bias);
  const int whole = exponent > 0 ? fraction + (1 << type.mantissa) : fraction;
  return sign * std::ldexp(whole, std::max(exponent, 1) - type.bias - type.mantissa);
}

double NumberOf(const NarrowType& type, uint32_t bits) {
  if (type.is_float()) return FloatOf(type, bits);
  const double number = bits;
  return number > type.largest ? number - std::ldexp(1, type.bits) : number;
}

template <class T>
void Unpack(const NarrowType& type, std::span<const uint8_t> bytes, Tensor* tensor) {
  std::array<T, 256> numbers = {};
  const uint32_t mask = (1u << type.bits) - 1;
  for (uint32_t i = 0; i <= mask; ++i) numbers[i] = static_cast<T>(NumberOf(type, i));
  const size_t bits = static_cast<size_t>(type.bits), each = 8 / bits;
  auto* out = static_cast<T*>(tensor->mutable_raw());
  for (size_t i = 0; i < static_cast<size_t>(tensor->count()); ++i) {
    out[i] = numbers[(uint32_t{bytes[i / each]} >> (bits * (i % each))) & mask];
  }
}

}  // namespace

const NarrowType* NarrowTypeOf(int data_type) {
  const int count = static_cast<int>(std::size(kTypes));
  return data_type < kFirst || data_type >= kFirst + count ? nullptr : &kTypes[data_type - kFirst];
}

runtime::Result<ElementType> CarrierOfOnnx(int data_type) {
  const NarrowType* narrow = NarrowTypeOf(data_type);
  if (narrow != nullptr) return narrow->carrier;
  return ElementTypeOfOnnx(data_type);
}

size_t PackedBytes(const NarrowType& type, int64_t count) {
  const int64_t each = 8 / type.bits;
  return static_cast<size_t>(count / each + (count % each != 0));
}

Tensor Unpacked(const NarrowType& type, runtime::Shape shape, std::span<const uint8_t> bytes) {
  Tensor tensor = Tensor::Make(type.carrier, std::move(shape));
  if (type.is_float()) {
    Unpack<float>(type, bytes, &tensor);
  } else if (type.sign) {
    Unpack<int8_t>(type, bytes, &tensor);
  } else {
    Unpack<uint8_t>(type, bytes, &tensor);
  }
  return tensor;
}

NarrowUse NarrowUseOf(const std::string& op) {
  if (IsOneOf(kMovers, op)) return NarrowUse::kMoves;
  return IsOneOf(kReaders, op) ? NarrowUse::kReads : NarrowUse::kNone;
}

}  // namespace pleat::converter
