// MatMul: a [..,M,K] times b [..,K,N] with Numpy's batches (either may be 1-D), scaled by alpha,
// plus beta times an optional c that broadcasts to [M,N], plus an optional residual -> y [..,M,N].
#include "kernels/matmul.h"

#include <algorithm>

#include "runtime/checked.h"
#include "runtime/ops/activation.h"
#include "runtime/ops/product_types.h"

namespace pleat::runtime {
namespace {

using kernels::WeightLayout;

constexpr const char* kNames[] = {"a", "b", "c", "residual"};
constexpr int64_t kMaxProducts = int64_t{1} << 24;

// One side of the product: a matrix, or a stack of them.
struct Side {
  Shape batch;
  int64_t rows = kUnknownDim, columns = kUnknownDim;
  bool vector = false;
};

struct MatMulShape {
  Side a, b;
  Shape batch;   // of the output
  Shape output;  // without the axes of 1-D operands
};

Result<Side> SideOf(const char* name, Shape shape, bool transpose, bool row_vector) {
  Side side;
  if (shape.empty()) return InvalidModel(std::string("expected ") + name + " of rank 1 or more");
  if (shape.size() == 1) {
    if (transpose) return InvalidModel(std::string("a 1-D ") + name + " cannot be transposed");
    side.vector = true;
    shape.insert(row_vector ? shape.begin() : shape.end(), 1);
  }
  side.batch.assign(shape.begin(), shape.end() - 2);
  side.rows = shape[shape.size() - 2];
  side.columns = shape.back();
  if (transpose) std::swap(side.rows, side.columns);
  return side;
}

Result<Shape> Broadcast(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1;
    const int64_t y = i < b.size() ? b[b.size() - 1 - i] : 1;
    int64_t size = x == 1 ? y : x;
    if (x == kUnknownDim && y != 1) size = y;
    if (x != 1 && y != 1 && Differ(x, y)) {
      return InvalidModel("batches " + ShapeText(a) + " and " + ShapeText(b) + " do not broadcast");
    }
    out[out.size() - 1 - i] = size;
  }
  return out;
}

bool IsHalf(const fb::MatMulT& fields) {
  return fields.weight_layout == static_cast<uint8_t>(WeightLayout::kPanels16Half);
}

// Weights that are kept as float16 stand for float32.
Status CheckElements(const Node& node, std::span<const Type> inputs) {
  if (!IsHalf(*node.As<fb::MatMulT>()) || inputs.size() < 2) {
    return CheckProductElements(node, inputs, kNames);
  }
  if (inputs[1].element != ElementType::kFloat16) {
    return InvalidModel(std::string("expected packed weights of float16, got ") +
                        ElementName(inputs[1].element));
  }
  std::vector<Type> meant(inputs.begin(), inputs.end());
  meant[1].element = ElementType::kFloat32;
  return CheckProductElements(node, meant, kNames);
}

Result<Shape> PackedShape(const fb::MatMulT& fields, const Type& b, const Tensor* known) {
  if (fields.weight_layout != static_cast<uint8_t>(WeightLayout::kPanels16) && !IsHalf(fields)) {
    return InvalidModel("unknown weight layout " + std::to_string(fields.weight_layout));
  }
  if (fields.transpose_b) return InvalidModel("packed weights cannot be transposed");
  if (known == nullptr || b.rank() != 1) {
    return InvalidModel("expected packed weights to be a constant of rank 1, got " +
                        std::string(known == nullptr ? "a computed value" : TypeText(b)));
  }
  const int64_t rows = fields.weight_rows, columns = fields.weight_columns;
  Checked expected = -1;
  if (rows > 0 && columns > 0) expected = Checked((columns - 1) / 16 + 1) * 16 * rows;
  if (expected.value_or(-1) != b.shape[0]) {
    return InvalidModel("expected " + std::to_string(expected.value_or(-1)) +
                        " packed weights for [" + std::to_string(rows) + "," +
                        std::to_string(columns) + "], got " + std::to_string(b.shape[0]));
  }
  return Shape{rows, columns};
}

// c's strides along m and n when it broadcasts to the product; else a failure.
Status BiasStrides(const MatMulShape& shape, const Type& c, int64_t* stride_m, int64_t* stride_n) {
  *stride_m = *stride_n = 0;
  if (!c.ranked) return Status::Ok();
  // The output's axes that c may run along, from the last: their sizes and where strides go.
  std::vector<std::pair<int64_t, int64_t*>> axes;
  if (!shape.b.vector) axes.push_back({shape.b.columns, stride_n});
  if (!shape.a.vector) axes.push_back({shape.a.rows, stride_m});
  int64_t step = 1;
  for (size_t i = 0; i < c.shape.size(); ++i) {
    const int64_t size = c.shape[c.shape.size() - 1 - i];
    if (size == 1) continue;
    if (i >= axes.size() || Differ(size, axes[i].first)) {
      return InvalidModel("c: expected a shape that broadcasts to " + ShapeText(shape.output) +
                          " along its last two axes, got " + ShapeText(c.shape));
    }
    *axes[i].second = step;
    step *= size;
  }
  return Status::Ok();
}

// Checks the operands and derives all sizes. Both inputs are ranked.
Result<MatMulShape> Describe(const Node& node, std::span<const Type> inputs, const Tensor* b) {
  const fb::MatMulT& fields = *node.As<fb::MatMulT>();
  Shape b_shape = inputs[1].shape;
  if (fields.weight_layout != static_cast<uint8_t>(WeightLayout::kOnnx)) {
    PLEAT_ASSIGN_OR_RETURN(b_shape, PackedShape(fields, inputs[1], b));
  }
  MatMulShape shape;
  PLEAT_ASSIGN_OR_RETURN(shape.a, SideOf("a", inputs[0].shape, fields.transpose_a, true));
  PLEAT_ASSIGN_OR_RETURN(shape.b, SideOf("b", b_shape, fields.transpose_b, false));
  if (Differ(shape.a.columns, shape.b.rows)) {
    return InvalidModel("expected b with " + std::to_string(shape.a.columns) +
                        " rows as a has columns, got " + std::to_string(shape.b.rows) + " (a " +
                        ShapeText(inputs[0].shape) + ", b " + ShapeText(b_shape) + ")");
  }
  PLEAT_ASSIGN_OR_RETURN(shape.batch, Broadcast(shape.a.batch, shape.b.batch));
  shape.output = shape.batch;
  if (!shape.a.vector) shape.output.push_back(shape.a.rows);
  if (!shape.b.vector) shape.output.push_back(shape.b.columns);
  if (node.input(2) != kNoValue) {
    int64_t stride_m, stride_n;
    PLEAT_RETURN_IF_ERROR(BiasStrides(shape, inputs[2], &stride_m, &stride_n));
  }
  PLEAT_RETURN_IF_ERROR(CheckOperandShape(node, inputs, 3, "residual", shape.output));
  return shape;
}

Status Infer(InferContext& context) {
  PLEAT_RETURN_IF_ERROR(CheckElements(context.node, context.inputs));
  context.outputs[0] = {.element = context.inputs[0].element, .ranked = false};
  if (!context.inputs[0].ranked || !context.inputs[1].ranked) return Status::Ok();
  PLEAT_ASSIGN_OR_RETURN(const MatMulShape shape,
                         Describe(context.node, context.inputs, context.known_input(1)));
  context.outputs[0].ranked = true;
  context.outputs[0].shape = shape.output;
  return Status::Ok();
}

// Start of every product's matrix, in elements, where `batch` broadcasts to `out`.
std::vector<int64_t> Offsets(const Side& side, const Shape& out, int64_t products) {
  std::vector<int64_t> offsets(static_cast<size_t>(products), 0);
  int64_t step = side.rows * side.columns, inner = 1;
  for (size_t i = 0; i < side.batch.size(); ++i) {
    const int64_t size = side.batch[side.batch.size() - 1 - i];
    const int64_t out_size = out[out.size() - 1 - i];
    if (size != 1) {
      for (int64_t p = 0; p < products; ++p) {
        offsets[static_cast<size_t>(p)] += p / inner % out_size * step;
      }
    }
    step *= size;
    inner *= out_size;
  }
  return offsets;
}

Status Prepare(PrepareContext& context) {
  const fb::MatMulT& fields = *context.node.As<fb::MatMulT>();
  PLEAT_ASSIGN_OR_RETURN(const MatMulShape shape,
                         Describe(context.node, context.inputs, context.known_input(1)));
  kernels::MatMulProblem problem;
  PLEAT_ASSIGN_OR_RETURN(problem.activation, ActivationOf(fields.activation));
  problem.type = context.inputs[0].element;
  problem.m = shape.a.rows;
  problem.n = shape.b.columns;
  problem.k = shape.a.columns;
  problem.transpose_a = fields.transpose_a;
  problem.transpose_b = fields.transpose_b;
  problem.alpha = fields.alpha;
  problem.beta = fields.beta;
  problem.weight_layout = static_cast<WeightLayout>(fields.weight_layout);
  problem.select = context.select;
  context.operands = {0};
  problem.weights = ConstantOrOperand(context, 1);
  problem.has_bias = context.has_input(2);
  if (problem.has_bias) {
    PLEAT_RETURN_IF_ERROR(
        BiasStrides(shape, context.inputs[2], &problem.bias_stride_m, &problem.bias_stride_n));
    problem.bias = ConstantOrOperand(context, 2);
  }
  problem.has_residual = context.has_input(3);
  if (problem.has_residual) context.operands.push_back(3);

  const int64_t elements = ElementCount(shape.output);
  const int64_t products = elements == 0 ? 0 : elements / (problem.m * problem.n);
  const bool shared_b = std::ranges::all_of(shape.b.batch, [](int64_t size) { return size == 1; });
  if (elements == 0) {
    problem.m = problem.k = 0;  // the weights may be a stack of no matrix
  } else if (shared_b && !problem.transpose_a && problem.bias_stride_m == 0 &&
             shape.a.batch.size() == shape.batch.size()) {
    problem.m *= products;
  } else if (products <= kMaxProducts) {
    problem.a_offsets = Offsets(shape.a, shape.batch, products);
    problem.b_offsets = Offsets(shape.b, shape.batch, products);
  } else {
    return LimitExceeded("expected at most " + std::to_string(kMaxProducts) +
                         " products in a batch, got " + std::to_string(products));
  }
  context.multiply_adds = static_cast<double>(elements) * static_cast<double>(problem.k);
  SelectInto(context, kernels::MatMulCandidates(), problem);
  return Status::Ok();
}

}  // namespace

extern const OpRule kMatMulRule;
const OpRule kMatMulRule = {"MatMul", Infer, Prepare};

}  // namespace pleat::runtime
