// What the importers refuse, one fault at a time, and what they say then.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/converter/refusals_support.h"

namespace pleat::converter {
namespace {

using onnx::GraphProto;
using onnx::TensorProto;
using runtime::StatusCode;
using tests::Attributes;
using tests::ExpectSays;
using tests::FloatProto;
using tests::Int64Proto;
using tests::kUnsupported;
using tests::OnnxBuilder;
using Int64s = std::vector<int64_t>;
using Strings = std::vector<std::string>;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// An operator on inputs of these shapes, named a, b, ...; an empty one is left out.
struct Operand {
  std::vector<int64_t> dims;
  int type = TensorProto::FLOAT;
  bool left_out = false;
};
const Operand kNone = {{}, 0, true};
Operand Long(std::vector<int64_t> dims) { return {std::move(dims), TensorProto::INT64}; }

OnnxBuilder One(const std::string& op, const std::vector<Operand>& operands,
                const Attributes& attributes = {}, int64_t opset = 17, int outputs = 1) {
  OnnxBuilder builder(opset);
  Strings names, made;
  for (const Operand& operand : operands) {
    names.push_back(operand.left_out ? "" : std::string(1, static_cast<char>('a' + names.size())));
    if (!operand.left_out) builder.Input(names.back(), operand.dims, operand.type);
  }
  for (int i = 0; i < outputs; ++i) made.push_back("y" + std::to_string(i));
  builder.Node(op, names, made, attributes);
  for (const std::string& name : made) builder.Output(name);
  return builder;
}

// The same with input `place` a constant.
OnnxBuilder WithConstant(OnnxBuilder builder, int place, TensorProto constant) {
  constant.set_name("constant");
  *builder.graph().add_initializer() = std::move(constant);
  auto& node = builder.last_node();
  while (node.input_size() <= place) node.add_input("");
  node.set_input(place, "constant");
  return builder;
}
TensorProto Number(int64_t value) { return Int64Proto({}, {value}); }

GraphProto Body(OnnxBuilder builder) { return builder.graph(); }

TEST(ImportRefusals, If) {
  const GraphProto branch = Body(OnnxBuilder().Node("Neg", {"b"}, {"t"}).Output("t"));
  const GraphProto two =
      Body(OnnxBuilder().Node("Neg", {"b"}, {"t"}).Node("Abs", {"b"}, {"u"}).Output("t").Output("u"));
  const GraphProto own = Body(OnnxBuilder().Input("i", {}).Node("Neg", {"b"}, {"t"}).Output("t"));
  const auto build = [](Attributes attributes, int type = TensorProto::BOOL) {
    OnnxBuilder builder;
    builder.Input("c", {}, type).Input("b", {2}).Node("If", {"c"}, {"y"}, attributes).Output("y");
    return builder;
  };
  EXPECT_TRUE(build({{"then_branch", branch}, {"else_branch", branch}}).Import().ok());
  ExpectSays(build({{"then_branch", branch}}), "a branch is missing");
  ExpectSays(build({{"else_branch", branch}}), "a branch is missing");
  ExpectSays(build({{"then_branch", branch}, {"else_branch", branch}}, TensorProto::INT64),
             "its condition is not one bool");
  ExpectSays(build({{"then_branch", own}, {"else_branch", branch}}), "a branch has inputs of its own");
  const auto known = [&](const GraphProto& then, std::vector<int64_t> dims) {
    TensorProto condition;
    condition.set_data_type(TensorProto::BOOL);
    int64_t count = 1;
    for (const int64_t size : dims) condition.add_dims(size), count *= size;
    for (int64_t i = 0; i < count; ++i) condition.add_int32_data(1);
    return WithConstant(build({{"then_branch", then}, {"else_branch", then}}), 0, condition);
  };
  EXPECT_TRUE(known(branch, {}).Import().ok());
  ExpectSays(known(branch, {2}), "its condition is not one bool");
  ExpectSays(known(two, {}), "a branch has 2 outputs, expected 1");
  ExpectSays(known(own, {}), "a branch has inputs of its own");
}

TEST(ImportRefusals, Loop) {
  const auto body = [](int outputs) {
    OnnxBuilder inside;
    inside.Input("i", {}, TensorProto::INT64).Input("k", {}, TensorProto::BOOL).Input("v", {2});
    inside.Node("Identity", {"k"}, {"again"}).Node("Neg", {"v"}, {"next"});
    if (outputs > 0) inside.Output("again", TensorProto::BOOL);
    if (outputs > 1) inside.Output("next");
    return Body(inside);
  };
  const auto build = [](Attributes attributes, const Strings& inputs = {"m", "", "x"}) {
    OnnxBuilder builder;
    builder.Input("m", {}, TensorProto::INT64).Input("x", {2});
    builder.Node("Loop", inputs, {"y"}, attributes).Output("y");
    return builder;
  };
  EXPECT_TRUE(build({{"body", body(2)}}).Import().ok());
  ExpectSays(build({}), "its body is missing or lacks inputs");
  ExpectSays(build({{"body", Body(OnnxBuilder().Input("i", {}, TensorProto::INT64).Output("i"))}}),
             "its body is missing or lacks inputs");
  ExpectSays(build({{"body", body(2)}}, {"m", ""}), "it has 2 inputs, its body 3");
  ExpectSays(build({{"body", body(1)}}), "its body has 1 outputs, expected 2 or more");
  GraphProto wrong = body(2);
  wrong.mutable_node(1)->set_input(0, "nothing");
  ExpectSays(build({{"body", wrong}}), "nothing");
}

TEST(ImportRefusals, Scan) {
  OnnxBuilder inside;
  inside.Input("s", {2}).Input("e", {2}).Node("Add", {"s", "e"}, {"sum"});
  inside.Node("Identity", {"sum"}, {"row"}).Output("sum").Output("row");
  const GraphProto body = Body(inside);
  const auto build = [](Attributes attributes, int64_t opset = 17) {
    OnnxBuilder builder(opset);
    builder.Input("s0", {2}).Input("xs", {3, 2});
    const Strings inputs = opset < 9 ? Strings{"", "s0", "xs"} : Strings{"s0", "xs"};
    builder.Node("Scan", inputs, {"last", "rows"}, attributes).Output("rows");
    return builder;
  };
  const auto with = [&](const std::string& name, Int64s values) {
    return build({{"body", body}, {"num_scan_inputs", int64_t{1}}, {name, values}});
  };
  EXPECT_TRUE(build({{"body", body}, {"num_scan_inputs", int64_t{1}}}).Import().ok());
  ExpectSays(build({{"num_scan_inputs", int64_t{1}}}), "its body is missing");
  for (const int64_t count : {int64_t{0}, int64_t{3}, kMost}) {
    ExpectSays(build({{"body", body}, {"num_scan_inputs", count}}), "num_scan_inputs is");
  }
  GraphProto three = body, none = body;
  *three.add_input() = body.input(0);
  none.clear_output();
  ExpectSays(build({{"body", three}, {"num_scan_inputs", int64_t{1}}}), "its body has 3 inputs");
  ExpectSays(build({{"body", none}, {"num_scan_inputs", int64_t{1}}}), "and 0 outputs");
  for (const char* name : {"scan_input_axes", "scan_output_axes", "scan_input_directions",
                           "scan_output_directions"}) {
    ExpectSays(with(name, {0, 0}), "its axes or directions are not as many as its sequences");
  }
  ExpectSays(with("scan_input_axes", {2}), "axis 2 is outside [-2, 2)");
  GraphProto wrong = body;
  wrong.mutable_node(0)->set_input(0, "nothing");
  ExpectSays(build({{"body", wrong}, {"num_scan_inputs", int64_t{1}}}), "nothing");
  OnnxBuilder lengths(8);
  lengths.Input("n", {1}, TensorProto::INT64).Input("s0", {1, 2}).Input("xs", {1, 3, 2});
  lengths.Node("Scan", {"n", "s0", "xs"}, {"last", "rows"},
               {{"body", body}, {"num_scan_inputs", int64_t{1}}}).Output("rows");
  ExpectSays(lengths, "sequence lengths of operator set 8", kUnsupported);
  OnnxBuilder scalar(8);
  scalar.Input("s0", {}).Input("xs", {1, 3, 2});
  scalar.Node("Scan", {"", "s0", "xs"}, {"last", "rows"},
              {{"body", body}, {"num_scan_inputs", int64_t{1}}}).Output("rows");
  ExpectSays(scalar, "axis 0 is outside");
}

TEST(ImportRefusals, ShapesAndPlaces) {
  const Operand image = {{1, 4, 4, 4}};
  ExpectSays(One("Reshape", {{{4}}, kNone}), "no shape is given");
  ExpectSays(One("Concat", {{{4}}, {{4}}}), "no axis is given");
  ExpectSays(One("DepthToSpace", {image}, {{"blocksize", int64_t{2}}, {"mode", std::string("X")}}),
             "mode is neither DCR nor CRD");
  ExpectSays(One("DepthToSpace", {image}), "blocksize is missing or below 1");
  ExpectSays(One("SpaceToDepth", {image}), "blocksize is missing or below 1");
  for (const int64_t block : {int64_t{1} << 40, kMost}) {
    ExpectSays(One("SpaceToDepth", {image}, {{"blocksize", block}}), "is too large",
               StatusCode::kLimitExceeded);
  }
  ExpectSays(One("Split", {{{4}}}, {{"num_outputs", int64_t{3}}}, 18), "num_outputs is 3, it has 1");
  ExpectSays(One("EyeLike", {{{4}}}), "its input is not a matrix");
  ExpectSays(One("EyeLike", {{{4, 4}}}, {{"dtype", int64_t{99}}}), "element type 99");
  ExpectSays(One("Cast", {{{4}}}), "attribute 'to' is missing");
  ExpectSays(One("Cast", {{{4}}}, {{"to", std::string("FLAOT")}}, 1), "attribute 'to' is");
  ExpectSays(One("Cast", {{{4}}}, {{"to", int64_t{99}}}), "element type 99");
  ExpectSays(One("Constant", {}), "it has no value");
  ExpectSays(One("ConstantOfShape", {Long({2})}, {{"value", FloatProto({2}, {1, 2})}}),
             "its value has 2 elements, expected 1");
  ExpectSays(One("ReverseSequence", {{{4, 4}}, Long({4})},
                 {{"time_axis", int64_t{1}}, {"batch_axis", int64_t{1}}}), "are one");
  ExpectSays(One("BitShift", {{{4}, TensorProto::UINT8}, {{4}, TensorProto::UINT8}},
                 {{"direction", std::string("UP")}}), "direction is");
  const OnnxBuilder tile = One("Tile", {{{1, 6}}, {{}}, {{}}}, {}, 1);
  ExpectSays(tile, "is no known number", kUnsupported);
  ExpectSays(WithConstant(tile, 1, FloatProto({}, {2})), "is no known number", kUnsupported);
  ExpectSays(WithConstant(tile, 2, FloatProto({}, {2})), "is no known number", kUnsupported);
  const auto tiles = [&](TensorProto count, TensorProto axis) {
    OnnxBuilder builder = WithConstant(tile, 1, count);
    axis.set_name("axis");
    *builder.graph().add_initializer() = axis;
    builder.last_node().set_input(2, "axis");
    return builder;
  };
  EXPECT_TRUE(tiles(FloatProto({}, {2}), FloatProto({}, {1})).Import().ok());
  ExpectSays(tiles(FloatProto({2}, {2, 2}), FloatProto({}, {1})), "is no known number", kUnsupported);
  ExpectSays(tiles(FloatProto({}, {2}), FloatProto({2}, {1, 1})), "is no known number", kUnsupported);
  ExpectSays(tiles(FloatProto({}, {2}), FloatProto({}, {1e30f})), "is outside [-2, 2)");
  ExpectSays(tiles(FloatProto({}, {-1e30f}), FloatProto({}, {1})), "negative count");
  const auto lp = [](float p) {
    return One("LpPool", {{{1, 1, 4, 4}}}, {{"p", p}, {"kernel_shape", Int64s{2, 2}}}, 1);
  };
  for (const float p : {0.0f, 1e30f, std::nanf("")}) ExpectSays(lp(p), "p is 0");
  ExpectSays(One("GlobalLpPool", {{{1, 1, 4, 4}}}, {{"p", int64_t{0}}}), "p is 0");
  ExpectSays(One("GlobalMaxPool", {{{1, 4}}}), "its input has no spatial axes");
  ExpectSays(One("MaxPool", {{{1, 1, 4}}}), "attribute 'kernel_shape' is missing");
}

TEST(ImportRefusals, MaxUnpool) {
  const auto build = [](Attributes attributes, Int64s dims = {1, 1, 2, 2}) {
    return One("MaxUnpool", {{dims}, Long(dims)}, attributes);
  };
  const Int64s two = {2, 2};
  EXPECT_TRUE(build({{"kernel_shape", two}, {"strides", two}}).Import().ok());
  const std::string agree = "kernel_shape, strides and pads do not agree";
  ExpectSays(build({}), agree);
  ExpectSays(build({{"kernel_shape", two}, {"pads", Int64s{0}}}), agree);
  ExpectSays(build({{"kernel_shape", two}, {"strides", Int64s{1}}}), agree);
  const std::string fit = "the shape of its input is not known or does not fit the kernel";
  ExpectSays(build({{"kernel_shape", two}}, {1, 1, 2, -1}), fit, kUnsupported);
  ExpectSays(build({{"kernel_shape", two}}, {1, 1, 2}), fit, kUnsupported);
  const std::string size = "its window gives no output size";
  ExpectSays(build({{"kernel_shape", two}, {"pads", Int64s{9, 0, 0, 0}}}), size);
  ExpectSays(build({{"kernel_shape", two}, {"strides", Int64s{1, kMost}}}), size);
  ExpectSays(build({{"kernel_shape", Int64s{kMost, kMost}}}), size);
}

TEST(ImportRefusals, Col2Im) {
  const auto build = [](Attributes attributes, int64_t space = 2) {
    return One("Col2Im", {{{1, 5, 5}}, Long({space}), Long({space})}, attributes, 18);
  };
  const std::string agree = "strides, dilations and pads do not agree with the picture";
  ExpectSays(build({{"strides", Int64s{1}}}), agree);
  ExpectSays(build({{"dilations", Int64s{1}}}), agree);
  ExpectSays(build({{"pads", Int64s{1}}}), agree);
  ExpectSays(build({}, 0), agree);
  ExpectSays(build({}, 5), "the number of dimensions of its picture is not known or above 4", kUnsupported);
  ExpectSays(build({}, -1), "the number of dimensions of its picture is not known or above 4", kUnsupported);
}

TEST(ImportRefusals, Sampling) {
  const Operand x = {{1, 1, 4, 4}}, grid = {{1, 2, 2, 2}};
  ExpectSays(One("GridSample", {x, grid}, {{"mode", std::string("best")}}), "mode is best");
  ExpectSays(One("GridSample", {x, grid}, {{"padding_mode", std::string("wrap")}}), "padding_mode is wrap");
  for (const Int64s& theta : {Int64s{1, 2}, Int64s{1, 4, 5}, Int64s{1, 1, 2}}) {
    ExpectSays(One("AffineGrid", {{theta}, Long({4})}, {}, 20), "the shape of theta is not known", kUnsupported);
  }
  const Operand rois = {{3, 4}};
  ExpectSays(One("RoiAlign", {x, rois, Long({3})}, {{"mode", std::string("min")}}), "mode is neither avg nor max");
  ExpectSays(One("RoiAlign", {x, rois, Long({3})}, {{"coordinate_transformation_mode", std::string("none")}}),
             "coordinate_transformation_mode is none");
  const auto deform = [](Int64s dims, Int64s weights, int64_t groups) {
    return One("DeformConv", {{dims}, {weights}, {{1, 8, 3, 3}}}, {{"offset_group", groups}}, 19);
  };
  EXPECT_TRUE(deform({1, 2, 4, 4}, {1, 2, 2, 2}, 1).Import().ok());
  const std::string shape = "the shape of its input is not known";
  ExpectSays(deform({1, 4, 4}, {1, 2, 2, 2}, 1), shape, kUnsupported);
  ExpectSays(deform({1, -1, 4, 4}, {1, 2, 2, 2}, 1), shape, kUnsupported);
  ExpectSays(deform({1, 2, 4, 4}, {1, 2, 2}, 1), "its window is not known", kUnsupported);
  for (const int64_t groups : {int64_t{0}, int64_t{3}, int64_t{2048}}) {
    ExpectSays(deform({1, 2, 4, 4}, {1, 2, 2, 2}, groups), "offset_group is too large or does not divide");
  }
  ExpectSays(deform({1, 2048, 4, 4}, {1, 2048, 2, 2}, 2048), "offset_group is too large");
}

TEST(ImportRefusals, FourierTransforms) {
  const auto dft = [](Int64s dims, Attributes attributes) { return One("DFT", {{dims}}, attributes); };
  const Attributes first = {{"axis", int64_t{1}}};
  ExpectSays(dft({4}, {{"axis", int64_t{0}}}), "its axis is that of the parts");
  ExpectSays(dft({1, 4, 1}, {{"axis", int64_t{2}}}), "its axis is that of the parts");
  const std::string length = "its length is known only at run time";
  ExpectSays(dft({1, -1, 1}, first), length, kUnsupported);
  ExpectSays(dft({1, 4, -1}, first), length, kUnsupported);
  ExpectSays(dft({1, 4, 3}, first), "its numbers have more than two parts");
  ExpectSays(dft({1, 4, 1}, {{"onesided", int64_t{1}}, {"inverse", int64_t{1}}}),
             "its spectrum is not of complex numbers");
  const auto long_dft = [&](int64_t n) { return WithConstant(dft({1, 4, 1}, first), 1, Number(n)); };
  EXPECT_TRUE(long_dft(8).Import().ok());
  ExpectSays(One("DFT", {{{1, 4, 1}}, Long({})}, first), length, kUnsupported);
  ExpectSays(long_dft(0), "its numbers have more than two parts");
  for (const int64_t n : {int64_t{1} << 23, kMost}) ExpectSays(long_dft(n), "it is too long to be a product", kUnsupported);
  ExpectSays(One("DFT", {{{1, 4, 1}}, kNone, Long({})}, {}, 20), "its axis is known only at run time", kUnsupported);

  const auto stft = [](Int64s dims, TensorProto step, TensorProto frame) {
    OnnxBuilder builder = WithConstant(One("STFT", {{dims}}), 1, std::move(step));
    frame.set_name("frame");
    *builder.graph().add_initializer() = frame;
    builder.last_node().add_input("");
    builder.last_node().add_input("frame");
    return builder;
  };
  EXPECT_TRUE(stft({1, 8, 1}, Number(2), Number(4)).Import().ok());
  const std::string known = "its step, window or frame length is known only at run time";
  ExpectSays(stft({1, 8, 1}, Int64Proto({2}, {2, 2}), Number(4)), known, kUnsupported);
  ExpectSays(stft({1, 8, 1}, Number(2), Int64Proto({2}, {4, 4})), known, kUnsupported);
  OnnxBuilder window = stft({1, 8, 1}, Number(2), Number(4));
  window.Input("w", {4}).last_node().set_input(2, "w");
  ExpectSays(window, known, kUnsupported);
  OnnxBuilder other = stft({1, 8, 1}, Number(2), Number(4));
  other.Weight("w", {3}, {1, 1, 1}).last_node().set_input(2, "w");
  const std::string together = "its step, window and frame length do not fit together";
  ExpectSays(other, together);
  ExpectSays(stft({1, 8, 1}, Number(0), Number(4)), together);
  ExpectSays(stft({1, 8, 1}, Number(2), Number(0)), together);
  const std::string signal = "expected [batch, length, 1 or 2]";
  for (const Int64s& dims : {Int64s{8}, Int64s{1, 8, 3}, Int64s{1, 8, -1}}) {
    ExpectSays(stft(dims, Number(2), Number(4)), signal, kUnsupported);
  }
  for (const int64_t n : {int64_t{1} << 20, kMost}) {
    for (const int64_t parts : {1, 2}) {
      ExpectSays(stft({1, 8, parts}, Number(2), Number(n)), "its frames are too long", kUnsupported);
    }
  }
  ExpectSays(One("HannWindow", {Long({})}, {{"output_datatype", int64_t{99}}}), "element type 99");
}

TEST(ImportRefusals, AttentionAndNorms) {
  const Operand three = {{1, 2, 8}}, four = {{1, 2, 2, 4}};
  const Attributes heads = {{"q_num_heads", int64_t{2}}, {"kv_num_heads", int64_t{2}}};
  const std::string ranks = "query, key and value are not all of three or four dimensions";
  ExpectSays(One("Attention", {three, four, three}, heads, 23), ranks);
  ExpectSays(One("Attention", {three, three, four}, heads, 23), ranks);
  ExpectSays(One("Attention", {{{2, 8}}, {{2, 8}}, {{2, 8}}}, heads, 23), ranks);
  ExpectSays(One("Attention", {four, four, four, kNone, four}, {}, 23), "do not come together");
  for (const int64_t mode : {-1, 4}) {
    ExpectSays(One("Attention", {four, four, four}, {{"qk_matmul_output_mode", mode}}, 23),
               "qk_matmul_output_mode is not 0 to 3");
  }
  const Operand open = {{1, -1, 2, 4}};
  ExpectSays(One("Attention", {open, four, four}, {}, 23), "the number of heads is not known", kUnsupported);
  ExpectSays(One("Attention", {four, open, four}, {}, 23), "the number of heads is not known", kUnsupported);
  for (const int64_t turned : {int64_t{-2}, int64_t{3}, int64_t{6}}) {
    ExpectSays(One("RotaryEmbedding", {four, {{1, 2, 2}}, {{1, 2, 2}}},
                   {{"rotary_embedding_dim", turned}}, 23), "rotary_embedding_dim is");
  }
  ExpectSays(One("RotaryEmbedding", {{{2, 4}}, {{1, 2}}, {{1, 2}}}, {}, 23), "three or four dimensions");
  const Operand c = {{2}}, image = {{1, 2, 3}};
  ExpectSays(One("LayerNormalization", {image, {{3}}}, {{"stash_type", int64_t{11}}}), "stash_type", kUnsupported);
  ExpectSays(One("RMSNormalization", {image, {{3}}}, {{"stash_type", int64_t{11}}}, 23), "stash_type", kUnsupported);
  ExpectSays(One("GroupNormalization", {image, c, c}, {}, 21), "attribute 'num_groups' is missing or below 1");
  ExpectSays(One("GroupNormalization", {image, c, c}, {{"num_groups", int64_t{1}}, {"stash_type", int64_t{11}}}, 21),
             "stash_type", kUnsupported);
  ExpectSays(One("LpNormalization", {image}, {{"p", int64_t{3}}}), "expected 1 or 2");
  ExpectSays(One("TopK", {image}, {}, 1), "attribute 'k' is missing or below 1");
  ExpectSays(One("Einsum", {image}, {{"equation", std::string("ij->ij")}}), "does not fit");
  ExpectSays(One("Einsum", {image}, {{"equation", std::string("abc->abz")}}), "repeats a label or has one of its own");
  ExpectSays(One("Einsum", {image}, {{"equation", std::string("abc->abb")}}), "repeats a label or has one of its own");
  ExpectSays(One("DequantizeLinear", {{{4}, TensorProto::UINT8}, {{4}}}, {{"block_size", int64_t{-1}}}, 21), "block_size is -1");
}

TEST(ImportRefusals, BlocksOfUnknownSizeBeforeABatchNorm) {
  OnnxBuilder builder;
  builder.Input("x", {1, -1, -1, -1}).Node("Relu", {"x"}, {"r"});
  builder.Node("DepthToSpace", {"r"}, {"d"}, {{"blocksize", int64_t{1} << 20}});
  for (const char* name : {"g", "b", "m", "v"}) builder.Weight(name, {4}, {1, 1, 1, 1});
  builder.Node("BatchNormalization", {"d", "g", "b", "m", "v"}, {"y"}).Output("y");
  const std::string bytes = builder.Bytes();  // passes looked at 2^42 channels once
  EXPECT_TRUE(ConvertOnnx(std::as_bytes(std::span(bytes)), {}).ok());
}

}  // namespace
}  // namespace pleat::converter
