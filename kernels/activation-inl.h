// The activations as functions of a float32 vector, and VisitActivation, which turns the kind of an
// Activation into one of them.
#if defined(PLEAT_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLEAT_KERNELS_ACTIVATION_INL_H_
#undef PLEAT_KERNELS_ACTIVATION_INL_H_
#else
#define PLEAT_KERNELS_ACTIVATION_INL_H_
#endif

#include "kernels/activation.h"
#include "kernels/bounds-inl.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// x * gate, where a closed gate wins over an infinite x.
template <class D, class V>
HWY_INLINE V Gated(D d, V x, V gate) {
  return hn::IfThenZeroElse(hn::Eq(gate, hn::Zero(d)), hn::Mul(x, gate));
}

template <class V>
HWY_INLINE V NegativeOr(V x, V negative, V otherwise) {
  return hn::IfThenElse(hn::Lt(x, hn::Zero(hn::DFromV<V>())), negative, otherwise);
}

// PLEAT_VECTOR_ACTIVATION(Name, body): struct Name with operator()(d, x) returning `body`, which
// may use a and b.
#define PLEAT_VECTOR_ACTIVATION(Name, body)   \
  struct Name {                               \
    float a, b;                               \
    template <class D, class V>               \
    HWY_INLINE V operator()(D d, V x) const { \
      static_cast<void>(d);                   \
      return body;                            \
    }                                         \
  };

PLEAT_VECTOR_ACTIVATION(IdentityOf, x)
PLEAT_VECTOR_ACTIVATION(ClipOf, Clip(x, hn::Set(d, a), hn::Set(d, b)))
PLEAT_VECTOR_ACTIVATION(LeakyReluOf, NegativeOr(x, hn::Mul(x, hn::Set(d, a)), x))
PLEAT_VECTOR_ACTIVATION(EluOf, NegativeOr(x, hn::Mul(Expm1NonPositive(d, x), hn::Set(d, a)), x))
PLEAT_VECTOR_ACTIVATION(SeluOf,
                        hn::Mul(hn::Set(d, b),
                                NegativeOr(x, hn::Mul(Expm1NonPositive(d, x), hn::Set(d, a)), x)))
// REQUIRES: a > 0.
PLEAT_VECTOR_ACTIVATION(
    CeluOf,
    NegativeOr(x, hn::Mul(Expm1NonPositive(d, hn::Div(x, hn::Set(d, a))), hn::Set(d, a)), x))
PLEAT_VECTOR_ACTIVATION(SigmoidOf, Sigmoid(d, x))
PLEAT_VECTOR_ACTIVATION(HardSigmoidOf, Clip(hn::MulAdd(x, hn::Set(d, a), hn::Set(d, b)),
                                            hn::Zero(d), hn::Set(d, 1.0f)))
PLEAT_VECTOR_ACTIVATION(SwishOf, SigmoidTimes(d, x, hn::Mul(x, hn::Set(d, a))))
PLEAT_VECTOR_ACTIVATION(HardSwishOf,
                        Gated(d, hn::Mul(x, hn::Set(d, 1.0f / 6)),
                              Clip(hn::Add(x, hn::Set(d, 3.0f)), hn::Zero(d), hn::Set(d, 6.0f))))
PLEAT_VECTOR_ACTIVATION(TanhOf, Tanh(d, x))
PLEAT_VECTOR_ACTIVATION(SoftplusOf, Softplus(d, x))
PLEAT_VECTOR_ACTIVATION(SoftsignOf,
                        hn::IfThenElse(hn::Eq(hn::Abs(x), hn::Set(d, kInfinity)),
                                       hn::CopySign(hn::Set(d, 1.0f), x),
                                       hn::Div(x, hn::Add(hn::Abs(x), hn::Set(d, 1.0f)))))
PLEAT_VECTOR_ACTIVATION(ErfOf, Erf(d, x))
PLEAT_VECTOR_ACTIVATION(ThresholdedReluOf, hn::IfThenZeroElse(hn::Le(x, hn::Set(d, a)), x))
PLEAT_VECTOR_ACTIVATION(AbsOf, hn::Abs(x))
PLEAT_VECTOR_ACTIVATION(NegOf, hn::Neg(x))
PLEAT_VECTOR_ACTIVATION(ExpOf, Exp(d, x))
PLEAT_VECTOR_ACTIVATION(LogOf, Log(d, x))
PLEAT_VECTOR_ACTIVATION(SqrtOf, hn::Sqrt(x))
PLEAT_VECTOR_ACTIVATION(ReciprocalOf, hn::Div(hn::Set(d, 1.0f), x))
PLEAT_VECTOR_ACTIVATION(FloorOf, hn::Floor(x))
PLEAT_VECTOR_ACTIVATION(CeilOf, hn::Ceil(x))
PLEAT_VECTOR_ACTIVATION(RoundOf, hn::Round(x))
PLEAT_VECTOR_ACTIVATION(AffineOf, hn::MulAdd(x, hn::Set(d, a), hn::Set(d, b)))
PLEAT_VECTOR_ACTIVATION(ScaledTanhOf, hn::Mul(Tanh(d, hn::Mul(x, hn::Set(d, b))), hn::Set(d, a)))
#undef PLEAT_VECTOR_ACTIVATION

