// exp, log, tanh, the Gaussian tail and their like on float32 vectors, within a few units in the
// last place and without tables. Polynomials are minimax fits of the named functions. NaN in, NaN
// out, everywhere.
#if defined(PLEAT_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef PLEAT_KERNELS_MATH_INL_H_
#undef PLEAT_KERNELS_MATH_INL_H_
#else
#define PLEAT_KERNELS_MATH_INL_H_
#endif

#include <cstddef>
#include <limits>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

// c[0] + c[1]*x + ... by Horner's rule.
template <class D, class V, size_t kCount>
HWY_INLINE V Polynomial(D d, V x, const float (&c)[kCount]) {
  V y = hn::Set(d, c[kCount - 1]);
  for (size_t i = kCount - 1; i-- > 0;) y = hn::MulAdd(y, x, hn::Set(d, c[i]));
  return y;
}

// x = n*ln2 + r with |r| <= ln2/2: n in the low bits of `shifted`, and exp(r) - 1.
template <class V>
struct ReducedExp {
  V shifted;  // n + 1.5*2^23
  V n;
  V expm1;
};

inline constexpr float kRoundingShift = 12582912.0f;  // 1.5*2^23

// REQUIRES: |x| < 2^20 for a useful result. `low` is added to x exactly.
template <class D, class V>
HWY_INLINE ReducedExp<V> ReduceExp(D d, V x, V low) {
  const V shift = hn::Set(d, kRoundingShift);
  const V shifted = hn::Add(hn::Mul(x, hn::Set(d, 1.44269504f)), shift);
  const V n = hn::Sub(shifted, shift);
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), x);
  r = hn::Add(hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r), low);
  constexpr float kExp[] = {4.999999404e-01f, 1.666652113e-01f, 4.166838899e-02f, 8.368716575e-03f,
                            1.381459879e-03f};
  const V p = Polynomial(d, r, kExp);
  return {shifted, n, hn::MulAdd(hn::Mul(r, r), p, r)};
}

// 2^n for the n of ReduceExp. REQUIRES: -126 <= n <= 127.
template <class D, class V>
HWY_INLINE V PowerOfTwo(D d, V shifted) {
  const hn::RebindToSigned<D> di;
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(di, shifted));
  return hn::BitCast(d, hn::Add(exponent, hn::BitCast(di, hn::Set(d, 1.0f))));
}

template <class D, class V>
HWY_INLINE V Exp(D d, V x) {
  x = hn::IfThenElse(hn::Gt(x, hn::Set(d, 89.0f)), hn::Set(d, 89.0f), x);
  x = hn::IfThenElse(hn::Lt(x, hn::Set(d, -104.0f)), hn::Set(d, -104.0f), x);
  const ReducedExp<V> e = ReduceExp(d, x, hn::Zero(d));
  const V shift = hn::Set(d, kRoundingShift);
  const V half = hn::Add(hn::Mul(e.n, hn::Set(d, 0.5f)), shift);
  const V rest = hn::Add(hn::Sub(e.n, hn::Sub(half, shift)), shift);
  const V scale = PowerOfTwo(d, half);
  return hn::Mul(hn::MulAdd(e.expm1, scale, scale), PowerOfTwo(d, rest));
}

// exp(x + low) for x <= 0 and small low; 0 where it would be below 2^-126.
template <class D, class V>
HWY_INLINE V ExpNonPositive(D d, V x, V low) {
  const ReducedExp<V> e = ReduceExp(d, x, low);
  const V scale = PowerOfTwo(d, e.shifted);
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.336544f)), hn::MulAdd(e.expm1, scale, scale));
}
template <class D, class V>
HWY_INLINE V ExpNonPositive(D d, V x) {
  return ExpNonPositive(d, x, hn::Zero(d));
}

// exp(x) - 1 for x <= 0.
template <class D, class V>
HWY_INLINE V Expm1NonPositive(D d, V x) {
  x = hn::IfThenElse(hn::Lt(x, hn::Set(d, -25.0f)), hn::Set(d, -25.0f), x);
  const ReducedExp<V> e = ReduceExp(d, x, hn::Zero(d));
  const V scale = PowerOfTwo(d, e.shifted);
  return hn::MulAdd(e.expm1, scale, hn::Sub(scale, hn::Set(d, 1.0f)));
}

template <class D, class V>
HWY_INLINE V Log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const auto tiny = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const V normal = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 8388608.0f)), x);
  const auto sqrt_half = hn::BitCast(di, hn::Set(d, 0.707106769f));
  const auto bits = hn::Sub(hn::BitCast(di, normal), sqrt_half);
  V e = hn::ConvertTo(d, hn::ShiftRight<23>(bits));
  e = hn::Sub(e, hn::IfThenElseZero(tiny, hn::Set(d, 23.0f)));
  const auto mantissa = hn::And(bits, hn::Set(di, 0x7fffff));
  const V f = hn::Sub(hn::BitCast(d, hn::Add(mantissa, sqrt_half)), hn::Set(d, 1.0f));
  // log(1+f) = f - f^2/2 + f^3 p(f)
  constexpr float kLog[] = {3.333331347e-01f,  -2.500000894e-01f, 2.000211924e-01f,
                            -1.666799635e-01f, 1.421955228e-01f,  -1.240558922e-01f,
                            1.188816354e-01f,  -1.167565063e-01f, 6.746637076e-02f};
  const V f2 = hn::Mul(f, f);
  V y = hn::Mul(hn::Mul(f2, f), Polynomial(d, f, kLog));
  y = hn::MulAdd(e, hn::Set(d, -2.12194440e-4f), y);
  y = hn::NegMulAdd(f2, hn::Set(d, 0.5f), y);
  y = hn::MulAdd(e, hn::Set(d, 0.693359375f), hn::Add(f, y));
  y = hn::IfThenElse(hn::Eq(x, hn::Set(d, kInfinity)), x, y);
  const V outside = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Set(d, -kInfinity),
                                   hn::Set(d, std::numeric_limits<float>::quiet_NaN()));
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), y, outside);
}

