// A walk over a serialised ModelProto that allocates nothing: proof that the bytes are protobuf and
// that parsing them makes no more objects than a real model has.
#ifndef PLEAT_CONVERTER_WIRE_SCAN_H_
#define PLEAT_CONVERTER_WIRE_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "runtime/status.h"

namespace pleat::converter {

struct WireLimits {
  int64_t max_depth = 100;           // of messages within messages
  int64_t max_objects = 16'000'000;  // messages and strings together
};

// Follows the fields of ModelProto (onnx.proto3) that hold messages or repeated strings.
// kInvalidModel names the offset of the first byte that is not protobuf; kLimitExceeded names the
// limit. Time is linear in the bytes, memory constant.
runtime::Status ScanModelWire(std::span<const std::byte> bytes, const WireLimits& limits);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_WIRE_SCAN_H_
