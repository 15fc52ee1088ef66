#include "runtime/gathered.h"

#include <algorithm>
#include <cstring>

namespace pleat::runtime {
namespace {

// Bytes of what lies behind axes [0, axis) of a shape, and how often that comes.
struct Parts {
  size_t count, bytes;
};

Parts PartsAt(const Shape& shape, int axis, ElementType element) {
  Parts parts{1, ElementSize(element)};
  for (size_t d = 0; d < shape.size(); ++d) {
    const auto size = static_cast<size_t>(shape[d]);
    (d < static_cast<size_t>(axis) ? parts.count : parts.bytes) *= size;
  }
  return parts;
}

}  // namespace

Status Gathered::Add(const TensorView& slice) {
  const Type type{slice.element, true, {slice.shape.begin(), slice.shape.end()}};
  if (count_ > 0 && type != type_) {
    return InvalidArgument("iterations give slices of " + TypeText(type_) + " and " +
                           TypeText(type) + ", which cannot be gathered");
  }
  type_ = type;
  ++count_;
  const size_t bytes = ByteSize(type);
  if (static_cast<int64_t>(bytes_.size() + bytes) > max_bytes_) {
    return LimitExceeded("the slices gathered need more than the limit of " +
                         std::to_string(max_bytes_) + " bytes");
  }
  const auto* from = static_cast<const std::byte*>(slice.data);
  bytes_.insert(bytes_.end(), from, from + bytes);
  return Status::Ok();
}

Result<Tensor> Gathered::Take(int64_t axis, bool reversed) const {
  Shape slice = type_.shape;
  std::replace(slice.begin(), slice.end(), kUnknownDim, int64_t{0});
  PLEAT_ASSIGN_OR_RETURN(const int at, NormalizeAxis(axis, static_cast<int>(slice.size()) + 1));
  Shape shape = slice;
  shape.insert(shape.begin() + at, count_);
  PLEAT_RETURN_IF_ERROR(CheckType({type_.element, true, shape}));
  Tensor result = Tensor::Make(type_.element, shape);
  const Parts parts = PartsAt(slice, at, type_.element);
  auto* to = static_cast<std::byte*>(result.mutable_raw());
  const auto count = static_cast<size_t>(count_);
  for (size_t part = 0; parts.bytes > 0 && part < parts.count; ++part) {
    for (size_t i = 0; i < count; ++i, to += parts.bytes) {
      const size_t from = reversed ? count - 1 - i : i;
      std::memcpy(to, bytes_.data() + (from * parts.count + part) * parts.bytes, parts.bytes);
    }
  }
  return result;
}

Tensor SliceOf(const Tensor& tensor, int axis, int64_t index) {
  Shape shape = tensor.shape();
  const auto size = static_cast<size_t>(shape[static_cast<size_t>(axis)]);
  shape.erase(shape.begin() + axis);
  Tensor slice = Tensor::Make(tensor.element(), shape);
  const Parts parts = PartsAt(shape, axis, tensor.element());
  const auto* from = static_cast<const std::byte*>(tensor.raw());
  auto* to = static_cast<std::byte*>(slice.mutable_raw());
  for (size_t part = 0; parts.bytes > 0 && part < parts.count; ++part) {
    const size_t at = part * size + static_cast<size_t>(index);
    std::memcpy(to + part * parts.bytes, from + at * parts.bytes, parts.bytes);
  }
  return slice;
}

}  // namespace pleat::runtime
