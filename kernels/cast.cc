#include "kernels/cast.h"

#include <cstring>
#include <type_traits>

#include "kernels/half.h"
#include "kernels/saturate.h"
#include "kernels/split.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {

#define PLEAT_KERNEL(name, method)            \
  Refusal Refuse##method(const CastProblem&); \
  std::unique_ptr<Kernel> Make##method(const CastProblem&);
#include "kernels/cast_kernels.inc"
#undef PLEAT_KERNEL

std::span<const Candidate<CastProblem>> CastCandidates() {
  static constexpr Candidate<CastProblem> kCandidates[] = {
#define PLEAT_KERNEL(name, method) {#name, Refuse##method, Make##method},
#include "kernels/cast_kernels.inc"
#undef PLEAT_KERNEL
  };
  return kCandidates;
}

namespace {

// Any nonzero byte of a caller's tensor is true.
struct Bool {
  uint8_t byte;
};

template <class F>
void VisitElement(ElementType type, F&& f) {
  switch (type) {
    case ElementType::kBool:
      return f.template operator()<Bool>();
    case ElementType::kFloat16:
      return f.template operator()<Float16>();
    case ElementType::kBFloat16:
      return f.template operator()<BFloat16>();
    default:
      return VisitNumber(type, f);
  }
}

// The number an element holds, as a built-in type that has room for it.
template <class T>
auto Number(T x) {
  if constexpr (std::is_same_v<T, Bool>) {
    return x.byte != 0;
  } else if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>) {
    return ToFloat(x);
  } else {
    return x;
  }
}

template <class To, class From>
To Convert(From x) {
  if constexpr (std::is_same_v<To, Bool>) {
    return Bool{x != 0};
  } else if constexpr (std::is_same_v<To, Float16>) {
    return ToFloat16(static_cast<double>(x));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return ToBFloat16(static_cast<double>(x));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return Saturate<To>(static_cast<double>(x));
  } else {
    return static_cast<To>(x);
  }
}

class CastReference : public Kernel {
 public:
  explicit CastReference(const CastProblem& problem) : problem_(problem) {}

  void Run(const Operands& operands) const override {
    const auto* x = static_cast<const std::byte*>(operands.inputs[0]);
    auto* y = static_cast<std::byte*>(operands.outputs[0]);
    const auto from_size = static_cast<int64_t>(ElementSize(problem_.from));
    const auto to_size = static_cast<int64_t>(ElementSize(problem_.to));
    ForRanges(*operands.threads, problem_.count, kGrain, [&](int64_t begin, int64_t end, size_t) {
      CastElements(problem_.from, x + begin * from_size, problem_.to, y + begin * to_size,
                   static_cast<size_t>(end - begin));
    });
  }

 private:
  static constexpr int64_t kGrain = 16384;
  CastProblem problem_;
};

}  // namespace

void CastElements(ElementType from_type, const void* from, ElementType to_type, void* to,
                  size_t count) {
  if (count == 0) return;
  if (from_type == to_type) {
    std::memmove(to, from, count * ElementSize(to_type));
    return;
  }
  VisitElement(from_type, [&]<class From>() {
    VisitElement(to_type, [&]<class To>() {
      const auto* x = static_cast<const std::byte*>(from);
      auto* y = static_cast<std::byte*>(to);
      // Copied out and in, for the two may be one memory.
      for (size_t i = 0; i < count; ++i) {
        From element;
        std::memcpy(&element, x + i * sizeof(From), sizeof(From));
        const To converted = Convert<To>(Number(element));
        std::memcpy(y + i * sizeof(To), &converted, sizeof(To));
      }
    });
  });
}

Refusal RefuseCastReference(const CastProblem&) { return {}; }

std::unique_ptr<Kernel> MakeCastReference(const CastProblem& problem) {
  return std::make_unique<CastReference>(problem);
}

}  // namespace pleat::kernels
