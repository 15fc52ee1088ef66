#include "kernels/winograd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/winograd.cc"
#include "hwy/foreach_target.h"
// Per target.
#include "hwy/highway.h"
#include "kernels/bounds-inl.h"
#include "kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace pleat::kernels {
namespace HWY_NAMESPACE {

using Tag = hn::CappedTag<float, 16>;
using V = hn::Vec<Tag>;
constexpr size_t kLanes = hn::MaxLanes(Tag());

// The transforms' coefficients in powers of x^2, highest 1.
template <size_t kOut>
struct Coefficients {
  static constexpr size_t kPairs = kOut / 2;
  double all[kPairs + 1] = {};       // prod_l (x^2 - p_l^2)
  double but[kPairs][kPairs] = {};   // the same without l = q
  double powers[kPairs][kOut] = {};  // p_q^i

  constexpr Coefficients() {
    const auto& p = WinogradPoints<kOut>::kPairs;
    all[0] = 1;
    for (size_t l = 0; l < kPairs; ++l) Multiply(all, l + 1, p[l]);
    for (size_t q = 0; q < kPairs; ++q) {
      but[q][0] = 1;
      size_t degree = 0;
      for (size_t l = 0; l < kPairs; ++l) {
        if (l != q) Multiply(but[q], ++degree, p[l]);
      }
      powers[q][0] = 1;
      for (size_t i = 1; i < kOut; ++i) powers[q][i] = powers[q][i - 1] * p[q];
    }
  }

