#include "runtime/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "runtime/checked.h"
#include "runtime/memory_account.h"

namespace pleat::runtime {

std::string ShapeText(const Shape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ",";
    text += shape[i] == kUnknownDim ? "?" : std::to_string(shape[i]);
  }
  return text + "]";
}

int64_t ElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

Shape Strides(const Shape& shape) {
  Shape strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

bool Type::Known() const {
  if (!ranked) return false;
  for (int64_t size : shape) {
    if (size == kUnknownDim) return false;
  }
  return true;
}

std::string TypeText(const Type& type) {
  return std::string(ElementName(type.element)) + (type.ranked ? ShapeText(type.shape) : "[...]");
}

Status CheckType(const Type& type) {
  if (type.rank() > kMaxRank) {
    return LimitExceeded("rank " + std::to_string(type.rank()) + " is above " +
                         std::to_string(kMaxRank));
  }
  Checked bytes = static_cast<int64_t>(ElementSize(type.element));
  for (int64_t size : type.shape) {
    if (size == kUnknownDim) continue;
    if (size < 0) return InvalidModel("negative size in " + TypeText(type));
    // Sizes beside a zero still multiply when strides are made.
    bytes = bytes * std::max<int64_t>(size, 1);
  }
  if (!bytes.ok() || *bytes.get() > kMaxTensorBytes) {
    return LimitExceeded(TypeText(type) + " has more than 2^42 bytes");
  }
  return Status::Ok();
}

Result<int> NormalizeAxis(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    return InvalidModel("axis " + std::to_string(axis) + " is outside [-" + std::to_string(rank) +
                        ", " + std::to_string(rank) + ")");
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Tensor Tensor::Make(ElementType element, Shape shape) {
  Tensor tensor;
  tensor.element_ = element;
  tensor.shape_ = std::move(shape);
  constexpr std::align_val_t kAlignment{64};
  const size_t bytes = std::max<size_t>((tensor.bytes() + 63) / 64 * 64, 64);
  MemoryAccount* account = MemoryAccount::Current();
  auto charge = account == nullptr ? nullptr : account->Charge(bytes);
  void* memory = ::operator new(bytes, kAlignment);
  std::memset(memory, 0, bytes);
  tensor.owner_ = std::shared_ptr<const void>(memory, [charge = std::move(charge)](const void* p) {
    ::operator delete(const_cast<void*>(p), kAlignment);
  });
  tensor.data_ = memory;
  return tensor;
}

Tensor Tensor::Borrow(ElementType element, Shape shape, const void* data,
                      std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.element_ = element;
  tensor.shape_ = std::move(shape);
  tensor.data_ = data;
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::Reshaped(Shape shape) const {
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  PLEAT_CHECK(tensor.count() == count(), "a reshape keeps the number of elements");
  return tensor;
}

}  // namespace pleat::runtime
