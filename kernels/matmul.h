// Matrix product, batched, with bias and activation applied before the store:
//   y[b,m,n] = act(alpha * sum_k a[b,m,k] * w[b,k,n] + beta * c[m,n] + residual[b,m,n])
// (ONNX operators MatMul and Gemm).
#ifndef PLEAT_KERNELS_MATMUL_H_
#define PLEAT_KERNELS_MATMUL_H_

#include <vector>

#include "kernels/conv.h"

namespace pleat::kernels {

struct MatMulProblem {
  // Of all operands, float32 or float64; w is float16 where its layout says so.
  ElementType type = ElementType::kFloat32;
  int64_t m = 1, n = 1, k = 1;
  bool transpose_a = false;  // a is [k,m]
  bool transpose_b = false;  // w is [n,k]; only with WeightLayout::kOnnx
  // Start of each product's a, w and y in elements, one entry per product; y is dense.
  std::vector<int64_t> a_offsets = {0};
  std::vector<int64_t> b_offsets = {0};
  double alpha = 1;
  double beta = 1;

  WeightLayout weight_layout = WeightLayout::kOnnx;
  // Constant w, 64-byte aligned; null: it comes with each run. Float16 is constant.
  const void* weights = nullptr;
  bool has_bias = false;
  // Element strides of c along m and n, 0 where it is broadcast. A plain bias is {0, 1}.
  int64_t bias_stride_m = 0;
  int64_t bias_stride_n = 1;
  const void* bias = nullptr;  // constant c; null with has_bias: it comes with each run
  bool has_residual = false;   // dense, laid out as y
  Activation activation;

  SelectOptions select;
};

// Operands: a; w when weights == null; c when has_bias and bias == null; residual. Output: y.
std::span<const Candidate<MatMulProblem>> MatMulCandidates();

// Elements of a [k,n] matrix in panels of 16 columns, and the rearrangement of it from ONNX's
// layout ([k][n], or [n][k] when transposed).
int64_t PanelElements(int64_t k, int64_t n);
void PackPanels(int64_t k, int64_t n, bool transposed, const float* from, float* packed);

}  // namespace pleat::kernels

#endif  // PLEAT_KERNELS_MATMUL_H_
