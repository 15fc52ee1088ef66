// Attention (Vaswani et al., "Attention Is All You Need", 2017) and what models with it use.
#include <cmath>
#include <limits>

#include "converter/import/emit.h"
#include "converter/import/imports.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using fb::BinaryKind;
using kernels::UnaryKind;
using runtime::ElementType;
using runtime::kNoValue;
using runtime::kUnknownDim;
using runtime::Status;
using runtime::Type;
using runtime::ValueId;

ValueId Numbers(ImportContext& context, ValueId count, const std::vector<int64_t>& shape) {
  return EmitReshape(context, EmitNumbers(context, count), shape);
}

int64_t LastSize(ImportContext& context, ValueId x) {
  const Type type = context.type(x);
  if (type.ranked && type.rank() > 0 && type.shape.back() > 0) return type.shape.back();
  context.Unsupported("the size of a head is not known; state the shapes of the model's inputs");
  return 1;
}

// [n, s, heads * size] as [n, heads, s, size]; four dimensions stay.
ValueId Heads(ImportContext& context, ValueId x, int64_t heads) {
  if (context.type(x).rank() == 4) return x;
  if (heads < 1 || LastSize(context, x) % heads != 0) {
    context.Invalid("its numbers of heads do not divide " + runtime::TypeText(context.type(x)));
    return x;
  }
  const int64_t size = LastSize(context, x) / heads;
  return EmitTranspose(context, EmitReshape(context, x, {0, 0, heads, size}), {0, 2, 1, 3});
}

// Heads of keys and values each repeated for `heads` heads of queries.
ValueId Repeated(ImportContext& context, ValueId x, int64_t heads) {
  const Type type = context.type(x);
  const int64_t own = type.shape[1];
  if (own == heads || !context.ok()) return x;
  if (own < 1 || heads % own != 0) {
    context.Invalid(std::to_string(own) + " heads of keys do not divide " + std::to_string(heads) +
                    " heads of queries");
    return x;
  }
  fb::UnsqueezeT unsqueeze;
  unsqueeze.axes = {2};
  const ValueId apart = context.Emit(std::move(unsqueeze), {x});
  const ValueId many =
      context.Emit(fb::ExpandT(), {apart, context.Int64s({1, 1, heads / own, 1, 1})});
  return EmitReshape(context, many, {0, heads, -1, LastSize(context, x)});
}

class Bias {
 public:
  Bias(ImportContext& context, ElementType element, ValueId queries, ValueId keys)
      : context_(context), element_(element), queries_(queries), keys_(keys) {}

  // What keeps keys out: input 3, and which places may see which.
  ValueId Make() {
    const Type mask = context_.input_type(3);
    if (context_.has_input(3)) AddMask(mask);
    ReadPlaces();
    if (allowed_ != kNoValue) {
      const ValueId out = context_.Emit(
          fb::WhereT(), {allowed_, context_.Scalar(0, element_), Minus()});
      bias_ = bias_ == kNoValue ? out : EmitBinary(context_, BinaryKind::Add, bias_, out);
    }
    return bias_;
  }

 private:
  ValueId Minus() {
    return context_.Scalar(-std::numeric_limits<double>::infinity(), element_);
  }

  // A mask may cover the first keys only: the others stay out.
  void AddMask(const Type& type) {
    ValueId mask = context_.input(3);
    if (type.element == ElementType::kBool) {
      mask = context_.Emit(fb::WhereT(), {mask, context_.Scalar(0, element_), Minus()});
    }
    const int64_t keys = context_.type(keys_).ranked ? context_.type(keys_).shape[2] : kUnknownDim;
    const bool covers = type.ranked && type.rank() > 0 && keys >= 0 && type.shape.back() == keys;
    if (!covers && type.ranked && type.rank() > 0) {
      const ValueId more = EmitBinary(context_, BinaryKind::Sub, SizeAlong(context_, keys_, 2),
                                      SizeAlong(context_, mask, type.rank() - 1));
      const ValueId pads = EmitConcat(context_, 0, {context_.Int64s({0}),
                                                    EmitReshape(context_, more, {1})});
      mask = context_.Emit(fb::PadT(), {mask, pads, Minus(), context_.Int64s({-1})});
    }
    bias_ = mask;
  }

