#include "kernels/scatter.h"

#include <cstring>
#include <type_traits>

#include "kernels/index.h"
#include "kernels/rows.h"

namespace pleat::kernels {
namespace {

// target[i] op= source[i] for i < count.
using Combine = void (*)(std::byte* target, const std::byte* source, int64_t count);

template <class T, ScatterKind kKind>
T Combined(T a, T b) {
  if constexpr (kKind == ScatterKind::kReplace) {
    return b;
  } else if constexpr (kKind == ScatterKind::kMax) {
    return b > a || b != b ? b : a;
  } else if constexpr (kKind == ScatterKind::kMin) {
    return b < a || b != b ? b : a;
  } else if constexpr (std::is_integral_v<T>) {
    // Modulo 2^64 and then 2^bits: what the wrapped result is in any width.
    const auto wide_a = static_cast<uint64_t>(a), wide_b = static_cast<uint64_t>(b);
    return static_cast<T>(kKind == ScatterKind::kAdd ? wide_a + wide_b : wide_a * wide_b);
  } else {
    return kKind == ScatterKind::kAdd ? a + b : a * b;
  }
}

template <class T, ScatterKind kKind>
void CombineRun(std::byte* target, const std::byte* source, int64_t count) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < count; ++i) {
    T a, b;
    std::memcpy(&a, target + i * kSize, sizeof(T));
    std::memcpy(&b, source + i * kSize, sizeof(T));
    a = Combined<T, kKind>(a, b);
    std::memcpy(target + i * kSize, &a, sizeof(T));
  }
}

template <class T>
Combine CombineOf(ScatterKind kind) {
  switch (kind) {
    case ScatterKind::kAdd:
      return CombineRun<T, ScatterKind::kAdd>;
    case ScatterKind::kMul:
      return CombineRun<T, ScatterKind::kMul>;
    case ScatterKind::kMax:
      return CombineRun<T, ScatterKind::kMax>;
    case ScatterKind::kMin:
      return CombineRun<T, ScatterKind::kMin>;
    default:
      return CombineRun<T, ScatterKind::kReplace>;
  }
}

Combine CombineOf(ElementType type, ScatterKind kind) {
  switch (type) {
    case ElementType::kFloat32:
      return CombineOf<float>(kind);
    case ElementType::kFloat64:
      return CombineOf<double>(kind);
    case ElementType::kInt64:
      return CombineOf<int64_t>(kind);
    case ElementType::kInt32:
      return CombineOf<int32_t>(kind);
    case ElementType::kInt16:
      return CombineOf<int16_t>(kind);
    case ElementType::kInt8:
      return CombineOf<int8_t>(kind);
    case ElementType::kUint8:
      return CombineOf<uint8_t>(kind);
    case ElementType::kUint32:
      return CombineOf<uint32_t>(kind);
    case ElementType::kUint64:
      return CombineOf<uint64_t>(kind);
    case ElementType::kBool:
      if (kind == ScatterKind::kAdd) kind = ScatterKind::kMax;
      if (kind == ScatterKind::kMul) kind = ScatterKind::kMin;
      return CombineOf<uint8_t>(kind);
    default:
      return CombineOf<uint16_t>(kind);
  }
}

void CopyAll(ThreadPool& threads, const void* x, void* y, int64_t bytes) {
  if (x == y || bytes == 0) return;
  constexpr int64_t kRun = 32768;
  ForRows(threads, (bytes + kRun - 1) / kRun, kRun, [&](int64_t run) {
    std::memcpy(static_cast<std::byte*>(y) + run * kRun,
                static_cast<const std::byte*>(x) + run * kRun,
                static_cast<size_t>(std::min(kRun, bytes - run * kRun)));
  });
}

int64_t Product(std::span<const int64_t> sizes) {
  int64_t product = 1;
  for (int64_t size : sizes) product *= size;
  return product;
}

