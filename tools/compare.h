// How far numbers are from the right ones.
#ifndef PLEAT_TOOLS_COMPARE_H_
#define PLEAT_TOOLS_COMPARE_H_

#include <optional>
#include <string>

#include "runtime/tensor.h"
#include "tools/console.h"

namespace pleat::tools {

// What is let through, |got - y| per element: at most `atol + rtol * |y|` when one of the two is
// set (the other then counts 0; `atol` at least `noise * max|y|`), else `bound * max|y| + floor`
// over the whole tensor, where 1 stands for max|y| of a tensor of zeros and half a unit in the last
// place is added for 16-bit floats.
struct Tolerance {
  double bound = 1e-4;
  double floor = 0;
  std::optional<double> atol, rtol;
  double noise = 0;
  // As ONNX's own test runner compares: float types must be equal too, and `rtol` counts as two
  // units in the last place of bfloat16 where it is less.
  bool strict = false;
};

// `bound` where weights were rounded to float16 on purpose.
inline constexpr double kHalfWeightsBound = 2e-3;

// The tolerance of ONNX's own test runner.
inline constexpr Tolerance kOnnxTolerance{.atol = 1e-7, .rtol = 1e-3, .strict = true};

// The distance of `got` from `expected`. Integers and booleans must be equal. NaN equals NaN and an
// infinity equals itself; any other distance that involves one is infinite.
struct Difference {
  bool pass = false;
  std::string mismatch;     // what rules out a comparison: type or shape; else empty
  bool exact = false;       // integers or booleans
  double max_error = 0;     // max |got - y|
  double max_expected = 0;  // max |y|
  double scaled_error = 0;  // max_error / max|y|
  double bound = 0;         // what scaled_error is held against, if no atol or rtol is given
  double smallest_atol = 0, smallest_rtol = 0;  // that pass with the other of the two as given
  int64_t wrong = 0;                            // elements beyond the tolerance
  int64_t worst = -1;  // flat index of the element furthest off; -1: none is off
  double worst_got = 0, worst_expected = 0;
};

// `got` may be of another float type than `expected`; its precision decides the rounding granted.
Difference Compare(const runtime::Tensor& got, const runtime::Tensor& expected,
                   const Tolerance& tolerance);

// The difference of one output of a network.
struct OutputDifference {
  std::string name;
  runtime::Type type;
  Difference difference;
};

// {"pass", "mismatch", ...}: what both `verify` and `run --test-data` tell of a difference.
Json JsonOf(const Difference& difference);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_COMPARE_H_
