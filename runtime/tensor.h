// Types and tensors: what a value is, and numbers in memory.
#ifndef PLEAT_RUNTIME_TENSOR_H_
#define PLEAT_RUNTIME_TENSOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/element_type.h"
#include "runtime/status.h"

namespace pleat::runtime {

using kernels::ElementName;
using kernels::ElementSize;
using kernels::ElementType;
using kernels::ElementTypeOf;

// Sizes along each axis, outermost first. kUnknownDim where a size is not known yet.
using Shape = std::vector<int64_t>;
inline constexpr int64_t kUnknownDim = -1;
inline constexpr int kMaxRank = 8;
inline constexpr int64_t kMaxTensorBytes = int64_t{1} << 42;

// "[1,3,224,224]"; unknown sizes print as "?".
std::string ShapeText(const Shape& shape);

// Product of the sizes. REQUIRES: all known; the product is within kMaxTensorBytes (as any Type
// that passed CheckType promises).
int64_t ElementCount(const Shape& shape);

// Row-major strides in elements.
Shape Strides(const Shape& shape);

// What is known of a value before it exists.
struct Type {
  ElementType element = ElementType::kFloat32;
  bool ranked = true;  // false: not even the number of dimensions is known; shape is empty
  Shape shape;

  int rank() const { return static_cast<int>(shape.size()); }
  bool Known() const;  // ranked and every size known
  bool operator==(const Type&) const = default;
};

std::string TypeText(const Type& type);  // "float32[1,3,?,?]"

// Fails when rank, a size or the number of bytes is beyond what Pleat handles.
Status CheckType(const Type& type);

// Bytes of a known, checked type.
inline size_t ByteSize(const Type& type) {
  return static_cast<size_t>(ElementCount(type.shape)) * ElementSize(type.element);
}

// A normalised axis in [0, rank), or a failure for one outside [-rank, rank).
Result<int> NormalizeAxis(int64_t axis, int rank);

// Numbers with a type. Copies share memory; the memory lives as long as any copy.
class Tensor {
 public:
  Tensor() = default;
  // New zeroed memory, 64-byte aligned, from the aligned operator new: where memory runs out this
  // fails as the standard containers do. REQUIRES: `shape` is known and checked.
  static Tensor Make(ElementType element, Shape shape);
  // The caller's memory, kept alive by `owner` (which may be null: the caller then promises).
  static Tensor Borrow(ElementType element, Shape shape, const void* data,
                       std::shared_ptr<const void> owner);
  template <class T>
  static Tensor Of(Shape shape, std::span<const T> values);
  template <class T>
  static Tensor Vector(const std::vector<T>& values) {
    return Of<T>({static_cast<int64_t>(values.size())}, values);
  }

  bool empty() const { return data_ == nullptr; }  // holds nothing at all
  ElementType element() const { return element_; }
  const Shape& shape() const { return shape_; }
  Type type() const { return {element_, true, shape_}; }
  int64_t count() const { return ElementCount(shape_); }
  size_t bytes() const { return static_cast<size_t>(count()) * ElementSize(element_); }

  const void* raw() const { return data_; }
  // REQUIRES: made by Make or Of, and not yet shared with anyone who minds.
  void* mutable_raw() { return const_cast<void*>(data_); }

  // REQUIRES: T is the element type.
  template <class T>
  std::span<const T> data() const {
    PLEAT_CHECK(element_ == ElementTypeOf<T>(), "tensor read as another type");
    return {static_cast<const T*>(data_), static_cast<size_t>(count())};
  }
  template <class T>
  std::span<T> mutable_data() {
    PLEAT_CHECK(element_ == ElementTypeOf<T>(), "tensor written as another type");
    return {static_cast<T*>(const_cast<void*>(data_)), static_cast<size_t>(count())};
  }

  // The same numbers under another shape with as many elements.
  Tensor Reshaped(Shape shape) const;

 private:
  ElementType element_ = ElementType::kFloat32;
  Shape shape_;
  const void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

// Every element converted as C++ converts it, floats to integers truncated and saturated (NaN to
// 0), float64 to float32 rounded once; float16 and bfloat16 are handled in both directions.
Tensor Cast(const Tensor& tensor, ElementType to);

// The elements of an integer tensor (int64 or int32) as int64.
std::vector<int64_t> ToInt64s(const Tensor& tensor);
// The elements of a number tensor of any type as double.
std::vector<double> ToDoubles(const Tensor& tensor);

template <class T>
Tensor Tensor::Of(Shape shape, std::span<const T> values) {
  Tensor tensor = Make(ElementTypeOf<T>(), std::move(shape));
  PLEAT_CHECK(static_cast<size_t>(tensor.count()) == values.size(), "as many values as elements");
  std::copy(values.begin(), values.end(), tensor.mutable_data<T>().begin());
  return tensor;
}

}  // namespace pleat::runtime

#endif  // PLEAT_RUNTIME_TENSOR_H_
