#include "kernels/gather.h"

#include <cstring>

#include "kernels/index.h"
#include "kernels/rows.h"

namespace pleat::kernels {
namespace {

class Gather : public Kernel {
 public:
  explicit Gather(const GatherProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const Indices index(p_.index_type, operands.inputs[1]);
    const auto* x = static_cast<const std::byte*>(operands.inputs[0]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const int64_t row_bytes = p_.inner * static_cast<int64_t>(p_.element_size);
    if (row_bytes == 0) return;
    ForRows(*operands.threads, p_.outer * p_.index_count, row_bytes, [&](int64_t row) {
      const int64_t o = row / p_.index_count;
      const int64_t i = WrapIndex(index[row % p_.index_count], p_.axis_size);
      std::memcpy(y + row * row_bytes, x + (o * p_.axis_size + i) * row_bytes,
                  static_cast<size_t>(row_bytes));
    });
  }

 private:
  const GatherProblem p_;
};

class GatherElements : public Kernel {
 public:
  explicit GatherElements(const GatherElementsProblem& problem)
      : p_(problem), strides_(DenseStrides(problem.shape)) {}

  void Run(const Operands& operands) const override {
    const Indices index(p_.index_type, operands.inputs[1]);
    const auto* x = static_cast<const std::byte*>(operands.inputs[0]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const size_t bytes = p_.element_size;
    const auto axis = static_cast<size_t>(p_.axis);
    const size_t last = p_.index_shape.size() - 1;
    const int64_t columns = p_.index_shape[last];
    if (columns == 0) return;
    const int64_t step = axis == last ? 0 : 1;
    ForRows(*operands.threads, RowCount(p_.index_shape), columns * static_cast<int64_t>(bytes),
            [&](int64_t row) {
              int64_t base = 0;
              for (int64_t rest = row, d = static_cast<int64_t>(last); d-- > 0;) {
                const auto dim = static_cast<size_t>(d);
                if (dim != axis) base += rest % p_.index_shape[dim] * strides_[dim];
                rest /= p_.index_shape[dim];
              }
              for (int64_t c = 0; c < columns; ++c) {
                const int64_t i = WrapIndex(index[row * columns + c], p_.shape[axis]);
                const int64_t from = base + i * strides_[axis] + c * step;
                std::memcpy(y + static_cast<size_t>(row * columns + c) * bytes,
                            x + static_cast<size_t>(from) * bytes, bytes);
              }
            });
  }

 private:
  const GatherElementsProblem p_;
  const std::vector<int64_t> strides_;
};

class GatherND : public Kernel {
 public:
  explicit GatherND(const GatherNDProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const Indices index(p_.index_type, operands.inputs[1]);
    const auto* x = static_cast<const std::byte*>(operands.inputs[0]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const int64_t slice_bytes = p_.slice * static_cast<int64_t>(p_.element_size);
    const auto width = static_cast<int64_t>(p_.sizes.size());
    if (slice_bytes == 0) return;
    ForRows(*operands.threads, p_.batch * p_.tuples, slice_bytes, [&](int64_t row) {
      int64_t from = row / p_.tuples;
      for (int64_t d = 0; d < width; ++d) {
        const int64_t size = p_.sizes[static_cast<size_t>(d)];
        from = from * size + WrapIndex(index[row * width + d], size);
      }
      std::memcpy(y + row * slice_bytes, x + from * slice_bytes, static_cast<size_t>(slice_bytes));
    });
  }

 private:
  const GatherNDProblem p_;
};

}  // namespace

std::span<const Candidate<GatherProblem>> GatherCandidates() {
  static constexpr Candidate<GatherProblem> kCandidates[] = {OnlyWay<GatherProblem, Gather>()};
  return kCandidates;
}

std::span<const Candidate<GatherElementsProblem>> GatherElementsCandidates() {
  static constexpr Candidate<GatherElementsProblem> kCandidates[] = {
      OnlyWay<GatherElementsProblem, GatherElements>()};
  return kCandidates;
}

std::span<const Candidate<GatherNDProblem>> GatherNDCandidates() {
  static constexpr Candidate<GatherNDProblem> kCandidates[] = {
      OnlyWay<GatherNDProblem, GatherND>()};
  return kCandidates;
}

}  // namespace pleat::kernels