 private:
  // Multiplies a polynomial of degree `degree` - 1 in x^2 by x^2 - p^2.
  static constexpr void Multiply(double* polynomial, size_t degree, double p) {
    for (size_t i = degree; i > 0; --i) {
      polynomial[i] = polynomial[i - 1] - p * p * (i < degree ? polynomial[i] : 0);
    }
    polynomial[0] *= -p * p;
  }
};
template <size_t kOut>
inline constexpr Coefficients<kOut> kCoefficients;

template <size_t kOut>
HWY_INLINE void InputLine(const V (&d)[kOut + 2], V (&t)[kOut + 2]) {
  constexpr auto& c = kCoefficients<kOut>;
  constexpr size_t kPairs = kOut / 2;
  const Tag tag;
  V zero = d[kOut], infinity = d[kOut + 1];
  HWY_UNROLL(3)
  for (size_t k = 0; k < kPairs; ++k) {
    const V factor = hn::Set(tag, static_cast<float>(c.all[k]));
    zero = hn::MulAdd(factor, d[2 * k], zero);
    infinity = hn::MulAdd(factor, d[2 * k + 1], infinity);
  }
  t[0] = zero;
  t[kOut + 1] = infinity;
  HWY_UNROLL(3)
  for (size_t q = 0; q < kPairs; ++q) {
    V even = d[kOut], odd = d[kOut - 1];
    HWY_UNROLL(3)
    for (size_t k = 0; k + 1 < kPairs; ++k) {
      const V factor = hn::Set(tag, static_cast<float>(c.but[q][k]));
      even = hn::MulAdd(factor, d[2 * k + 2], even);
      odd = hn::MulAdd(factor, d[2 * k + 1], odd);
    }
    const V p = hn::Set(tag, static_cast<float>(c.powers[q][1]));
    t[1 + 2 * q] = hn::MulAdd(p, odd, even);
    t[2 + 2 * q] = hn::NegMulAdd(p, odd, even);
  }
}

template <size_t kOut>
HWY_INLINE void OutputLine(const V (&t)[kOut + 2], V (&y)[kOut]) {
  constexpr auto& c = kCoefficients<kOut>;
  constexpr size_t kPairs = kOut / 2;
  const Tag tag;
  V sums[kPairs], differences[kPairs];
  HWY_UNROLL(3)
  for (size_t q = 0; q < kPairs; ++q) {
    sums[q] = hn::Add(t[1 + 2 * q], t[2 + 2 * q]);
    differences[q] = hn::Sub(t[1 + 2 * q], t[2 + 2 * q]);
  }
  y[0] = t[0];
  HWY_UNROLL(3)
  for (size_t q = 0; q < kPairs; ++q) y[0] = hn::Add(y[0], sums[q]);
  HWY_UNROLL(6)
  for (size_t i = 1; i < kOut; ++i) {
    V value = i == kOut - 1 ? t[kOut + 1] : hn::Zero(tag);
    HWY_UNROLL(3)
    for (size_t q = 0; q < kPairs; ++q) {
      const V factor = hn::Set(tag, static_cast<float>(c.powers[q][i]));
      value = hn::MulAdd(factor, i % 2 == 0 ? sums[q] : differences[q], value);
    }
    y[i] = value;
  }
}

template <size_t kOut, bool kWhole>
HWY_INLINE void InputChannels(const float* const* pixels, size_t c, size_t count, float* to,
                              size_t point_step) {
  constexpr size_t n = kOut + 2;
  const Tag tag;
  HWY_ALIGN float buffer[n * n * kLanes];
  V d[n], t[n];
  for (size_t j = 0; j < n; ++j) {
    HWY_UNROLL(8)
    for (size_t i = 0; i < n; ++i) {
      const float* from = pixels[i * n + j] + c;
      d[i] = kWhole ? hn::LoadU(tag, from) : LoadFirst(tag, from, count);
    }
    InputLine<kOut>(d, t);
    HWY_UNROLL(8)
    for (size_t i = 0; i < n; ++i) hn::Store(t[i], tag, buffer + (i * n + j) * kLanes);
  }
  for (size_t i = 0; i < n; ++i) {
    HWY_UNROLL(8)
    for (size_t j = 0; j < n; ++j) d[j] = hn::Load(tag, buffer + (i * n + j) * kLanes);
    InputLine<kOut>(d, t);
    HWY_UNROLL(8)
    for (size_t j = 0; j < n; ++j, to += point_step) {
      if (kWhole) {
        hn::StoreU(t[j], tag, to + c);
      } else {
        StoreFirst(t[j], tag, to + c, count);
      }
    }
  }
}

template <size_t kOut>
void Input(const float* const* pixels, size_t channels, float* transformed, size_t point_step) {
  size_t c = 0;
  for (; c + kLanes <= channels; c += kLanes) {
    InputChannels<kOut, true>(pixels, c, kLanes, transformed, point_step);
  }
  if (c < channels) {
    InputChannels<kOut, false>(pixels, c, channels - c, transformed, point_step);
  }
}

template <size_t kOut, bool kWhole>
HWY_INLINE void OutputChannels(const WinogradOutput& tile, size_t c, size_t count) {
  constexpr size_t n = kOut + 2;
  const Tag tag;
  HWY_ALIGN float buffer[kOut * n * kLanes];
  V t[n], y[kOut];
  // Products are padded to whole panels, so that full vectors may be read.
  for (size_t j = 0; j < n; ++j) {
    HWY_UNROLL(8)
    for (size_t i = 0; i < n; ++i) {
      t[i] = hn::LoadU(tag, tile.products + (i * n + j) * tile.point_step + c);
    }
    OutputLine<kOut>(t, y);
    HWY_UNROLL(6)
    for (size_t i = 0; i < kOut; ++i) hn::Store(y[i], tag, buffer + (i * n + j) * kLanes);
  }
  const V low = hn::Set(tag, tile.low), high = hn::Set(tag, tile.high);
  V bias = hn::Zero(tag);
  if (tile.bias != nullptr) {
    bias = kWhole ? hn::LoadU(tag, tile.bias + c) : LoadFirst(tag, tile.bias + c, count);
  }
  for (size_t i = 0; i < tile.rows; ++i) {
    HWY_UNROLL(8)
    for (size_t j = 0; j < n; ++j) t[j] = hn::Load(tag, buffer + (i * n + j) * kLanes);
    OutputLine<kOut>(t, y);
    HWY_UNROLL(6)
    for (size_t j = 0; j < kOut; ++j) {
      if (j >= tile.columns) continue;
      V value = hn::Add(y[j], bias);
      if (tile.residual != nullptr) {
        const float* from = tile.residual + i * tile.residual_line + j * tile.residual_pixel + c;
        value = hn::Add(value, kWhole ? hn::LoadU(tag, from) : LoadFirst(tag, from, count));
      }
      value = Bounded(value, low, high);
      float* to = tile.y + i * tile.y_line + j * tile.y_pixel + c;
      if (kWhole) {
        hn::StoreU(value, tag, to);
      } else {
        StoreFirst(value, tag, to, count);
      }
    }
  }
}

template <size_t kOut>
void Output(const WinogradOutput& tile) {
  size_t c = 0;
  for (; c + kLanes <= tile.channels; c += kLanes) OutputChannels<kOut, true>(tile, c, kLanes);
  if (c < tile.channels) OutputChannels<kOut, false>(tile, c, tile.channels - c);
}

// The matrix G: filter lines of three to the values at all points.
template <size_t kOut>
struct FilterMatrix {
  double at[kOut + 2][3] = {};

