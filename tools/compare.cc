#include "tools/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace pleat::tools {
namespace {

using kernels::ElementType;
using runtime::Tensor;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Distance(double got, double expected) {
  if (got == expected || (std::isnan(got) && std::isnan(expected))) return 0;
  const double distance = std::abs(got - expected);
  return std::isnan(distance) ? kInfinity : distance;
}

double RoundingOf(ElementType element) {
  if (element == ElementType::kFloat16) return std::ldexp(1, -11);
  if (element == ElementType::kBFloat16) return std::ldexp(1, -8);
  return 0;
}

void CompareExactly(const Tensor& got, const Tensor& expected, Difference& difference) {
  difference.exact = true;
  const size_t size = ElementSize(got.element());
  const auto* a = static_cast<const char*>(got.raw());
  const auto* b = static_cast<const char*>(expected.raw());
  for (int64_t i = 0; i < got.count(); ++i) {
    if (std::equal(a + i * size, a + (i + 1) * size, b + i * size)) continue;
    if (difference.wrong++ == 0) difference.worst = i;
  }
  difference.pass = difference.wrong == 0;
}

}  // namespace

Difference Compare(const Tensor& got, const Tensor& expected, const Tolerance& tolerance) {
  Difference difference;
  const bool floats = IsFloat(got.element()) && IsFloat(expected.element());
  const bool alike = got.element() == expected.element() || (floats && !tolerance.strict);
  if (got.shape() != expected.shape() || !alike) {
    difference.mismatch = "is " + TypeText(got.type()) + ", expected " + TypeText(expected.type());
    return difference;
  }
  const std::vector<double> a = ToDoubles(got), b = ToDoubles(expected);
  for (const double y : b) {
    if (std::isfinite(y)) difference.max_expected = std::max(difference.max_expected, std::abs(y));
  }
  const double scale = difference.max_expected > 0 ? difference.max_expected : 1;
  difference.bound = tolerance.bound + RoundingOf(got.element());
  const bool elementwise = tolerance.atol || tolerance.rtol;
  const double atol =
      elementwise ? std::max(tolerance.atol.value_or(0), tolerance.noise * difference.max_expected)
                  : difference.bound * scale + tolerance.floor;
  double rtol = elementwise ? tolerance.rtol.value_or(0) : 0;
  if (tolerance.strict && got.element() == ElementType::kBFloat16) {
    rtol = std::max(rtol, 4 * RoundingOf(got.element()));
  }
  for (size_t i = 0; i < a.size(); ++i) {
    const double distance = Distance(a[i], b[i]);
    if (distance == 0) continue;
    const double size = std::isfinite(b[i]) ? std::abs(b[i]) : 0;
    if (distance > difference.max_error) {
      difference.max_error = distance;
      difference.worst = static_cast<int64_t>(i);
      difference.worst_got = a[i];
      difference.worst_expected = b[i];
    }
    difference.wrong += distance > atol + rtol * size;
    difference.smallest_atol = std::max(difference.smallest_atol, distance - rtol * size);
    if (distance > atol) {
      difference.smallest_rtol =
          std::max(difference.smallest_rtol, size > 0 ? (distance - atol) / size : kInfinity);
    }
  }
  difference.scaled_error = difference.max_error / scale;
  difference.pass = difference.wrong == 0;
  if (!floats) CompareExactly(got, expected, difference);
  return difference;
}

Json JsonOf(const Difference& difference) {
  Json json = {{"pass", difference.pass}, {"mismatch", TextOrNull(difference.mismatch)}};
  if (!difference.mismatch.empty()) return json;
  if (difference.exact) {
    json["elements_wrong"] = difference.wrong;
    return json;
  }
  json["max_error"] = difference.max_error;
  json["max_expected"] = difference.max_expected;
  json["scaled_error"] = difference.scaled_error;
  json["elements_wrong"] = difference.wrong;
  return json;
}

}  // namespace pleat::tools
