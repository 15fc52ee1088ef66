#include <gtest/gtest.h>

#include "kernels/matmul.h"
#include "tests/runtime/ops_support.h"

namespace pleat::runtime {
namespace {

using tests::Evaluate;
using tests::Numbers;

Tensor Filled(Shape shape, float first = 1, float step = 1) {
  std::vector<float> values(static_cast<size_t>(ElementCount(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = first + step * static_cast<float>(i);
  return Tensor::Of<float>(std::move(shape), values);
}

Shape ShapeOf(const Shape& a, const Shape& b) {
  const auto y = Evaluate(fb::MatMulT(), {Filled(a), Filled(b)});
  EXPECT_TRUE(y.ok()) << y.status().message();
  return y.ok() ? (*y)[0].shape() : Shape{-7};
}

std::string Failure(fb::MatMulT fields, const std::vector<Tensor>& inputs) {
  const auto y = Evaluate(std::move(fields), inputs);
  EXPECT_FALSE(y.ok());
  return y.status().message();
}

TEST(MatMulOp, MultipliesInEveryForm) {
  const Tensor a = Filled({2, 3}), b = Filled({3, 2});
  EXPECT_EQ(Numbers(Evaluate(fb::MatMulT(), {a, b})), (std::vector<double>{22, 28, 49, 64}));
  fb::MatMulT gemm;
  gemm.transpose_a = gemm.transpose_b = true;
  gemm.alpha = 2;
  gemm.beta = -1;
  // a^T b^T, rows of c broadcast.
  EXPECT_EQ(Numbers(Evaluate(gemm, {a, b, Filled({3, 1}, 10, 10)})),
            (std::vector<double>{18 - 10, 38 - 10, 58 - 10, 24 - 20, 52 - 20, 80 - 20, 30 - 30,
                                 66 - 30, 102 - 30}));
}

TEST(MatMulOp, BroadcastsBatchesAsNumpyDoes) {
  EXPECT_EQ(ShapeOf({5}, {5}), (Shape{}));
  EXPECT_EQ(ShapeOf({5}, {5, 2}), (Shape{2}));
  EXPECT_EQ(ShapeOf({3, 5}, {5}), (Shape{3}));
  EXPECT_EQ(ShapeOf({2, 1, 3, 5}, {4, 5, 6}), (Shape{2, 4, 3, 6}));
  EXPECT_EQ(ShapeOf({5}, {4, 5, 6}), (Shape{4, 6}));
  EXPECT_EQ(ShapeOf({0, 3, 5}, {5, 6}), (Shape{0, 3, 6}));
  EXPECT_EQ(ShapeOf({3, 0}, {0, 6}), (Shape{3, 6}));
  // [2,1,1,2] x [3,2,1]: y[i,j] = a[i] . b[j].
  EXPECT_EQ(Numbers(Evaluate(fb::MatMulT(), {Filled({2, 1, 1, 2}), Filled({3, 2, 1})})),
            (std::vector<double>{5, 11, 17, 11, 25, 39}));
  // A stack of matrices times one, with a bias.
  EXPECT_EQ(Numbers(Evaluate(fb::MatMulT(), {Filled({2, 1, 2}), Filled({2, 2}), Filled({2}, 100)})),
            (std::vector<double>{107, 111, 115, 123}));
}

TEST(MatMulOp, ReadsPackedWeights) {
  const Tensor a = Filled({2, 3}), b = Filled({3, 20}, -5, 0.5);
  std::vector<float> packed(static_cast<size_t>(kernels::PanelElements(3, 20)));
  kernels::PackPanels(3, 20, false, b.data<float>().data(), packed.data());
  fb::MatMulT fields;
  fields.weight_layout = 1;
  fields.weight_rows = 3;
  fields.weight_columns = 20;
  EXPECT_EQ(Numbers(Evaluate(fields, {a, Tensor::Vector(packed)})),
            Numbers(Evaluate(fb::MatMulT(), {a, b})));
  packed.pop_back();
  EXPECT_EQ(Failure(fields, {a, Tensor::Vector(packed)}),
            "expected 96 packed weights for [3,20], got 95");
  fields.weight_columns = 0;
  EXPECT_FALSE(Evaluate(fields, {a, Tensor::Vector(packed)}).ok());
  fields.weight_columns = std::numeric_limits<int64_t>::max();
  EXPECT_FALSE(Evaluate(fields, {a, Tensor::Vector(packed)}).ok());
  fields.weight_layout = 2;
  EXPECT_FALSE(Evaluate(fields, {a, Tensor::Vector(packed)}).ok());
}

TEST(MatMulOp, SaysWhatDoesNotFit) {
  EXPECT_EQ(Failure({}, {Filled({2, 3}), Filled({4, 5})}),
            "expected b with 3 rows as a has columns, got 4 (a [2,3], b [4,5])");
  EXPECT_EQ(Failure({}, {Filled({2, 2, 3}), Filled({3, 3, 4})}),
            "batches [2] and [3] do not broadcast");
  EXPECT_EQ(Failure({}, {Filled({2, 3}), Filled({3, 4}), Filled({2, 2, 4})}),
            "c: expected a shape that broadcasts to [2,4] along its last two axes, got [2,2,4]");
  EXPECT_FALSE(Evaluate(fb::MatMulT(), {Filled({}), Filled({1, 4})}).ok());
  fb::MatMulT fields;
  fields.transpose_a = true;
  EXPECT_EQ(Failure(fields, {Filled({3}), Filled({3, 4})}), "a 1-D a cannot be transposed");
}

TEST(MatMulOp, KeepsUnknownSizes) {
  const Node node = MakeNode("m", fb::MatMulT(), {0, 1}, {2});
  const std::vector<Type> inputs = {{.shape = {kUnknownDim, 3, kUnknownDim}},
                                    {.shape = {kUnknownDim, 4, 5}}};
  const Tensor* known[] = {nullptr, nullptr};
  std::vector<Type> outputs(1);
  std::vector<Tensor> values(1);
  InferContext context{node, inputs, known, outputs, values};
  ASSERT_TRUE(RuleOf(node.op.type).infer(context).ok());
  EXPECT_EQ(outputs[0].shape, (Shape{kUnknownDim, 3, 5}));
}

}  // namespace
}  // namespace pleat::runtime