  void Allow(ValueId condition) {
    allowed_ = allowed_ == kNoValue ? condition
                                    : EmitBinary(context_, BinaryKind::And, allowed_, condition);
  }

  void ReadPlaces() {
    const bool causal = context_.Flag("is_causal");
    const int64_t left = context_.opset() < 25 ? -1 : context_.Int("left_window_size", -1);
    const int64_t right = context_.opset() < 25 ? -1 : context_.Int("right_window_size", -1);
    const ValueId filled = context_.input(6);  // how many keys of each picture count
    const ValueId key = Numbers(context_, SizeAlong(context_, keys_, 2), {1, -1});
    if (filled != kNoValue) {
      Allow(EmitBinary(context_, BinaryKind::Less, key,
                       EmitReshape(context_, filled, {-1, 1, 1, 1})));
    }
    if (!causal && left < 0 && right < 0) return;
    const ValueId length = SizeAlong(context_, queries_, 2);
    ValueId place = Numbers(context_, length, {-1, 1});
    if (context_.has_input(4)) {
      const ValueId past = SizeAlong(context_, context_.input(4), 2);
      place = EmitBinary(context_, BinaryKind::Add, place, past);
    } else if (filled != kNoValue) {
      const ValueId before = EmitBinary(context_, BinaryKind::Sub, filled, length);
      place = EmitBinary(context_, BinaryKind::Add, place,
                         EmitReshape(context_, before, {-1, 1, 1, 1}));
    }
    if (causal) Allow(EmitBinary(context_, BinaryKind::LessOrEqual, key, place));
    const ValueId behind = EmitBinary(context_, BinaryKind::Sub, place, key);
    if (left >= 0) {
      Allow(EmitBinary(context_, BinaryKind::LessOrEqual, behind, context_.Int64(left)));
    }
    if (right >= 0) {
      Allow(EmitBinary(context_, BinaryKind::GreaterOrEqual, behind, context_.Int64(-right)));
    }
  }

  ImportContext& context_;
  const ElementType element_;
  const ValueId queries_, keys_;
  ValueId bias_ = kNoValue, allowed_ = kNoValue;
};

// Softmax over keys; a query that no key is left for attends to nothing.
ValueId Weights(ImportContext& context, ValueId scores, ValueId bias) {
  ValueId weights = context.Emit(fb::SoftmaxT(), {scores});
  if (bias == kNoValue) return weights;
  const ElementType element = context.type(bias).element;
  const ValueId best = EmitReduce(context, fb::ReduceKind::Max, bias, {-1});
  const ValueId minus = context.Scalar(-std::numeric_limits<double>::infinity(), element);
  return context.Emit(fb::WhereT(), {EmitBinary(context, BinaryKind::Equal, best, minus),
                                     context.Scalar(0, element), weights});
}

}  // namespace

Status ImportAttention(ImportContext& context) {
  const int rank = context.Rank(0);
  if (rank != context.Rank(1) || rank != context.Rank(2) || (rank != 3 && rank != 4)) {
    return context.Invalid("query, key and value are not all of three or four dimensions");
  }
  context.Ignore("softmax_precision");
  const int64_t q_heads = context.Int("q_num_heads", 0);
  const int64_t kv_heads = context.Int("kv_num_heads", 0);
  const ValueId q = Heads(context, context.input(0), q_heads);
  ValueId k = Heads(context, context.input(1), kv_heads);
  ValueId v = Heads(context, context.input(2), kv_heads);
  if (context.has_input(4) != context.has_input(5)) {
    return context.Invalid("past_key and past_value do not come together");
  }
  if (context.has_input(4)) {
    k = EmitConcat(context, 2, {context.input(4), k});
    v = EmitConcat(context, 2, {context.input(5), v});
  }
  const double size = static_cast<double>(LastSize(context, q));
  const float softcap = context.Float("softcap", 0);
  const float stated = context.Float("scale", 0);
  const double scale = context.Has("scale") ? static_cast<double>(stated) : 1 / std::sqrt(size);
  const int64_t mode = context.Int("qk_matmul_output_mode", 0);
  if (!context.ok()) return context.status();
  const ElementType element = context.type(q).element;
  const int64_t heads = context.type(q).shape[1];
  if (heads < 1 || context.type(k).shape[1] < 1) {
    return context.Unsupported("the number of heads is not known");
  }
  context.Return(1, k);
  context.Return(2, v);
  const ValueId bias = Bias(context, element, q, k).Make();
  const ValueId scaled = EmitBinary(context, BinaryKind::Mul, q, context.Scalar(scale, element));
  const ValueId turned = EmitTranspose(context, Repeated(context, k, heads), {0, 1, 3, 2});
  ValueId scores = context.Emit(fb::MatMulT(), {scaled, turned});
  ValueId shown = scores;
  if (softcap > 0) {
    const ValueId cap = context.Scalar(static_cast<double>(softcap), element);
    const ValueId capped =
        EmitUnary(context, UnaryKind::kTanh, EmitBinary(context, BinaryKind::Div, scores, cap));
    scores = EmitBinary(context, BinaryKind::Mul, capped, cap);
  }
  if (mode == 1) shown = scores;
  if (bias != kNoValue) scores = EmitBinary(context, BinaryKind::Add, scores, bias);
  if (mode == 2) shown = scores;
  const ValueId weights = Weights(context, scores, bias);
  if (mode == 3) shown = weights;
  if (mode < 0 || mode > 3) return context.Invalid("qk_matmul_output_mode is not 0 to 3");
  context.Return(3, shown);
  ValueId y = context.Emit(fb::MatMulT(), {weights, Repeated(context, v, heads)});
  if (rank == 3) y = EmitReshape(context, EmitTranspose(context, y, {0, 2, 1, 3}), {0, 0, -1});
  return context.Done(y);
}

