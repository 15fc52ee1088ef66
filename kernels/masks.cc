#include "kernels/masks.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "kernels/index.h"
#include "kernels/rows.h"

namespace pleat::kernels {
namespace {

class Trilu : public Kernel {
 public:
  explicit Trilu(const TriluProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const auto* x = static_cast<const std::byte*>(operands.inputs[0]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    int64_t k = p_.has_k ? Indices(p_.k_type, operands.inputs[1])[0] : 0;
    k = std::clamp(k, -p_.rows - 1, p_.columns + 1);
    const auto size = static_cast<int64_t>(p_.element_size);
    const int64_t row_bytes = p_.columns * size;
    if (row_bytes == 0) return;
    ForRows(*operands.threads, p_.batch * p_.rows, row_bytes, [&](int64_t row) {
      const int64_t r = row % p_.rows;
      const int64_t split = std::clamp<int64_t>(r + k + (p_.upper ? 0 : 1), 0, p_.columns) * size;
      const std::byte* from = x + row * row_bytes;
      std::byte* to = y + row * row_bytes;
      const auto head = static_cast<size_t>(split), tail = static_cast<size_t>(row_bytes - split);
      if (p_.upper) {
        std::memset(to, 0, head);
        std::memcpy(to + split, from + split, tail);
      } else {
        std::memcpy(to, from, head);
        std::memset(to + split, 0, tail);
      }
    });
  }

 private:
  const TriluProblem p_;
};

class OneHot : public Kernel {
 public:
  explicit OneHot(const OneHotProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const void* index = operands.inputs[0];
    switch (p_.index_type) {
      case ElementType::kFloat32:
        Write(static_cast<const float*>(index), operands);
        break;
      case ElementType::kFloat64:
        Write(static_cast<const double*>(index), operands);
        break;
      case ElementType::kInt32:
        Write(static_cast<const int32_t*>(index), operands);
        break;
      default:
        Write(static_cast<const int64_t*>(index), operands);
        break;
    }
  }

 private:
  // The d that index stands for, or -1.
  template <class T>
  int64_t Position(T index) const {
    using Wide = std::conditional_t<std::is_integral_v<T>, int64_t, double>;
    const auto wide = static_cast<Wide>(index), depth = static_cast<Wide>(p_.depth);
    if (!(wide >= -depth && wide < depth)) return -1;
    const auto whole = static_cast<int64_t>(wide);
    return whole < 0 ? whole + p_.depth : whole;
  }

  template <class T>
  void Write(const T* index, const Operands& operands) const {
    const auto* off = static_cast<const std::byte*>(operands.inputs[1]);
    const std::byte* on = off + p_.element_size;
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const size_t bytes = p_.element_size;
    ForRows(*operands.threads, p_.outer * p_.depth, p_.inner * static_cast<int64_t>(bytes),
            [&](int64_t row) {
              const T* from = index + row / p_.depth * p_.inner;
              std::byte* to = y + static_cast<size_t>(row * p_.inner) * bytes;
              for (int64_t i = 0; i < p_.inner; ++i) {
                const bool hit = Position(from[i]) == row % p_.depth;
                std::memcpy(to + static_cast<size_t>(i) * bytes, hit ? on : off, bytes);
              }
            });
  }

  const OneHotProblem p_;
};

// Calls f(i) for every element that is not 0.
template <class T, class F>
void ForNonZeroBits(const void* x, int64_t count, T mask, const F& f) {
  const auto* bytes = static_cast<const std::byte*>(x);
  for (int64_t i = 0; i < count; ++i) {
    T bits;
    std::memcpy(&bits, bytes + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    if ((bits & mask) != 0) f(i);
  }
}

template <class F>
void ForNonZero(ElementType type, const void* x, int64_t count, const F& f) {
  const bool is_float = IsFloat(type);
  switch (ElementSize(type)) {
    case 1:
      return ForNonZeroBits<uint8_t>(x, count, 0xff, f);
    case 2:
      return ForNonZeroBits<uint16_t>(x, count, is_float ? 0x7fff : 0xffff, f);
    case 4:
      return ForNonZeroBits<uint32_t>(x, count, ~uint32_t{0} >> (is_float ? 1 : 0), f);
    default:
      return ForNonZeroBits<uint64_t>(x, count, ~uint64_t{0} >> (is_float ? 1 : 0), f);
  }
}

class NonZero : public Kernel {
 public:
  explicit NonZero(const NonZeroProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    int64_t elements = 1;
    for (int64_t size : p_.shape) elements *= size;
    auto* y = static_cast<int64_t*>(operands.outputs[0]);
    int64_t j = 0;
    ForNonZero(p_.type, operands.inputs[0], elements, [&](int64_t i) {
      for (size_t d = p_.shape.size(); d-- > 0;) {
        y[static_cast<int64_t>(d) * p_.count + j] = i % p_.shape[d];
        i /= p_.shape[d];
      }
      ++j;
    });
  }

 private:
  const NonZeroProblem p_;
};

}  // namespace

std::span<const Candidate<TriluProblem>> TriluCandidates() {
  static constexpr Candidate<TriluProblem> kCandidates[] = {OnlyWay<TriluProblem, Trilu>()};
  return kCandidates;
}

std::span<const Candidate<OneHotProblem>> OneHotCandidates() {
  static constexpr Candidate<OneHotProblem> kCandidates[] = {OnlyWay<OneHotProblem, OneHot>()};
  return kCandidates;
}

std::span<const Candidate<NonZeroProblem>> NonZeroCandidates() {
  static constexpr Candidate<NonZeroProblem> kCandidates[] = {OnlyWay<NonZeroProblem, NonZero>()};
  return kCandidates;
}

int64_t CountNonZero(ElementType type, const void* x, int64_t count) {
  int64_t found = 0;
  ForNonZero(type, x, count, [&](int64_t) { ++found; });
  return found;
}

}  // namespace pleat::kernels