  constexpr FilterMatrix() {
    constexpr auto& c = kCoefficients<kOut>;
    at[0][0] = 1 / c.all[0];
    at[kOut + 1][2] = 1;
    for (size_t q = 0; q < kOut / 2; ++q) {
      const double p = WinogradPoints<kOut>::kPairs[q];
      double divisor = 2 * p * p;
      for (size_t l = 0; l < kOut / 2; ++l) {
        const double other = WinogradPoints<kOut>::kPairs[l];
        if (l != q) divisor *= p * p - other * other;
      }
      for (size_t k = 0; k < 3; ++k) {
        const double power = k == 0 ? 1 : k == 1 ? p : p * p;
        at[1 + 2 * q][k] = power / divisor;
        at[2 + 2 * q][k] = (k == 1 ? -power : power) / divisor;
      }
    }
  }
};
template <size_t kOut>
inline constexpr FilterMatrix<kOut> kFilterMatrix;

template <size_t kOut>
void Filter(const float* weights, size_t tap_step, size_t count, float* transformed,
            size_t point_step) {
  const hn::CappedTag<double, 16> d;
  const hn::Rebind<float, decltype(d)> narrow;
  using Wide = hn::Vec<decltype(d)>;
  constexpr size_t n = kOut + 2;
  constexpr auto& g = kFilterMatrix<kOut>.at;
  const auto combine = [&](size_t row, Wide a, Wide b, Wide c) HWY_ATTR {
    const Wide first = hn::Mul(hn::Set(d, g[row][0]), a);
    return hn::MulAdd(hn::Set(d, g[row][2]), c, hn::MulAdd(hn::Set(d, g[row][1]), b, first));
  };
  // Points are often a power of two apart, where their lines would drive each other out of the
  // cache: they are written in longer runs from a block that stays there.
  constexpr size_t kBlock = 16 * 4;
  HWY_ALIGN float block[n * n * kBlock];
  for (size_t begin = 0; begin < 16 * count; begin += kBlock) {
    const size_t floats = HWY_MIN(kBlock, 16 * count - begin);
    for (size_t i = 0; i < floats; i += hn::Lanes(d)) {
      Wide w[9];
      for (size_t tap = 0; tap < 9; ++tap) {
        w[tap] = hn::PromoteTo(d, hn::LoadU(narrow, weights + tap * tap_step + begin + i));
      }
      for (size_t row = 0; row < n; ++row) {
        const Wide left = combine(row, w[0], w[3], w[6]);
        const Wide middle = combine(row, w[1], w[4], w[7]);
        const Wide right = combine(row, w[2], w[5], w[8]);
        float* to = block + row * n * kBlock + i;
        for (size_t column = 0; column < n; ++column) {
          hn::StoreU(hn::DemoteTo(narrow, combine(column, left, middle, right)), narrow,
                     to + column * kBlock);
        }
      }
    }
    for (size_t point = 0; point < n * n; ++point) {
      std::memcpy(transformed + point * point_step + begin, block + point * kBlock,
                  floats * sizeof(float));
    }
  }
}

WinogradTransforms ChooseWinograd(size_t out) {
  if (out == 2) return {Input<2>, Output<2>, Filter<2>};
  if (out == 4) return {Input<4>, Output<4>, Filter<4>};
  return {Input<6>, Output<6>, Filter<6>};
}

}  // namespace HWY_NAMESPACE
}  // namespace pleat::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace pleat::kernels {
HWY_EXPORT(ChooseWinograd);

WinogradTransforms BestWinograd(size_t out) { return HWY_DYNAMIC_DISPATCH(ChooseWinograd)(out); }

}  // namespace pleat::kernels
#endif  // HWY_ONCE
