// Numpy's broadcasting as one loop over runs: axes that all operands cross alike are merged, and
// the innermost one that is left is a run along which each operand advances by one element or
// stays.
#ifndef PLEAT_KERNELS_BROADCAST_H_
#define PLEAT_KERNELS_BROADCAST_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pleat::kernels {

// kOperands dense inputs and a dense output of the broadcast shape.
// REQUIRES: the shapes broadcast; at most 8 axes.
template <size_t kOperands>
class Broadcast {
 public:
  using Offsets = std::array<int64_t, kOperands>;

  explicit Broadcast(const std::array<std::vector<int64_t>, kOperands>& shapes) {
    size_t rank = 0;
    for (const auto& shape : shapes) rank = std::max(rank, shape.size());
    Offsets step;
    step.fill(1);
    for (size_t back = 1; back <= rank; ++back) {
      Axis axis{.size = 1};
      for (const auto& shape : shapes) {
        if (const int64_t size = SizeAt(shape, back); size != 1) axis.size = size;
      }
      count_ *= axis.size;
      for (size_t k = 0; k < kOperands; ++k) {
        const int64_t size = SizeAt(shapes[k], back);
        axis.strides[k] = size == 1 ? 0 : step[k];
        step[k] *= size;
      }
      Append(axis);
    }
    while (axes_used_ < 2) axes_[axes_used_++] = Axis{.size = 1};
  }

  // Elements of the output.
  int64_t count() const { return count_; }
  // Elements operand k advances by along a run: 0 or 1; and from a run to the next one.
  int64_t run_stride(size_t k) const { return axes_[0].strides[k]; }
  int64_t row_stride(size_t k) const { return axes_[1].strides[k]; }

  // Calls f(offsets, output_offset, length) for the runs that cover outputs [begin, end).
  template <class F>
  void Walk(int64_t begin, int64_t end, F&& f) const {
    WalkRows(begin, end, [&](Offsets at, int64_t out, int64_t length, int64_t rows) {
      for (int64_t row = 0; row < rows; ++row) {
        f(at, out + row * length, length);
        for (size_t k = 0; k < kOperands; ++k) at[k] += row_stride(k);
      }
    });
  }

  // The same in blocks of `rows` runs that are row_stride apart, one after the other in the output:
  // f(offsets, output_offset, length, rows).
  template <class F>
  void WalkRows(int64_t begin, int64_t end, F&& f) const {
    if (begin >= end) return;
    std::array<int64_t, kMaxAxes> at{};
    Offsets offsets{};
    int64_t rest = begin;
    for (size_t axis = 0; axis < axes_used_; ++axis) {
      at[axis] = rest % axes_[axis].size;
      rest /= axes_[axis].size;
      for (size_t k = 0; k < kOperands; ++k) offsets[k] += at[axis] * axes_[axis].strides[k];
    }
    while (true) {
      const int64_t length = std::min(axes_[0].size - at[0], end - begin);
      int64_t rows = 1;
      if (length == axes_[0].size) rows = std::min(axes_[1].size - at[1], (end - begin) / length);
      f(offsets, begin, length, rows);
      begin += length * rows;
      if (begin >= end) return;
      Advance(0, axes_[0].size - at[0], at, offsets);
      if (rows > 1) Advance(1, rows - 1, at, offsets);
    }
  }

 private:
  static constexpr size_t kMaxAxes = 8;
  struct Axis {
    int64_t size;
    Offsets strides{};  // elements
  };

  // Moves `steps` along an axis, no further than its end, from where the next axis moves by one.
  void Advance(size_t axis, int64_t steps, std::array<int64_t, kMaxAxes>& at,
               Offsets& offsets) const {
    for (; axis < axes_used_; ++axis, steps = 1) {
      at[axis] += steps;
      const bool wraps = at[axis] == axes_[axis].size;
      if (wraps) at[axis] = 0, steps -= axes_[axis].size;
      for (size_t k = 0; k < kOperands; ++k) offsets[k] += steps * axes_[axis].strides[k];
      if (!wraps) return;
    }
  }

  static int64_t SizeAt(const std::vector<int64_t>& shape, size_t back) {
    return back <= shape.size() ? shape[shape.size() - back] : 1;
  }

  // Axes come from the innermost outwards.
  void Append(const Axis& axis) {
    if (axis.size == 1) return;
    if (axes_used_ > 0) {
      Axis& inner = axes_[axes_used_ - 1];
      bool merges = true;
      for (size_t k = 0; k < kOperands; ++k) {
        merges = merges && axis.strides[k] == inner.strides[k] * inner.size;
      }
      if (merges) {
        inner.size *= axis.size;
        return;
      }
    }
    axes_[axes_used_++] = axis;
  }

  std::array<Axis, kMaxAxes> axes_{};  // innermost first
  size_t axes_used_ = 0;
  int64_t count_ = 1;
};

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_BROADCAST_H_
