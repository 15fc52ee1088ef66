// Winograd's convolution of 3x3 windows, F(m x m, 3 x 3) for m = 2, 4, 6: the image in overlapping
// tiles of n x n pixels, n = m + 2, and the filters are transformed so that n * n products replace
// 9 * m * m (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2015).
//
// The transforms are Cook and Toom's for the points 0, +-p for each p of WinogradPoints, and
// infinity: in one dimension, for points a_j,
//   input:  t_j = sum_i d_i [x^i] prod_{l != j} (x - a_l), and of the whole product for infinity
//   filter: u_j = sum_k g_k a_j^k / prod_{l != j} (a_j - a_l), and g_2 for infinity
//   output: y_i = sum_j a_j^i t_j u_j, plus the product at infinity for i = m - 1
#ifndef PLEAT_KERNELS_WINOGRAD_H_
#define PLEAT_KERNELS_WINOGRAD_H_

#include <cstddef>

namespace pleat::kernels {

// Points other than 0 and infinity come in pairs +-p. Those of F(4) keep its error near the direct
// sum's, unlike the customary 1 and 2.
template <size_t kOut>
struct WinogradPoints;
template <>
struct WinogradPoints<2> {
  static constexpr double kPairs[1] = {1};
};
template <>
struct WinogradPoints<4> {
  static constexpr double kPairs[2] = {0.625, 1.5};
};
template <>
struct WinogradPoints<6> {
  static constexpr double kPairs[3] = {1, 2, 0.5};
};

// What an m x m tile of outputs is made of and where it goes.
struct WinogradOutput {
  const float* products;  // [n * n] rows of `channels`, point_step apart
  size_t point_step;
  size_t channels;
  const float* bias;  // or null
  float* y;
  size_t y_pixel, y_line;  // steps
  const float* residual;   // or null
  size_t residual_pixel, residual_line;
  size_t rows, columns;  // of the tile that lie in the image
  float low, high;
};

struct WinogradTransforms {
  // `pixels` are the tile's n * n; transformed[point * point_step + c] receives channel c.
  void (*input)(const float* const* pixels, size_t channels, float* transformed, size_t point_step);
  void (*output)(const WinogradOutput& tile);
  // G g G^T of `count` inputs' filters to 16 outputs, in double, rounded once: weights[tap *
  // tap_step + c * 16 + i] become transformed[point * point_step + c * 16 + i].
  void (*filter)(const float* weights, size_t tap_step, size_t count, float* transformed,
                 size_t point_step);
};

// For the best instruction set in use. `out` is 2, 4 or 6.
WinogradTransforms BestWinograd(size_t out);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_WINOGRAD_H_
