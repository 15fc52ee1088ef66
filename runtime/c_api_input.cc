#include "runtime/c_api_input.h"

#include <algorithm>

#include "runtime/checked.h"

namespace pleat::runtime {
namespace {

std::string SourceText(const StridedSource& source) {
  return TypeText({source.element, true, {source.shape, source.shape + source.rank}});
}

// The tensor's fields that can be judged without the model, axes in the model's order.
Result<StridedSource> Describe(const pleat_tensor& tensor) {
  if (tensor.element < 0 || tensor.element >= kernels::kElementTypeCount) {
    return InvalidArgument("element type " + std::to_string(tensor.element) + " is unknown",
                           "ELEMENT_TYPE");
  }
  if (tensor.layout != PLEAT_AS_MODEL && tensor.layout != PLEAT_CHANNELS_LAST) {
    return InvalidArgument("layout " + std::to_string(tensor.layout) + " is unknown", "LAYOUT");
  }
  if (tensor.rank > PLEAT_MAX_RANK) {
    return InvalidArgument("rank " + std::to_string(tensor.rank) + " is above 8", "RANK");
  }
  if (tensor.rank > 0 && tensor.shape == nullptr) {
    return InvalidArgument("shape is NULL", "NULL_ARGUMENT");
  }
  StridedSource source;
  source.element = static_cast<ElementType>(tensor.element);
  source.data = tensor.data;
  source.rank = static_cast<int>(tensor.rank);
  Checked dense = 1;
  Checked bytes = static_cast<int64_t>(sizeof(double));
  for (int axis = source.rank; axis-- > 0;) {
    const int64_t size = tensor.shape[axis];
    if (size < 0) return InvalidArgument("size " + std::to_string(size) + " is negative", "SHAPE");
    bytes = bytes * std::max<int64_t>(size, 1);
    source.shape[axis] = size;
    source.strides[axis] = tensor.strides != nullptr ? tensor.strides[axis] : dense.value_or(0);
    if (source.strides[axis] < 0) return InvalidArgument("a stride is negative", "STRIDES");
    dense = dense * size;
  }
  if (bytes.value_or(kMaxTensorBytes) >= kMaxTensorBytes) {
    return LimitExceeded("the tensor has 2^42 bytes or more");
  }
  if (tensor.layout == PLEAT_CHANNELS_LAST) {
    if (source.rank < 3) {
      return InvalidArgument(
          "channels last needs a rank of 3 or more, got " + std::to_string(source.rank), "LAYOUT");
    }
    std::rotate(source.shape + 1, source.shape + source.rank - 1, source.shape + source.rank);
    std::rotate(source.strides + 1, source.strides + source.rank - 1, source.strides + source.rank);
  }
  source.channel_axis = 1;
  if ((tensor.mean != nullptr || tensor.scale != nullptr) && source.rank < 2) {
    return InvalidArgument(
        "mean and scale need a channel axis, got rank " + std::to_string(source.rank),
        "MEAN_SCALE");
  }
  source.mean = tensor.mean;
  source.scale = tensor.scale;
  return source;
}

}  // namespace

SessionInput::SessionInput(const Value& value) : value_(&value), shape_(value.type.shape) {
  shape_.reserve(kMaxRank);
}

Status SessionInput::CheckAgainstModel(const StridedSource& source) const {
  const Type& type = value_->type;
  bool fits = !type.ranked || type.rank() == source.rank;
  for (int axis = 0; fits && type.ranked && axis < source.rank; ++axis) {
    const int64_t size = type.shape[static_cast<size_t>(axis)];
    fits = size == kUnknownDim || size == source.shape[axis];
  }
  if (!fits) {
    return InvalidArgument("expected " + TypeText(type) + ", got " + SourceText(source), "SHAPE");
  }
  const bool factors = source.mean != nullptr || source.scale != nullptr;
  const bool pixels =
      source.element == ElementType::kUint8 && type.element == ElementType::kFloat32;
  if (source.element != type.element && !pixels) {
    return InvalidArgument("expected " + TypeText(type) + ", got " + SourceText(source),
                           "ELEMENT_TYPE");
  }
  if (factors && type.element != ElementType::kFloat32) {
    return InvalidArgument("mean and scale need a float32 input, this is " + TypeText(type),
                           "MEAN_SCALE");
  }
  return Status::Ok();
}

Status SessionInput::CheckMemory(const StridedSource& source, const pleat_tensor& tensor) const {
  const int64_t reach = ReachOf(source);
  if (reach == 0) return Status::Ok();
  if (tensor.data == nullptr) return InvalidArgument("data is NULL", "NULL_ARGUMENT");
  const auto size = static_cast<int64_t>(ElementSize(source.element));
  const int64_t needed = reach < 0 ? -1 : (Checked(reach) * size).value_or(-1);
  if (needed < 0 || static_cast<uint64_t>(needed) > tensor.bytes) {
    return InvalidArgument(
        "expected " +
            (needed < 0 ? std::string("more memory than there can be") : std::to_string(needed)) +
            " bytes for " + SourceText(source) + ", got " + std::to_string(tensor.bytes),
        "BUFFER_TOO_SMALL");
  }
  return Status::Ok();
}

Status SessionInput::Set(const pleat_tensor& tensor, bool* reshaped) {
  const auto where = [&] { return "input " + value_->name; };
  Result<StridedSource> described = Describe(tensor);
  if (!described.ok()) return described.status().In(where());
  const StridedSource& source = *described;
  if (Status status = CheckAgainstModel(source); !status.ok()) return status.In(where());
  if (Status status = CheckMemory(source, tensor); !status.ok()) return status.In(where());

  const bool dense = IsDense(source, value_->type.element);
  const bool same_shape =
      set_ && std::equal(shape_.begin(), shape_.end(), source.shape, source.shape + source.rank);
  Tensor fresh;
  if (!dense && (!same_shape || read_.empty())) {
    fresh = Tensor::Make(value_->type.element, {source.shape, source.shape + source.rank});
  }
  const size_t channels = source.rank < 2 ? 0 : static_cast<size_t>(source.shape[1]);
  mean_.reserve(channels);
  scale_.reserve(channels);

  set_ = true;
  dense_ = dense;
  *reshaped = !same_shape;
  if (!same_shape || !fresh.empty()) read_ = std::move(fresh);
  shape_.assign(source.shape, source.shape + source.rank);
  source_ = source;
  if (source.mean != nullptr) {
    mean_.assign(source.mean, source.mean + channels);
    source_.mean = mean_.data();
  }
  if (source.scale != nullptr) {
    scale_.assign(source.scale, source.scale + channels);
    source_.scale = scale_.data();
  }
  return Status::Ok();
}

TensorView SessionInput::Read() {
  if (dense_) return {value_->type.element, shape_, source_.data};
  ReadInput(source_, value_->type.element, read_.mutable_raw());
  return {value_->type.element, shape_, read_.raw()};
}

}  // namespace pleat::runtime
