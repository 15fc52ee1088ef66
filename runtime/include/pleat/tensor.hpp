// Views of tensors: somebody else's numbers with their type and sizes.
#ifndef PLEAT_TENSOR_HPP_
#define PLEAT_TENSOR_HPP_

#include <pleat/pleat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <utility>

namespace pleat {

// Numbers one after another in memory that is not the span's; std::span takes it.
template <class T>
class Span {
 public:
  Span(T* data, size_t size) : data_(data), size_(size) {}
  T* data() const { return data_; }
  size_t size() const { return size_; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }
  T& operator[](size_t i) const { return data_[i]; }

 private:
  T* data_;
  size_t size_;
};

// The element type that holds a T.
template <class T>
constexpr pleat_element ElementOf() {
  using U = std::remove_cv_t<T>;
  static_assert(std::is_arithmetic_v<U> && sizeof(U) <= 8, "Pleat has no such element type");
  if constexpr (std::is_same_v<U, float>) return PLEAT_FLOAT32;
  if constexpr (std::is_same_v<U, double>) return PLEAT_FLOAT64;
  if constexpr (std::is_same_v<U, bool>) return PLEAT_BOOL;
  if constexpr (std::is_signed_v<U>) {
    return sizeof(U) == 8   ? PLEAT_INT64
           : sizeof(U) == 4 ? PLEAT_INT32
           : sizeof(U) == 2 ? PLEAT_INT16
                            : PLEAT_INT8;
  }
  return sizeof(U) == 8   ? PLEAT_UINT64
         : sizeof(U) == 4 ? PLEAT_UINT32
         : sizeof(U) == 2 ? PLEAT_UINT16
                          : PLEAT_UINT8;
}

// Bytes of one element.
constexpr size_t SizeOf(pleat_element element) {
  constexpr size_t kSizes[] = {4, 8, 8, 4, 2, 1, 1, 2, 4, 8, 1, 2, 2};
  return kSizes[element];
}

// A view of a tensor: somebody else's numbers, with their type and sizes. Owns nothing.
class Tensor {
 public:
  Tensor() = default;

  // `count` numbers; without sizes the model's are taken, one unknown size following from `count`.
  template <class T>
  Tensor(const T* data, size_t count, std::initializer_list<int64_t> shape = {})
      : data_(data), bytes_(count * sizeof(T)), element_(ElementOf<T>()) {
    SetShape(shape.begin(), shape.size(), shape.size() == 0);
  }
  // A vector, array, std::span or other container of contiguous numbers, of the model's sizes.
  template <class C, class T = std::remove_pointer_t<decltype(std::declval<const C&>().data())>,
            class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Tensor(const C& numbers) : Tensor(numbers.data(), numbers.size()) {}
  template <class C, class T = std::remove_pointer_t<decltype(std::declval<const C&>().data())>,
            class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Tensor(const C& numbers, std::initializer_list<int64_t> shape)
      : Tensor(numbers.data(), numbers.size(), shape) {}

  // Pixels as picture readers and cameras give them: rows of RGBRGB..., `row_bytes` apart (0: no
  // gap), for a float32 input of N,C,H,W.
  static Tensor Picture(const uint8_t* pixels, int64_t width, int64_t height, int64_t channels,
                        int64_t row_bytes = 0) {
    Tensor tensor;
    const int64_t row = row_bytes == 0 ? width * channels : row_bytes;
    const int64_t shape[] = {1, height, width, channels};
    tensor.data_ = pixels;
    tensor.bytes_ = height < 1 ? 0 : static_cast<size_t>((height - 1) * row + width * channels);
    tensor.element_ = PLEAT_UINT8;
    tensor.layout_ = PLEAT_CHANNELS_LAST;
    tensor.SetShape(shape, 4, false);
    const int64_t strides[] = {0, row, channels, 1};
    tensor.strided_ = true;
    std::copy_n(strides, 4, tensor.strides_);
    return tensor;
  }

  // The same, each number becoming (number - mean[c]) * scale[c] as it is read; one entry a
  // channel, null for all 0 or all 1. They must live until the tensor is given to a session.
  Tensor Normalized(const float* mean, const float* scale) const {
    Tensor tensor = *this;
    tensor.mean_ = mean;
    tensor.scale_ = scale;
    return tensor;
  }

  pleat_element element() const { return element_; }
  size_t rank() const { return rank_; }
  Span<const int64_t> shape() const { return {shape_, rank_}; }
  size_t bytes() const { return bytes_; }
  const void* raw() const { return data_; }
  // The numbers as T; none when the element type is another.
  template <class T>
  Span<const T> data() const {
    if (element_ != ElementOf<T>() || data_ == nullptr) return {nullptr, 0};
    return {static_cast<const T*>(data_), bytes_ / sizeof(T)};
  }
  // REQUIRES: float32, and i is in range.
  float operator[](size_t i) const { return static_cast<const float*>(data_)[i]; }

 private:
  friend class Session;

  void SetShape(const int64_t* shape, size_t rank, bool of_model) {
    of_model_ = of_model;
    rank_ = rank;
    std::copy_n(shape, rank < PLEAT_MAX_RANK ? rank : PLEAT_MAX_RANK, shape_);
  }

  const void* data_ = nullptr;
  size_t bytes_ = 0;
  pleat_element element_ = PLEAT_FLOAT32;
  pleat_layout layout_ = PLEAT_AS_MODEL;
  bool of_model_ = true;  // the sizes are the model's
  bool strided_ = false;
  size_t rank_ = 0;
  int64_t shape_[PLEAT_MAX_RANK] = {};
  int64_t strides_[PLEAT_MAX_RANK] = {};
  const float* mean_ = nullptr;
  const float* scale_ = nullptr;
};

}  // namespace pleat

#endif  // PLEAT_TENSOR_HPP_
