// Fourier transforms as products with the matrix of the transform, and the windows before them.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "converter/import/emit.h"
#include "converter/import/imports.h"
#include "converter/import/refusals.h"
#include "converter/import/tensor_proto.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::Status;
using runtime::Tensor;
using runtime::ValueId;

// Larger matrices are refused: a fast transform would be the right way there.
constexpr int64_t kMostNumbers = int64_t{1} << 24;

Status Refuse(ImportContext& context, const std::string& what) {
  return context.Fail({runtime::StatusCode::kUnsupported, what, kRefusedOperator});
}

// a0 - a1 cos(2 pi n / d) + a2 cos(4 pi n / d), d being the size, or one less.
Status CosineWindow(ImportContext& context, double a0, double a1, double a2) {
  const auto element =
      ElementTypeOfOnnx(static_cast<int>(context.Int("output_datatype", onnx::TensorProto::FLOAT)));
  if (!element.ok()) return context.Fail(element.status());
  const ElementType type = context.ComputeType(*element);
  const ElementType float32 = ElementType::kFloat32;
  const ValueId size = context.CastTo(ElementType::kInt64, EmitReshape(context, context.input(0), {}));
  const ValueId numbers = context.CastTo(float32, EmitNumbers(context, size));
  ValueId period = context.CastTo(float32, size);
  if (!context.Flag("periodic", true)) {
    period = EmitBinary(context, BinaryKind::Sub, period, context.Scalar(1, float32));
  }
  const ValueId part = EmitBinary(context, BinaryKind::Div, numbers, period);
  const auto term = [&](double turns, double factor) {
    const ValueId angle = EmitBinary(context, BinaryKind::Mul, part,
                                     context.Scalar(2 * std::numbers::pi * turns, float32));
    return EmitBinary(context, BinaryKind::Mul, EmitUnary(context, UnaryKind::kCos, angle),
                      context.Scalar(factor, float32));
  };
  ValueId sum =
      EmitBinary(context, BinaryKind::Sub, context.Scalar(a0, float32), term(1, a1));
  if (a2 != 0) sum = EmitBinary(context, BinaryKind::Add, sum, term(2, a2));
  return context.Done(context.CastTo(type, sum));
}

// A known number; nothing when it is known only at run time.
std::optional<int64_t> Known(ImportContext& context, int input) {
  const Tensor tensor = context.constant_input(input);
  if (tensor.empty() || tensor.count() != 1) return std::nullopt;
  return runtime::ToInt64s(tensor)[0];
}

// The cosine of `place` / `length` of a turn, exactly 0 at odd quarters.
double CosineOf(int64_t place, int64_t length) {
  if (place * 4 % length == 0 && place * 4 / length % 2 != 0) return 0;
  return std::cos(2 * std::numbers::pi * static_cast<double>(place) / static_cast<double>(length));
}

double SineOf(int64_t place, int64_t length) {
  if (place * 2 % length == 0) return 0;
  return std::sin(2 * std::numbers::pi * static_cast<double>(place) / static_cast<double>(length));
}

// e^(-2 pi i k n / length), or its inverse, of real (parts = 1) or complex numbers n: one row for
// each of their parts, and for each k two columns (real, imaginary), or the real one alone, which
// takes `numbers` for the first half of a spectrum whose other half mirrors it.
struct Fourier {
  int64_t numbers, length, bins, parts, results;
  bool inverse;
  int64_t rows() const { return numbers * parts; }
  int64_t columns() const { return bins * results; }
  bool too_large() const {
    if (std::max(length, numbers) > kMostNumbers) return true;
    return rows() > kMostNumbers / columns();
  }

  double At(int64_t row, int64_t column) const {
    const int64_t n = row / parts, k = column / results, place = n * k % length;
    double scale = inverse ? 1.0 / static_cast<double>(length) : 1.0;
    if (results == 1 && n > 0 && 2 * n != length) scale *= 2;
    const double sine = inverse ? SineOf(place, length) : -SineOf(place, length);
    const bool imaginary_in = row % parts == 1, imaginary_out = column % results == 1;
    if (imaginary_in == imaginary_out) return scale * CosineOf(place, length);
    return scale * (imaginary_in ? -sine : sine);
  }
};

}  // namespace

Status ImportHannWindow(ImportContext& context) { return CosineWindow(context, 0.5, 0.5, 0); }

