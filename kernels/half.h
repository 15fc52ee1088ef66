// The two 16-bit floating-point formats as plain bits, and numbers to and from them, rounded once,
// halves to even: IEEE 754 binary16, and bfloat16 (the upper half of a float32).
#ifndef PLEAT_KERNELS_HALF_H_
#define PLEAT_KERNELS_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace pleat::kernels {

struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

inline float ToFloat(Float16 x) {
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000u) << 16;
  const uint32_t exponent = (x.bits >> 10) & 31u;
  const uint32_t mantissa = x.bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  }
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

inline float ToFloat(BFloat16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}

// x as a float32 whose last bit is set when anything was cut off, so that rounding it again to
// fewer bits is rounding x once.
inline float RoundToOdd(double x) {
  const float rounded = static_cast<float>(x);
  if (std::isnan(x) || static_cast<double>(rounded) == x) return rounded;
  uint32_t bits = std::bit_cast<uint32_t>(rounded);
  if (std::abs(static_cast<double>(rounded)) > std::abs(x)) --bits;
  return std::bit_cast<float>(bits | 1u);
}

inline BFloat16 ToBFloat16(double x) {
  const uint32_t bits = std::bit_cast<uint32_t>(RoundToOdd(x));
  if (std::isnan(x)) return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

inline Float16 ToFloat16(double x) {
  const uint32_t bits = std::bit_cast<uint32_t>(RoundToOdd(x));
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (std::isnan(x)) {
    half = 0x7e00u;
  } else if (magnitude >= 0x477ff000u) {  // 65520
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14
    half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  } else if (magnitude > 0x33000000u) {  // 2^-25
    const uint32_t shift = 126u - (magnitude >> 23);
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    half = (mantissa + (1u << (shift - 1)) - 1u + ((mantissa >> shift) & 1u)) >> shift;
  }
  return {static_cast<uint16_t>(sign | half)};
}

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_HALF_H_