// tanh(softplus(x)) = n / (n + 2) with n = exp(x) * (exp(x) + 2); both halves divided by exp(2x)
// where x >= 0.
struct MishOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V two = hn::Set(d, 2.0f);
    const V w = ExpOfMinusAbs(d, x);
    const V below = hn::Mul(w, hn::Add(w, two));
    const V above = hn::MulAdd(w, two, hn::Set(d, 1.0f));
    const V n = NegativeOr(x, below, above);
    const V rest = NegativeOr(x, two, hn::Mul(two, hn::Mul(w, w)));
    return Gated(d, x, hn::Div(n, hn::Add(n, rest)));
  }
};

struct GeluOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V tail = GaussTail(d, hn::Abs(x));
    return Gated(d, x, NegativeOr(x, tail, hn::Sub(hn::Set(d, 1.0f), tail)));
  }
};

struct GeluTanhOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V cubic = hn::MulAdd(hn::Mul(x, x), hn::Set(d, 0.0713548163f), hn::Set(d, 1.59576912f));
    return SigmoidTimes(d, x, hn::Mul(x, cubic));
  }
};

struct ShrinkOf {
  float a, b;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V bias = hn::Set(d, b);
    const auto low = hn::Lt(x, hn::Set(d, -a));
    const auto high = hn::Gt(x, hn::Set(d, a));
    const V inside = hn::IfThenElse(hn::Eq(x, x), hn::Zero(d), x);
    return hn::IfThenElse(low, hn::Add(x, bias), hn::IfThenElse(high, hn::Sub(x, bias), inside));
  }
};

struct SignOf {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const V one = hn::CopySign(hn::Set(d, 1.0f), x);
    return hn::IfThenElse(hn::Gt(hn::Abs(x), hn::Zero(d)), one, x);
  }
};

// Calls f(function of (d, x)) and returns true; returns false for the kinds that have no vector
// form.
template <class F>
HWY_INLINE bool VisitActivation(const Activation& activation, const F& f) {
  const float a = activation.a;
  const float b = activation.b;
  switch (activation.kind) {
    case UnaryKind::kIdentity:
      return f(IdentityOf{a, b}), true;
    case UnaryKind::kClip:
      return f(ClipOf{a, b}), true;
    case UnaryKind::kLeakyRelu:
      return f(LeakyReluOf{a, b}), true;
    case UnaryKind::kElu:
      return f(EluOf{a, b}), true;
    case UnaryKind::kSelu:
      return f(SeluOf{a, b}), true;
    case UnaryKind::kCelu:
      return a > 0 && (f(CeluOf{a, b}), true);
    case UnaryKind::kSigmoid:
      return f(SigmoidOf{a, b}), true;
    case UnaryKind::kHardSigmoid:
      return f(HardSigmoidOf{a, b}), true;
    case UnaryKind::kSwish:
      return f(SwishOf{a, b}), true;
    case UnaryKind::kHardSwish:
      return f(HardSwishOf{a, b}), true;
    case UnaryKind::kTanh:
      return f(TanhOf{a, b}), true;
    case UnaryKind::kSoftplus:
      return f(SoftplusOf{a, b}), true;
    case UnaryKind::kSoftsign:
      return f(SoftsignOf{a, b}), true;
    case UnaryKind::kMish:
      return f(MishOf{}), true;
    case UnaryKind::kGelu:
      return f(GeluOf{}), true;
    case UnaryKind::kGeluTanh:
      return f(GeluTanhOf{}), true;
    case UnaryKind::kErf:
      return f(ErfOf{a, b}), true;
    case UnaryKind::kThresholdedRelu:
      return f(ThresholdedReluOf{a, b}), true;
    case UnaryKind::kShrink:
      return f(ShrinkOf{a, b}), true;
    case UnaryKind::kAbs:
      return f(AbsOf{a, b}), true;
    case UnaryKind::kNeg:
      return f(NegOf{a, b}), true;
    case UnaryKind::kExp:
      return f(ExpOf{a, b}), true;
    case UnaryKind::kLog:
      return f(LogOf{a, b}), true;
    case UnaryKind::kSqrt:
      return f(SqrtOf{a, b}), true;
    case UnaryKind::kReciprocal:
      return f(ReciprocalOf{a, b}), true;
    case UnaryKind::kFloor:
      return f(FloorOf{a, b}), true;
    case UnaryKind::kCeil:
      return f(CeilOf{a, b}), true;
    case UnaryKind::kRound:
      return f(RoundOf{a, b}), true;
    case UnaryKind::kSign:
      return f(SignOf{}), true;
    case UnaryKind::kAffine:
      return f(AffineOf{a, b}), true;
    case UnaryKind::kScaledTanh:
      return f(ScaledTanhOf{a, b}), true;
    default:
      return false;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