// Threads share the positions along one axis other than `axis`, so no two write one place.
class ScatterElements : public Kernel {
 public:
  explicit ScatterElements(const ScatterElementsProblem& problem)
      : p_(problem),
        strides_(DenseStrides(problem.shape)),
        index_strides_(DenseStrides(problem.index_shape)),
        box_(problem.index_shape),
        combine_(CombineOf(problem.type, problem.kind)) {
    for (size_t d = 0; d < p_.index_shape.size(); ++d) {
      if (d == static_cast<size_t>(p_.axis)) continue;
      if (split_ < 0 || p_.index_shape[d] > p_.index_shape[static_cast<size_t>(split_)]) {
        split_ = static_cast<int>(d);
      }
    }
    if (split_ >= 0) box_[static_cast<size_t>(split_)] = 1;
  }

  void Run(const Operands& operands) const override {
    const int64_t size = static_cast<int64_t>(ElementSize(p_.type));
    CopyAll(*operands.threads, operands.inputs[0], operands.outputs[0], Product(p_.shape) * size);
    const int64_t updates = Product(p_.index_shape);
    if (updates == 0) return;
    const int64_t parts = split_ < 0 ? 1 : p_.index_shape[static_cast<size_t>(split_)];
    ForRows(*operands.threads, parts, updates / parts * size,
            [&](int64_t part) { RunPart(operands, part); });
  }

 private:
  // The updates whose position along the split axis is `part`.
  void RunPart(const Operands& operands, int64_t part) const {
    const Indices index(p_.index_type, operands.inputs[1]);
    const auto* updates = static_cast<const std::byte*>(operands.inputs[2]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const int64_t size = static_cast<int64_t>(ElementSize(p_.type));
    const auto axis = static_cast<size_t>(p_.axis);
    for (int64_t i = 0, count = Product(box_); i < count; ++i) {
      int64_t from = 0, to = 0;
      for (int64_t rest = i, d = static_cast<int64_t>(box_.size()); d-- > 0;) {
        const auto dim = static_cast<size_t>(d);
        const int64_t position = d == split_ ? part : rest % box_[dim];
        rest /= box_[dim];
        from += position * index_strides_[dim];
        if (dim != axis) to += position * strides_[dim];
      }
      to += WrapIndex(index[from], p_.shape[axis]) * strides_[axis];
      combine_(y + to * size, updates + from * size, 1);
    }
  }

  const ScatterElementsProblem p_;
  const std::vector<int64_t> strides_, index_strides_;
  std::vector<int64_t> box_;  // index_shape, 1 along split_
  const Combine combine_;
  int split_ = -1;
};

// Threads share the positions inside a slice.
class ScatterND : public Kernel {
 public:
  explicit ScatterND(const ScatterNDProblem& problem)
      : p_(problem), combine_(CombineOf(problem.type, problem.kind)) {}

  void Run(const Operands& operands) const override {
    const Indices index(p_.index_type, operands.inputs[1]);
    const auto* updates = static_cast<const std::byte*>(operands.inputs[2]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const int64_t size = static_cast<int64_t>(ElementSize(p_.type));
    const auto width = static_cast<int64_t>(p_.sizes.size());
    CopyAll(*operands.threads, operands.inputs[0], y, Product(p_.sizes) * p_.slice * size);
    constexpr int64_t kRun = 512;
    ForRows(*operands.threads, (p_.slice + kRun - 1) / kRun, p_.tuples * kRun * size,
            [&](int64_t run) {
              const int64_t begin = run * kRun, count = std::min(kRun, p_.slice - begin);
              for (int64_t t = 0; t < p_.tuples; ++t) {
                int64_t to = 0;
                for (int64_t d = 0; d < width; ++d) {
                  const int64_t extent = p_.sizes[static_cast<size_t>(d)];
                  to = to * extent + WrapIndex(index[t * width + d], extent);
                }
                combine_(y + (to * p_.slice + begin) * size,
                         updates + (t * p_.slice + begin) * size, count);
              }
            });
  }

 private:
  const ScatterNDProblem p_;
  const Combine combine_;
};

}  // namespace

std::span<const Candidate<ScatterElementsProblem>> ScatterElementsCandidates() {
  static constexpr Candidate<ScatterElementsProblem> kCandidates[] = {
      OnlyWay<ScatterElementsProblem, ScatterElements>()};
  return kCandidates;
}

std::span<const Candidate<ScatterNDProblem>> ScatterNDCandidates() {
  static constexpr Candidate<ScatterNDProblem> kCandidates[] = {
      OnlyWay<ScatterNDProblem, ScatterND>()};
  return kCandidates;
}

}  // namespace pleat::kernels