Status ImportHammingWindow(ImportContext& context) {
  return CosineWindow(context, 25.0 / 46, 21.0 / 46, 0);
}

Status ImportBlackmanWindow(ImportContext& context) {
  return CosineWindow(context, 0.42, 0.5, 0.08);
}

// Triangles on the mel scale, 2595 log10(1 + f / 700), from one edge to the other: a column each,
// over the bins of a spectrum.
Status ImportMelWeightMatrix(ImportContext& context) {
  std::vector<double> known;
  for (int i = 0; i < 5; ++i) {
    const Tensor tensor = context.constant_input(i);
    if (tensor.empty() || tensor.count() != 1) {
      return Refuse(context, "its inputs are known only at run time; make them constants");
    }
    known.push_back(runtime::ToDoubles(tensor)[0]);
  }
  const double mels = known[0], length = known[1], rate = known[2];
  const auto element =
      ElementTypeOfOnnx(static_cast<int>(context.Int("output_datatype", onnx::TensorProto::FLOAT)));
  if (!element.ok()) return context.Fail(element.status());
  const double bins = std::floor(length / 2) + 1;
  const bool sane = mels >= 1 && length >= 1 && rate >= 1 && known[3] >= 0 && known[4] >= known[3];
  if (!sane || bins * mels > static_cast<double>(kMostNumbers)) {
    return context.Invalid("its inputs describe no matrix, or one that is too large");
  }
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = mel(known[3]), step = (mel(known[4]) - low) / (mels + 2);
  const auto edge = [&](double i) {
    const double hertz = 700 * (std::pow(10, (low + step * i) / 2595) - 1);
    return std::floor((length + 1) * hertz / rate);
  };
  if (edge(mels + 1) > bins) return context.Invalid("its upper edge is beyond the spectrum");
  const auto columns = static_cast<int64_t>(mels), rows = static_cast<int64_t>(bins);
  std::vector<double> matrix(static_cast<size_t>(rows * columns), 0);
  for (int64_t column = 0; column < columns; ++column) {
    const auto i = static_cast<double>(column);
    const double left = edge(i), centre = edge(i + 1), right = edge(i + 2);
    for (int64_t row = 0; row < rows; ++row) {
      const auto at = static_cast<double>(row);
      double weight = 0;
      if (at >= left && at < centre) weight = (at - left) / (centre - left);
      if (at >= centre && at < right) weight = (right - at) / (right - centre);
      if (at == centre) weight = 1;
      matrix[static_cast<size_t>(row * columns + column)] = weight;
    }
  }
  return context.Done(context.Constant(runtime::Cast(Tensor::Of<double>({rows, columns}, matrix),
                                                     context.ComputeType(*element))));
}

