// Pooling as the formula says, in double.
#include <cmath>
#include <limits>
#include <type_traits>

#include "kernels/pool.h"
#include "kernels/split.h"
#include "kernels/visit_type.h"

namespace pleat::kernels {
namespace {

template <class T>
bool IsNaN(T value) {
  if constexpr (std::is_floating_point_v<T>) return std::isnan(value);
  return false;
}

template <class T>
constexpr T Lowest() {
  if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
  return std::numeric_limits<T>::lowest();
}

template <class T>
class PoolReference final : public Kernel {
 public:
  explicit PoolReference(const PoolProblem& problem) : p_(problem) {}

  void Run(const Operands& operands) const override {
    const T* x = static_cast<const T*>(operands.inputs[0]);
    void* const* next = operands.outputs;
    T* y = p_.values ? static_cast<T*>(*next++) : nullptr;
    int64_t* indices = p_.indices ? static_cast<int64_t*>(*next) : nullptr;
    const int64_t pixels = p_.out[0] * p_.out[1] * p_.out[2];
    ForRanges(*operands.threads, p_.batch * pixels, 1, [&](int64_t begin, int64_t end, size_t) {
      for (int64_t i = begin; i < end; ++i) {
        const Window window = WindowOf(i % pixels);
        for (int64_t c = 0; c < p_.channels; ++c) {
          const int64_t image = i / pixels * p_.channels + c;
          const int64_t at =
              p_.channels_last ? i * StepOr(p_.out_pixel_stride) + c : image * pixels + i % pixels;
          Pool(window, x, image, y == nullptr ? nullptr : y + at,
               indices == nullptr ? nullptr : indices + at);
        }
      }
    });
  }

 private:
  struct Window {
    int64_t start[3];
    Taps taps[3];
    double average_count = 1;
  };

  int64_t StepOr(int64_t step) const { return step == 0 ? p_.channels : step; }

  Window WindowOf(int64_t pixel) const {
    const int64_t o[3] = {pixel / p_.out[2] / p_.out[1], pixel / p_.out[2] % p_.out[1],
                          pixel % p_.out[2]};
    Window window;
    for (int d = 0; d < 3; ++d) {
      window.start[d] = o[d] * p_.stride[d] - p_.pad_begin[d];
      window.taps[d] = TapsInside(p_, d, o[d]);
      window.average_count *= static_cast<double>(AverageCount(p_, d, o[d]));
    }
    return window;
  }

  // Calls f(value, z, y, x) for every position of the window inside image n * C + c.
  template <class F>
  void ForEach(const Window& window, const T* x, int64_t image, F&& f) const {
    const int64_t size = p_.in[0] * p_.in[1] * p_.in[2];
    const int64_t step = p_.channels_last ? StepOr(p_.in_pixel_stride) : 1;
    const T* base = p_.channels_last
                        ? x + image / p_.channels * size * step + image % p_.channels
                        : x + image * size;
    int64_t at[3];
    for (int64_t k0 = window.taps[0].begin; k0 < window.taps[0].end; ++k0) {
      at[0] = window.start[0] + k0 * p_.dilation[0];
      for (int64_t k1 = window.taps[1].begin; k1 < window.taps[1].end; ++k1) {
        at[1] = window.start[1] + k1 * p_.dilation[1];
        for (int64_t k2 = window.taps[2].begin; k2 < window.taps[2].end; ++k2) {
          at[2] = window.start[2] + k2 * p_.dilation[2];
          f(base[((at[0] * p_.in[1] + at[1]) * p_.in[2] + at[2]) * step], at);
        }
      }
    }
  }

  void Pool(const Window& window, const T* x, int64_t image, T* y, int64_t* index) const {
    if (p_.kind == PoolKind::kMax) {
      Maximum(window, x, image, y, index);
    } else if (p_.kind == PoolKind::kAverage) {
      double sum = 0;
      ForEach(window, x, image,
              [&](T value, const int64_t*) { sum += static_cast<double>(value); });
      *y = static_cast<T>(window.average_count > 0 ? sum / window.average_count : 0);
    } else {
      double sum = 0;
      const double p = static_cast<double>(p_.p);
      ForEach(window, x, image, [&](T value, const int64_t*) {
        sum += std::pow(std::abs(static_cast<double>(value)), p);
      });
      *y = static_cast<T>(std::pow(sum, 1 / p));
    }
  }

  void Maximum(const Window& window, const T* x, int64_t image, T* y, int64_t* index) const {
    T best = Lowest<T>();
    int64_t position = -1;
    ForEach(window, x, image, [&](T value, const int64_t* at) {
      if (position >= 0 && !(value > best) && !(IsNaN(value) && !IsNaN(best))) return;
      best = value;
      const int64_t offset = p_.column_major ? at[0] + p_.in[0] * (at[1] + p_.in[1] * at[2])
                                             : at[2] + p_.in[2] * (at[1] + p_.in[1] * at[0]);
      position = image * p_.in[0] * p_.in[1] * p_.in[2] + offset;
    });
    if (y != nullptr) *y = best;
    if (index != nullptr) *index = position;
  }

  const PoolProblem p_;
};

Refusal Refuse(const PoolProblem&) { return {}; }

std::unique_ptr<Kernel> Make(const PoolProblem& problem) {
  return VisitNumber(problem.type, [&]<class T>() -> std::unique_ptr<Kernel> {
    return std::make_unique<PoolReference<T>>(problem);
  });
}

}  // namespace

extern const Candidate<PoolProblem> kPoolReference = {"reference", Refuse, Make};

}  // namespace pleat::kernels
