#include "runtime/read_input.h"

#include <cstring>

#include "runtime/checked.h"

namespace pleat::runtime {
namespace {

// Per-channel numbers along one row: the same one all along it, or the next one at each element.
struct RowFactor {
  const float* values;
  int64_t step;
};

RowFactor FactorAt(const float* values, const float& otherwise, bool along_row, int64_t channel) {
  if (values == nullptr) return {&otherwise, 0};
  return along_row ? RowFactor{values, 1} : RowFactor{values + channel, 0};
}

template <class T>
void ReadRow(const std::byte* from, int64_t count, int64_t stride, RowFactor mean, RowFactor scale,
             std::byte* to) {
  for (int64_t i = 0; i < count; ++i) {
    T number;
    std::memcpy(&number, from + static_cast<size_t>(i * stride) * sizeof(T), sizeof(T));
    const float result =
        (static_cast<float>(number) - mean.values[i * mean.step]) * scale.values[i * scale.step];
    std::memcpy(to + static_cast<size_t>(i) * sizeof(float), &result, sizeof(float));
  }
}

void CopyRow(const std::byte* from, int64_t count, int64_t stride, size_t size, std::byte* to) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(count) * size);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to, from, size);
    to += size;
    from += static_cast<size_t>(stride) * size;
  }
}

}  // namespace

bool IsDense(const StridedSource& source, ElementType target) {
  if (source.element != target || source.mean != nullptr || source.scale != nullptr) return false;
  int64_t expected = 1;
  for (int axis = source.rank; axis-- > 0;) {
    if (source.shape[axis] != 1 && source.strides[axis] != expected) return false;
    expected *= source.shape[axis];
  }
  return true;
}

int64_t ReachOf(const StridedSource& source) {
  Checked last = 0;
  for (int axis = 0; axis < source.rank; ++axis) {
    if (source.shape[axis] == 0) return 0;
    last = last + Checked(source.shape[axis] - 1) * source.strides[axis];
  }
  return (last + 1).value_or(-1);
}

void ReadInput(const StridedSource& source, ElementType target, void* out) {
  static constexpr float kZero = 0, kOne = 1;
  const int last = source.rank - 1;
  const int64_t count = source.rank == 0 ? 1 : source.shape[last];
  const int64_t stride = source.rank == 0 ? 1 : source.strides[last];
  const size_t source_size = ElementSize(source.element), target_size = ElementSize(target);
  const bool copy = source.element == target && source.mean == nullptr && source.scale == nullptr;
  int64_t rows = 1;
  for (int axis = 0; axis < last; ++axis) rows *= source.shape[axis];
  if (count == 0) return;

  auto* to = static_cast<std::byte*>(out);
  int64_t at[kMaxRank] = {};
  int64_t offset = 0;
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* from =
        static_cast<const std::byte*>(source.data) + static_cast<size_t>(offset) * source_size;
    if (copy) {
      CopyRow(from, count, stride, source_size, to);
    } else {
      const bool along_row = source.channel_axis == last;
      const int64_t channel = along_row ? 0 : at[source.channel_axis];
      const RowFactor mean = FactorAt(source.mean, kZero, along_row, channel);
      const RowFactor scale = FactorAt(source.scale, kOne, along_row, channel);
      (source.element == ElementType::kUint8 ? ReadRow<uint8_t> : ReadRow<float>)(from, count,
                                                                                  stride, mean,
                                                                                  scale, to);
    }
    to += static_cast<size_t>(count) * target_size;
    for (int axis = last; axis-- > 0;) {
      offset += source.strides[axis];
      if (++at[axis] < source.shape[axis]) break;
      offset -= source.strides[axis] * source.shape[axis];
      at[axis] = 0;
    }
  }
}

}  // namespace pleat::runtime
