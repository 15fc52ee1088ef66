#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

#include "runtime/tensor.h"

namespace pleat::runtime {
namespace {

float HalfToFloat(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 31u;
  const uint32_t mantissa = bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
}

// Rounds to the nearest, halves to even.
uint16_t DoubleToHalf(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000u : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return sign | 0x7e00u;
  if (magnitude >= 65520.0) return sign | 0x7c00u;
  if (magnitude < 0x1p-14) {
    return sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
  }
  int exponent;
  std::frexp(magnitude, &exponent);  // magnitude in [2^(exponent-1), 2^exponent)
  const double mantissa = std::nearbyint(std::ldexp(magnitude, 11 - exponent));  // [1024, 2048]
  return sign | static_cast<uint16_t>(((exponent + 13) << 10) + static_cast<int>(mantissa));
}

uint16_t FloatToBFloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <class To, class From>
To ConvertNumber(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From(0);
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return 0;
    const From low = static_cast<From>(std::numeric_limits<To>::min());
    const From high = std::ldexp(From(1), std::numeric_limits<To>::digits);
    if (value <= low) return std::numeric_limits<To>::min();
    if (value >= high) return std::numeric_limits<To>::max();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

// Calls visit(span of elements) with the elements as numbers; half floats are widened first.
template <class Visit>
void VisitNumbers(const Tensor& tensor, Visit&& visit) {
  switch (tensor.element()) {
    case ElementType::kFloat32:
      return visit(tensor.data<float>());
    case ElementType::kFloat64:
      return visit(tensor.data<double>());
    case ElementType::kInt64:
      return visit(tensor.data<int64_t>());
    case ElementType::kInt32:
      return visit(tensor.data<int32_t>());
    case ElementType::kInt16:
      return visit(tensor.data<int16_t>());
    case ElementType::kInt8:
      return visit(tensor.data<int8_t>());
    case ElementType::kUint8:
      return visit(tensor.data<uint8_t>());
    case ElementType::kUint16:
      return visit(tensor.data<uint16_t>());
    case ElementType::kUint32:
      return visit(tensor.data<uint32_t>());
    case ElementType::kUint64:
      return visit(tensor.data<uint64_t>());
    case ElementType::kBool:
      return visit(tensor.data<bool>());
    case ElementType::kFloat16:
    case ElementType::kBFloat16: {
      const auto* bits = static_cast<const uint16_t*>(tensor.raw());
      std::vector<float> wide(static_cast<size_t>(tensor.count()));
      for (size_t i = 0; i < wide.size(); ++i) {
        wide[i] = tensor.element() == ElementType::kFloat16
                      ? HalfToFloat(bits[i])
                      : std::bit_cast<float>(static_cast<uint32_t>(bits[i]) << 16);
      }
      return visit(std::span<const float>(wide));
    }
  }
}

template <class To>
void FillFrom(const Tensor& from, std::span<To> to) {
  VisitNumbers(from, [&](auto numbers) {
    for (size_t i = 0; i < to.size(); ++i) to[i] = ConvertNumber<To>(numbers[i]);
  });
}

}  // namespace

Tensor Cast(const Tensor& tensor, ElementType to) {
  if (tensor.element() == to) return tensor;
  Tensor result = Tensor::Make(to, tensor.shape());
  switch (to) {
    case ElementType::kFloat32:
      FillFrom(tensor, result.mutable_data<float>());
      break;
    case ElementType::kFloat64:
      FillFrom(tensor, result.mutable_data<double>());
      break;
    case ElementType::kInt64:
      FillFrom(tensor, result.mutable_data<int64_t>());
      break;
    case ElementType::kInt32:
      FillFrom(tensor, result.mutable_data<int32_t>());
      break;
    case ElementType::kInt16:
      FillFrom(tensor, result.mutable_data<int16_t>());
      break;
    case ElementType::kInt8:
      FillFrom(tensor, result.mutable_data<int8_t>());
      break;
    case ElementType::kUint8:
      FillFrom(tensor, result.mutable_data<uint8_t>());
      break;
    case ElementType::kUint16:
      FillFrom(tensor, result.mutable_data<uint16_t>());
      break;
    case ElementType::kUint32:
      FillFrom(tensor, result.mutable_data<uint32_t>());
      break;
    case ElementType::kUint64:
      FillFrom(tensor, result.mutable_data<uint64_t>());
      break;
    case ElementType::kBool:
      FillFrom(tensor, result.mutable_data<bool>());
      break;
    case ElementType::kFloat16:
    case ElementType::kBFloat16: {
      const std::vector<double> numbers = ToDoubles(tensor);
      auto* bits = static_cast<uint16_t*>(result.mutable_raw());
      for (size_t i = 0; i < numbers.size(); ++i) {
        bits[i] = to == ElementType::kFloat16 ? DoubleToHalf(numbers[i])
                                              : FloatToBFloat16(static_cast<float>(numbers[i]));
      }
    }
  }
  return result;
}

std::vector<int64_t> ToInt64s(const Tensor& tensor) {
  std::vector<int64_t> values(static_cast<size_t>(tensor.count()));
  FillFrom(tensor, std::span(values));
  return values;
}

std::vector<double> ToDoubles(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.count()));
  FillFrom(tensor, std::span(values));
  return values;
}

}  // namespace pleat::runtime
