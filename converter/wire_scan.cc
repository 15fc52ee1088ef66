#include "converter/wire_scan.h"

#include <optional>
#include <string>
#include <vector>

namespace pleat::converter {
namespace {

using runtime::InvalidModel;
using runtime::LimitExceeded;
using runtime::Status;

enum class Kind : uint8_t {
  kModel,
  kGraph,
  kNode,
  kAttribute,
  kTensor,
  kSparseTensor,
  kValueInfo,
  kType,
  kTypeTensor,
  kTypeSequence,
  kTypeMap,
  kShape,
  kFunction,
  kTrainingInfo,
  kStringEntry,
  kFlat,  // no message inside; also stands for the strings of a repeated field
};

struct Field {
  Kind parent;
  uint32_t number;
  Kind child;
};

constexpr Field kFields[] = {
    {Kind::kModel, 7, Kind::kGraph},
    {Kind::kModel, 8, Kind::kFlat},
    {Kind::kModel, 14, Kind::kFlat},
    {Kind::kModel, 20, Kind::kTrainingInfo},
    {Kind::kModel, 25, Kind::kFunction},
    {Kind::kGraph, 1, Kind::kNode},
    {Kind::kGraph, 5, Kind::kTensor},
    {Kind::kGraph, 11, Kind::kValueInfo},
    {Kind::kGraph, 12, Kind::kValueInfo},
    {Kind::kGraph, 13, Kind::kValueInfo},
    {Kind::kGraph, 14, Kind::kStringEntry},
    {Kind::kGraph, 15, Kind::kSparseTensor},
    {Kind::kNode, 1, Kind::kFlat},
    {Kind::kNode, 2, Kind::kFlat},
    {Kind::kNode, 5, Kind::kAttribute},
    {Kind::kAttribute, 5, Kind::kTensor},
    {Kind::kAttribute, 6, Kind::kGraph},
    {Kind::kAttribute, 9, Kind::kFlat},
    {Kind::kAttribute, 10, Kind::kTensor},
    {Kind::kAttribute, 11, Kind::kGraph},
    {Kind::kAttribute, 14, Kind::kType},
    {Kind::kAttribute, 15, Kind::kType},
    {Kind::kAttribute, 22, Kind::kSparseTensor},
    {Kind::kAttribute, 23, Kind::kSparseTensor},
    {Kind::kTensor, 6, Kind::kFlat},
    {Kind::kTensor, 13, Kind::kFlat},
    {Kind::kSparseTensor, 1, Kind::kTensor},
    {Kind::kSparseTensor, 2, Kind::kTensor},
    {Kind::kValueInfo, 2, Kind::kType},
    {Kind::kType, 1, Kind::kTypeTensor},
    {Kind::kType, 4, Kind::kTypeSequence},
    {Kind::kType, 5, Kind::kTypeMap},
    {Kind::kType, 8, Kind::kTypeTensor},
    {Kind::kType, 9, Kind::kTypeSequence},
    {Kind::kTypeSequence, 1, Kind::kType},
    {Kind::kTypeMap, 2, Kind::kType},
    {Kind::kTypeTensor, 2, Kind::kShape},
    {Kind::kShape, 1, Kind::kFlat},
    {Kind::kFunction, 4, Kind::kFlat},
    {Kind::kFunction, 5, Kind::kFlat},
    {Kind::kFunction, 6, Kind::kFlat},
    {Kind::kFunction, 7, Kind::kNode},
    {Kind::kFunction, 9, Kind::kFlat},
    {Kind::kFunction, 11, Kind::kAttribute},
    {Kind::kTrainingInfo, 1, Kind::kGraph},
    {Kind::kTrainingInfo, 2, Kind::kGraph},
    {Kind::kTrainingInfo, 3, Kind::kStringEntry},
    {Kind::kTrainingInfo, 4, Kind::kStringEntry},
    {Kind::kStringEntry, 2, Kind::kFlat},
};

std::optional<Kind> ChildOf(Kind parent, uint64_t number) {
  for (const Field& field : kFields) {
    if (field.parent == parent && field.number == number) return field.child;
  }
  return std::nullopt;
}

class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}
  size_t position() const { return position_; }

  bool Varint(size_t end, uint64_t* value) {
    *value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (position_ >= end) return false;
      const auto byte = static_cast<uint64_t>(bytes_[position_++]);
      *value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }
  bool Skip(size_t end, uint64_t count) {
    if (count > end - position_) return false;
    position_ += static_cast<size_t>(count);
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

Status NotProtobuf(size_t offset) {
  return InvalidModel("not an ONNX model: byte " + std::to_string(offset) +
                      " is not protobuf (truncated or damaged file?)");
}

}  // namespace

Status ScanModelWire(std::span<const std::byte> bytes, const WireLimits& limits) {
  struct Open {
    Kind kind;
    size_t end;
  };
  std::vector<Open> open = {{Kind::kModel, bytes.size()}};
  Cursor cursor(bytes);
  int64_t objects = 0;
  while (!open.empty()) {
    const auto [kind, end] = open.back();
    const size_t start = cursor.position();
    if (start == end) {
      open.pop_back();
      continue;
    }
    uint64_t tag = 0;
    if (!cursor.Varint(end, &tag) || tag >> 3 == 0 || tag > UINT32_MAX) return NotProtobuf(start);
    uint64_t length = 0;
    bool good = false;
    switch (tag & 7) {
      case 0:
        good = cursor.Varint(end, &length);
        break;
      case 1:
        good = cursor.Skip(end, 8);
        break;
      case 5:
        good = cursor.Skip(end, 4);
        break;
      case 2: {
        if (!cursor.Varint(end, &length) || length > end - cursor.position()) break;
        const std::optional<Kind> child = ChildOf(kind, tag >> 3);
        if (child && ++objects > limits.max_objects) {
          return LimitExceeded("the model holds more than " + std::to_string(limits.max_objects) +
                               " messages and names");
        }
        if (!child || *child == Kind::kFlat) {
          good = cursor.Skip(end, length);
          break;
        }
        if (static_cast<int64_t>(open.size()) >= limits.max_depth) {
          return LimitExceeded("messages are nested deeper than " +
                               std::to_string(limits.max_depth));
        }
        open.push_back({*child, cursor.position() + static_cast<size_t>(length)});
        good = true;
        break;
      }
      default:
        break;
    }
    if (!good) return NotProtobuf(start);
  }
  return Status::Ok();
}

}  // namespace pleat::converter
