// The definition as plain loops, in double whatever the storage.
#include <algorithm>
#include <memory>

#include "kernels/recurrent.h"

namespace pleat::kernels {
namespace {

using Vector = std::vector<double>;

template <class T>
class RecurrentReference final : public Kernel {
 public:
  explicit RecurrentReference(const RecurrentProblem& problem)
      : p_(problem), hidden_(static_cast<size_t>(p_.hidden)) {}

  void Run(const Operands& operands) const override {
    const RecurrentOperands<T> taken(p_, operands);
    for (int64_t d = 0; d < p_.directions; ++d) {
      for (int64_t b = 0; b < p_.batch; ++b) Sequence(taken, d, b);
    }
  }

 private:
  // One sequence in one direction, on its way.
  struct Way {
    const T *w, *r, *bias, *peepholes;
    const Activation* activations;
    Vector h, c;
  };

  void Sequence(const RecurrentOperands<T>& taken, int64_t d, int64_t b) const {
    const int64_t rows = GateCount(p_.kind) * p_.hidden;
    const int64_t state = p_.StateOffset(d, b);
    Way way{.w = taken.w + d * rows * p_.inputs,
            .r = taken.r + d * rows * p_.hidden,
            .bias = taken.bias == nullptr ? nullptr : taken.bias + d * 2 * rows,
            .peepholes = taken.peepholes == nullptr ? nullptr : taken.peepholes + d * 3 * p_.hidden,
            .activations = &p_.activations[static_cast<size_t>(d) * ActivationCount(p_.kind)],
            .h = Vector(hidden_),
            .c = Vector(hidden_)};
    if (taken.h != nullptr) std::copy_n(taken.h + state, hidden_, way.h.begin());
    if (taken.c != nullptr) std::copy_n(taken.c + state, hidden_, way.c.begin());
    const int64_t length = taken.Length(p_, b);
    for (int64_t s = 0; s < p_.steps; ++s) {
      if (s < length) {
        const int64_t step = p_.Backwards(d) ? length - 1 - s : s;
        Advance(taken.x + step * p_.x_step() + b * p_.x_batch(), &way);
        if (taken.y != nullptr) Store(way.h, taken.y + p_.YOffset(step, d, b));
      } else if (taken.y != nullptr) {
        std::fill_n(taken.y + p_.YOffset(s, d, b), hidden_, T{0});
      }
    }
    if (taken.last_h != nullptr) Store(way.h, taken.last_h + state);
    if (taken.last_c != nullptr) Store(way.c, taken.last_c + state);
  }

  static void Store(const Vector& from, T* to) {
    std::transform(from.begin(), from.end(), to, [](double v) { return static_cast<T>(v); });
  }

  // A product's row for one unit of one gate, its bias added.
  double FromInput(const Way& way, const T* x, int64_t gate, size_t unit) const {
    const int64_t row = gate * p_.hidden + static_cast<int64_t>(unit);
    double sum = way.bias == nullptr ? 0 : way.bias[row];
    for (int64_t i = 0; i < p_.inputs; ++i) sum += double{x[i]} * way.w[row * p_.inputs + i];
    return sum;
  }
  double FromState(const Way& way, const Vector& h, int64_t gate, size_t unit) const {
    const int64_t row = gate * p_.hidden + static_cast<int64_t>(unit);
    double sum = way.bias == nullptr ? 0 : way.bias[GateCount(p_.kind) * p_.hidden + row];
    for (size_t i = 0; i < hidden_; ++i) {
      sum += h[i] * way.r[row * p_.hidden + static_cast<int64_t>(i)];
    }
    return sum;
  }
  double Gate(const Way& way, const T* x, int64_t gate, size_t unit) const {
    return FromInput(way, x, gate, unit) + FromState(way, way.h, gate, unit);
  }
  double Apply(const Way& way, size_t index, double x) const {
    const Activation& f = way.activations[index];
    if (p_.clip > 0) x = ApplyUnary(UnaryKind::kClip, -p_.clip, p_.clip, x);
    return ApplyUnary(f.kind, f.a, f.b, x);
  }

  void Advance(const T* x, Way* way) const {
    Vector next(hidden_);
    if (p_.kind == RecurrentKind::kRnn) {
      for (size_t u = 0; u < hidden_; ++u) next[u] = Apply(*way, 0, Gate(*way, x, 0, u));
    } else if (p_.kind == RecurrentKind::kGru) {
      AdvanceGru(x, *way, &next);
    } else {
      AdvanceLstm(x, way, &next);
    }
    way->h = std::move(next);
  }

  void AdvanceGru(const T* x, const Way& way, Vector* next) const {
    Vector z(hidden_), r(hidden_), gated(hidden_);
    for (size_t u = 0; u < hidden_; ++u) {
      z[u] = Apply(way, 0, Gate(way, x, 0, u));
      r[u] = Apply(way, 0, Gate(way, x, 1, u));
      gated[u] = r[u] * way.h[u];
    }
    for (size_t u = 0; u < hidden_; ++u) {
      const double state = p_.linear_before_reset ? r[u] * FromState(way, way.h, 2, u)
                                                  : FromState(way, gated, 2, u);
      const double n = Apply(way, 1, FromInput(way, x, 2, u) + state);
      (*next)[u] = (1 - z[u]) * n + z[u] * way.h[u];
    }
  }

  void AdvanceLstm(const T* x, Way* way, Vector* next) const {
    const auto peep = [&](size_t gate, size_t u, double c) {
      return way->peepholes == nullptr ? 0 : way->peepholes[gate * hidden_ + u] * c;
    };
    for (size_t u = 0; u < hidden_; ++u) {
      double& c = way->c[u];
      const double i = Apply(*way, 0, Gate(*way, x, 0, u) + peep(0, u, c));
      const double forget = Apply(*way, 0, Gate(*way, x, 2, u) + peep(2, u, c));
      const double f = p_.input_forget ? 1 - i : forget;
      c = f * c + i * Apply(*way, 1, Gate(*way, x, 3, u));
      const double o = Apply(*way, 0, Gate(*way, x, 1, u) + peep(1, u, c));
      (*next)[u] = o * Apply(*way, 2, c);
    }
  }

  const RecurrentProblem p_;
  const size_t hidden_;
};

}  // namespace

Refusal RefuseRecurrentReference(const RecurrentProblem&) { return {}; }

std::unique_ptr<Kernel> MakeRecurrentReference(const RecurrentProblem& problem) {
  if (problem.type == ElementType::kFloat64) {
    return std::make_unique<RecurrentReference<double>>(problem);
  }
  return std::make_unique<RecurrentReference<float>>(problem);
}

}  // namespace pleat::kernels
