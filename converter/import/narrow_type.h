// ONNX's types of less than a byte, and its floats of 8 bits. A value of one is held, exactly, in a
// wider element type: int8 or uint8 for integers, float32 for floats; inside the network and as its
// input or output. What rounds to such a type is written out where ONNX converts to it.
#ifndef PLEAT_CONVERTER_IMPORT_NARROW_TYPE_H_
#define PLEAT_CONVERTER_IMPORT_NARROW_TYPE_H_

#include <cstdint>
#include <span>
#include <string>

#include "runtime/tensor.h"

namespace pleat::converter {

struct NarrowType {
  const char* name;
  runtime::ElementType carrier;
  int bits;
  bool sign;
  int mantissa, bias;  // of floats
  double largest;      // the largest number; integers reach from -largest - 1 or 0
  enum class Special { kNone, kInfinities, kLastIsNaN, kMinusZeroIsNaN } special;

  bool is_float() const { return carrier == runtime::ElementType::kFloat32; }
  double smallest() const { return is_float() || !sign ? 0 : -largest - 1; }
  int lowest_exponent() const { return 1 - bias - mantissa; }
};

// Null for all other types of ONNX's.
const NarrowType* NarrowTypeOf(int data_type);

// The element type that values of ONNX's type are held in.
runtime::Result<runtime::ElementType> CarrierOfOnnx(int data_type);

// Elements as ONNX packs them: the first in the lowest bits.
size_t PackedBytes(const NarrowType& type, int64_t count);
// REQUIRES: PackedBytes() of them.
runtime::Tensor Unpacked(const NarrowType& type, runtime::Shape shape,
                         std::span<const uint8_t> bytes);

// What an operator does with values of narrow types: it moves them, or it reads them itself; all
// others would compute with them, which ONNX does not define.
enum class NarrowUse { kNone, kMoves, kReads };
NarrowUse NarrowUseOf(const std::string& op);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_NARROW_TYPE_H_
