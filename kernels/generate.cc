#include "kernels/generate.h"

#include <algorithm>
#include <cstring>

#include "kernels/rows.h"

namespace pleat::kernels {
namespace {

class RepeatBytes : public Kernel {
 public:
  explicit RepeatBytes(const RepeatProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const size_t period = p_.bytes.size();
    if (period == 0 || p_.repeats == 0) return;
    const bool uniform = std::all_of(p_.bytes.begin(), p_.bytes.end(),
                                     [&](std::byte b) { return b == p_.bytes[0]; });
    if (uniform) {
      std::memset(y, static_cast<int>(p_.bytes[0]), period * static_cast<size_t>(p_.repeats));
      return;
    }
    for (int64_t i = 0; i < p_.repeats; ++i) {
      std::memcpy(y + static_cast<size_t>(i) * period, p_.bytes.data(), period);
    }
  }

 private:
  const RepeatProblem p_;
};

class Sequence : public Kernel {
 public:
  explicit Sequence(const SequenceProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    void* y = operands.outputs[0];
    switch (p_.type) {
      case ElementType::kFloat32:
        Write(static_cast<float*>(y), static_cast<float>(p_.float_start),
              static_cast<float>(p_.float_delta));
        break;
      case ElementType::kFloat64:
        Write(static_cast<double*>(y), p_.float_start, p_.float_delta);
        break;
      case ElementType::kInt16:
        Write(static_cast<int16_t*>(y), static_cast<uint64_t>(p_.start),
              static_cast<uint64_t>(p_.delta));
        break;
      case ElementType::kInt32:
        Write(static_cast<int32_t*>(y), static_cast<uint64_t>(p_.start),
              static_cast<uint64_t>(p_.delta));
        break;
      default:
        Write(static_cast<int64_t*>(y), static_cast<uint64_t>(p_.start),
              static_cast<uint64_t>(p_.delta));
        break;
    }
  }

 private:
  // Integers wrap in A, unsigned, so that no step towards y[i] overflows.
  template <class T, class A>
  void Write(T* y, A start, A delta) const {
    for (int64_t i = 0; i < p_.count; ++i) {
      y[i] = static_cast<T>(start + static_cast<A>(i) * delta);
    }
  }

  const SequenceProblem p_;
};

}  // namespace

std::span<const Candidate<RepeatProblem>> RepeatCandidates() {
  static constexpr Candidate<RepeatProblem> kCandidates[] = {OnlyWay<RepeatProblem, RepeatBytes>()};
  return kCandidates;
}

std::span<const Candidate<SequenceProblem>> SequenceCandidates() {
  static constexpr Candidate<SequenceProblem> kCandidates[] = {
      OnlyWay<SequenceProblem, Sequence>()};
  return kCandidates;
}

}  // namespace pleat::kernels
