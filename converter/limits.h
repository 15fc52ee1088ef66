// How much of a network the converter takes before it says kLimitExceeded. All are checked before
// the memory they bound is allocated; SECURITY.md lists them with those that are fixed.
#ifndef PLEAT_CONVERTER_LIMITS_H_
#define PLEAT_CONVERTER_LIMITS_H_

#include <cstdint>

namespace pleat::converter {

struct Limits {
  int64_t file_bytes = INT32_MAX;  // of the ONNX file; protobuf reads no more than this
  int64_t nodes = 1'000'000;       // with calls of functions expanded
  // Of the tensors that there are at one time during a conversion. 0: kBasicMemory, and
  // kMemoryPerByte for each byte read of the file and its external data.
  int64_t memory_bytes = 0;
};

inline constexpr int64_t kBasicMemory = int64_t{4} << 30;
inline constexpr int64_t kMemoryPerByte = 8;  // int8 weights, made float32, their products float64

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_LIMITS_H_