// Pairs of numbers turned by an angle for their place (Su et al., "RoFormer", 2021).
Status ImportRotaryEmbedding(ImportContext& context) {
  const int rank = context.Rank(0);
  if (rank != 3 && rank != 4) return context.Invalid("its input has not three or four dimensions");
  const int64_t heads = context.Int("num_heads", 0);
  const bool interleaved = context.Flag("interleaved");
  const ValueId x = Heads(context, context.input(0), heads);  // [n, heads, s, size]
  const int64_t size = LastSize(context, x);
  int64_t turned = context.Int("rotary_embedding_dim", 0);
  if (turned == 0) turned = size;
  if (turned < 0 || turned > size || turned % 2 != 0) {
    return context.Invalid("rotary_embedding_dim is " + std::to_string(turned));
  }
  ValueId angles[2];
  for (int i = 0; i < 2; ++i) {
    ValueId cache = context.input(i + 1);
    if (context.has_input(3)) cache = context.Emit(fb::GatherT(), {cache, context.input(3)});
    fb::UnsqueezeT unsqueeze;
    unsqueeze.axes = {1};
    angles[i] = context.Emit(std::move(unsqueeze), {cache});
  }
  const int64_t half = turned / 2;
  const ValueId a =
      interleaved ? EmitSlice(context, x, 3, 0, turned, 2) : EmitSlice(context, x, 3, 0, half);
  const ValueId b =
      interleaved ? EmitSlice(context, x, 3, 1, turned, 2) : EmitSlice(context, x, 3, half, turned);
  const auto product = [&](ValueId angle, ValueId number) {
    return EmitBinary(context, BinaryKind::Mul, angle, number);
  };
  ValueId real = EmitBinary(context, BinaryKind::Sub, product(angles[0], a), product(angles[1], b));
  ValueId imaginary =
      EmitBinary(context, BinaryKind::Add, product(angles[1], a), product(angles[0], b));
  ValueId y;
  if (interleaved) {
    fb::UnsqueezeT last;
    last.axes = {4};
    real = context.Emit(last, {real});
    imaginary = context.Emit(last, {imaginary});
    const ValueId heads_of_x = EmitSlice(context, context.Emit(fb::ShapeOfT(), {x}), 0, 0, 3);
    const ValueId shape = EmitConcat(context, 0, {heads_of_x, context.Int64s({turned})});
    y = context.Emit(fb::ReshapeT(), {EmitConcat(context, 4, {real, imaginary}), shape});
  } else {
    y = EmitConcat(context, 3, {real, imaginary});
  }
  if (turned < size) y = EmitConcat(context, 3, {y, EmitSlice(context, x, 3, turned, size)});
  if (rank == 3) y = EmitReshape(context, EmitTranspose(context, y, {0, 2, 1, 3}), {0, 0, -1});
  return context.Done(y);
}

}  // namespace pleat::converter