// x [..., n, ..., parts] -> [..., n * parts] x matrix -> [..., bins, 2 or 1] -> in order
Status ImportDft(ImportContext& context) {
  const runtime::Type type = context.input_type(0);
  const int rank = context.Rank(0);
  const bool onesided = context.Flag("onesided"), inverse = context.Flag("inverse");
  int64_t axis = context.opset() < 20 ? context.Int("axis", 1) : -2;
  if (context.has_input(2)) {
    const auto known = Known(context, 2);
    if (!known) return Refuse(context, "its axis is known only at run time; make it a constant");
    axis = *known;
  }
  const int along = context.Axis(axis, rank);
  if (!context.ok()) return context.status();
  if (along == rank - 1) return context.Invalid("its axis is that of the parts");
  const int64_t size = type.shape[static_cast<size_t>(along)], parts = type.shape.back();
  const bool halved = onesided && inverse;  // from half a spectrum to real numbers
  std::optional<int64_t> length = halved ? 2 * (size - 1) : size;
  if (context.has_input(1)) length = Known(context, 1);
  if (size < 1 || !length || parts < 1) {
    return Refuse(context, "its length is known only at run time; fix it with --input-shape");
  }
  if (parts > 2 || *length < 1) return context.Invalid("its numbers have more than two parts");
  if (halved && parts != 2) return context.Invalid("its spectrum is not of complex numbers");
  if (*length > kMostNumbers) {
    return Refuse(context, "it is too long to be a product; do this step before the network");
  }
  const int64_t half = *length / 2 + 1;
  const Fourier fourier{std::min(size, halved ? half : *length), *length,
                        onesided && !halved ? half : *length, parts, halved ? 1 : 2, inverse};
  if (fourier.too_large()) {
    return Refuse(context, "it is too long to be a product; do this step before the network");
  }
  std::vector<double> matrix(static_cast<size_t>(fourier.rows() * fourier.columns()));
  for (size_t i = 0; i < matrix.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    matrix[i] = fourier.At(at / fourier.columns(), at % fourier.columns());
  }
  ValueId x = context.input(0);
  if (fourier.numbers < size) x = EmitSlice(context, x, along, 0, fourier.numbers);
  std::vector<int64_t> perm, back;
  for (int i = 0; i < rank - 1; ++i) {
    if (i != along) perm.push_back(i);
  }
  perm.insert(perm.end(), {along, rank - 1});
  back.resize(perm.size());
  for (size_t i = 0; i < perm.size(); ++i) {
    back[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
  }
  std::vector<int64_t> flat(static_cast<size_t>(rank - 2), 0), apart = flat;
  flat.push_back(fourier.rows());
  apart.insert(apart.end(), {fourier.bins, fourier.results});
  const ElementType element = context.type(x).element;
  const ValueId weights = context.Constant(
      runtime::Cast(Tensor::Of<double>({fourier.rows(), fourier.columns()}, matrix), element));
  const ValueId rows = EmitReshape(context, EmitTranspose(context, x, perm), flat);
  const ValueId product = context.Emit(fb::MatMulT(), {rows, weights});
  return context.Done(EmitTranspose(context, EmitReshape(context, product, apart), back));
}

// signal [batch, length, parts] -> a convolution of one channel per part -> [batch, frames, bins, 2]
Status ImportStft(ImportContext& context) {
  const auto step = Known(context, 1);
  const Tensor window = context.constant_input(2);
  std::optional<int64_t> length;
  if (!window.empty()) length = window.count();
  if (context.has_input(3)) length = Known(context, 3);
  if (!step || !length || (context.has_input(2) && window.empty())) {
    return Refuse(context,
                  "its step, window or frame length is known only at run time; make it a constant");
  }
  if (*step < 1 || *length < 1 || (!window.empty() && window.count() != *length)) {
    return context.Invalid("its step, window and frame length do not fit together");
  }
  const runtime::Type type = context.input_type(0);
  const bool plain = type.ranked && type.rank() == 2;
  if (!plain && (!type.ranked || type.rank() != 3 || type.shape[2] < 1 || type.shape[2] > 2)) {
    return context.Unsupported("its signal is " + runtime::TypeText(type) +
                               ", expected [batch, length, 1 or 2]");
  }
  const bool onesided = context.Flag("onesided", true);
  const int64_t parts = plain ? 1 : type.shape[2];
  const Fourier fourier{*length, *length, onesided ? *length / 2 + 1 : *length, parts, 2, false};
  if (fourier.too_large()) {
    return Refuse(context, "its frames are too long; do this step before the network");
  }
  std::vector<double> shape(static_cast<size_t>(*length), 1);
  if (!window.empty()) shape = runtime::ToDoubles(window);
  std::vector<double> kernel;
  for (int64_t m = 0; m < fourier.columns(); ++m) {
    for (int64_t part = 0; part < parts; ++part) {
      for (int64_t n = 0; n < *length; ++n) {
        kernel.push_back(shape[static_cast<size_t>(n)] * fourier.At(n * parts + part, m));
      }
    }
  }
  ValueId x = context.input(0);
  x = parts == 2 ? EmitTranspose(context, x, {0, 2, 1}) : EmitReshape(context, x, {0, 1, -1});
  const ElementType element = context.type(x).element;
  fb::ConvT fields;
  fields.window = std::make_unique<fb::WindowT>();
  fields.window->kernel = {*length};
  fields.window->strides = {*step};
  const ValueId weights = context.Constant(runtime::Cast(
      Tensor::Of<double>({fourier.columns(), parts, *length}, kernel), element));
  const ValueId frames = context.Emit(std::move(fields), {x, weights, runtime::kNoValue});
  return context.Done(EmitReshape(context, EmitTranspose(context, frames, {0, 2, 1}),
                                  {0, 0, fourier.bins, 2}));
}

}  // namespace pleat::converter