// log(1 + x) for 0 <= x <= 1, as 2 atanh(x / (2 + x)).
template <class D, class V>
HWY_INLINE V Log1pOfFraction(D d, V x) {
  const V s = hn::Div(x, hn::Add(x, hn::Set(d, 2.0f)));
  const V s2 = hn::Mul(s, s);
  constexpr float kAtanh[] = {3.333333731e-01f, 1.999944448e-01f, 1.430830508e-01f,
                              1.071528047e-01f, 1.214514673e-01f};
  const V atanh = hn::MulAdd(hn::Mul(s, s2), Polynomial(d, s2, kAtanh), s);
  return hn::Add(atanh, atanh);
}

// exp(-|x|), 1 for 0, 0 for an infinity.
template <class D, class V>
HWY_INLINE V ExpOfMinusAbs(D d, V x) {
  return ExpNonPositive(d, hn::Neg(hn::Abs(x)));
}

// exp(-x), for x beyond [-88, 87] that of the nearer end: neither overflows nor vanishes.
template <class D, class V>
HWY_INLINE V BoundedExpOfMinus(D d, V x) {
  // Operands in the order that lets a NaN through.
  x = hn::Min(hn::Set(d, 87.0f), hn::Max(hn::Set(d, -88.0f), x));
  const V shift = hn::Set(d, kRoundingShift);
  const V shifted = hn::MulAdd(x, hn::Set(d, -1.44269504f), shift);
  const V n = hn::Sub(shifted, shift);
  V r = hn::NegMulSub(n, hn::Set(d, 0.693359375f), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  constexpr float kExp[] = {1.0f,
                            9.999997055e-01f,
                            4.999914614e-01f,
                            1.666764002e-01f,
                            4.189839046e-02f,
                            8.290231674e-03f};
  return hn::Mul(Polynomial(d, r, kExp), PowerOfTwo(d, shifted));
}

// y / (1 + exp(-x)), 0 where the exponential overflows even if y is infinite.
template <class D, class V>
HWY_INLINE V SigmoidTimes(D d, V y, V x) {
  const V numerator = hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -88.0f)), y);
  return hn::Div(numerator, hn::Add(hn::Set(d, 1.0f), BoundedExpOfMinus(d, x)));
}

template <class D, class V>
HWY_INLINE V Sigmoid(D d, V x) {
  return SigmoidTimes(d, hn::Set(d, 1.0f), x);
}

template <class D, class V>
HWY_INLINE V Tanh(D d, V x) {
  const V e = Expm1NonPositive(d, hn::Mul(hn::Abs(x), hn::Set(d, -2.0f)));
  return hn::CopySign(hn::Div(e, hn::Add(e, hn::Set(d, 2.0f))), x);
}

// log(1 + exp(x)).
template <class D, class V>
HWY_INLINE V Softplus(D d, V x) {
  const V positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  return hn::Add(positive, Log1pOfFraction(d, ExpOfMinusAbs(d, x)));
}

// The upper tail of the normal distribution, Phi(-y), for y >= 0: exp(-y^2/2) times a function of
// 1/(1 + 0.3 y). y^2 is split into two parts so that the exponent is exact.
template <class D, class V>
HWY_INLINE V GaussTail(D d, V y) {
  const hn::RebindToUnsigned<D> du;
  const V high = hn::BitCast(d, hn::And(hn::BitCast(du, y), hn::Set(du, 0xfffff000u)));
  const V minus_half = hn::Set(d, -0.5f);
  const V low = hn::Mul(hn::Mul(hn::Sub(y, high), hn::Add(y, high)), minus_half);
  const V gauss = ExpNonPositive(d, hn::Mul(hn::Mul(high, high), minus_half), low);
  const V one = hn::Set(d, 1.0f);
  const V t = hn::Div(one, hn::MulAdd(y, hn::Set(d, 0.3f), one));
  constexpr float kTail[] = {
      1.196866930e-01f,  1.195718125e-01f, 1.102354228e-01f,  7.838966697e-02f, 9.615679085e-02f,
      -7.942341268e-02f, 1.917844415e-01f, -2.282135338e-01f, 1.124355793e-01f, -2.062346414e-02f};
  return hn::Mul(gauss, hn::Mul(t, Polynomial(d, t, kTail)));
}

template <class D, class V>
HWY_INLINE V Erf(D d, V x) {
  const V size = hn::Abs(x);
  constexpr float kErf[] = {1.128379107e+00f,  -3.761262596e-01f, 1.128358543e-01f,
                            -2.685381100e-02f, 5.188327748e-03f,  -8.010193123e-04f,
                            7.853859279e-05f};
  const V near = hn::Mul(x, Polynomial(d, hn::Mul(x, x), kErf));
  const V tail = GaussTail(d, hn::Mul(size, hn::Set(d, 1.41421356f)));
  const V far = hn::CopySign(hn::NegMulAdd(tail, hn::Set(d, 2.0f), hn::Set(d, 1.0f)), x);
  return hn::IfThenElse(hn::Lt(size, hn::Set(d, 1.0f)), near, far);
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#endif  // per target
