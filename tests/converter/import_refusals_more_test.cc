// What the importer refuses of graphs, functions, tensors and wire bytes, and operators that
// import_refusals_test.cc has no room for.
#include <gtest/gtest.h>

#include "converter/onnx_reader.h"
#include "converter/tensor_file.h"
#include "converter/wire_scan.h"
#include "tests/converter/refusals_support.h"

namespace pleat::converter {
namespace {

using onnx::GraphProto;
using onnx::TensorProto;
using runtime::Status;
using runtime::StatusCode;
using tests::Attributes;
using tests::ExpectSays;
using tests::FloatProto;
using tests::Int64Proto;
using tests::kUnsupported;
using tests::On;
using tests::OnnxBuilder;
using tests::Unranked;
using Int64s = std::vector<int64_t>;
using Strings = std::vector<std::string>;
using namespace std::string_literals;

TEST(ImportRefusals, Graphs) {
  OnnxBuilder unnamed = On({"x"}, "Neg");
  unnamed.Input("", {2});
  ExpectSays(unnamed, "a graph input has no name");
  ExpectSays(On({"x"}, "Neg").Output("y"), "graph output 'y' appears twice");
  ExpectSays(On({"x"}, "Neg").Output("nothing"), "nothing makes graph output 'nothing'");
  OnnxBuilder none = On({"x"}, "Neg");
  none.graph().clear_output();
  ExpectSays(none, "the graph has no outputs");
  ExpectSays(On({"x"}, "Add"), "it has 1 inputs, expected 2");
  ExpectSays(On({"x", "x", "x"}, "Add"), "it has 3 inputs, expected 2");
  OnnxBuilder other = On({"x"}, "Relu");
  other.last_node().set_domain("com.example");
  ExpectSays(other, "Relu", kUnsupported);
  OnnxBuilder foreign = On({"x"}, "Relu");
  foreign.model().mutable_opset_import(0)->set_domain("com.example");
  ExpectSays(foreign, "the model does not import the operator set of ai.onnx");
  OnnxBuilder large(17);
  large.Input("x", {int64_t{1} << 21, 1}).Input("z", {1, int64_t{1} << 21});
  large.Node("Add", {"x", "z"}, {"y"}).Output("y");
  ExpectSays(large, "y_node (Add)", StatusCode::kLimitExceeded);
}

GraphProto Body(OnnxBuilder builder) { return builder.graph(); }

TEST(ImportRefusals, NamesOfTheDefaultDomain) {
  OnnxBuilder named = On({"x"}, "Relu");
  named.last_node().set_domain("ai.onnx");
  named.model().mutable_opset_import(0)->set_domain("ai.onnx");
  EXPECT_TRUE(named.Import().ok()) << named.Import().status().message();
  named.last_node().set_op_type("Frobnicate");
  ExpectSays(named, "y_node (Frobnicate) of ai.onnx 17: no such operator", kUnsupported);
  ExpectSays(On({}, "Concat", {{"axis", int64_t{0}}}), "it has 0 inputs, expected 1 or more");
}

// Branches that make nothing themselves, and what is read by graphs that no operator has.
TEST(ImportRefusals, OutputsOfSubgraphs) {
  const auto choice = [](const OnnxBuilder& branch) {
    OnnxBuilder builder = On({"c"}, "If", {{"then_branch", Body(branch)}, {"else_branch", Body(branch)}});
    builder.Input("c", {}, TensorProto::BOOL).Node("Frobnicate", {"x"}, {"refused"});
    return builder.Node("Shape", {"x"}, {"known"});
  };
  EXPECT_TRUE(choice(OnnxBuilder().Output("x")).Import().ok());
  EXPECT_TRUE(choice(OnnxBuilder().Weight("w", {2}, {1, 2}).Output("w")).Import().ok());
  ExpectSays(choice(OnnxBuilder().Output("nothing")), "nothing makes its input 'nothing'");
  ExpectSays(choice(OnnxBuilder().Node("Neg", {"x"}, {"n"}).Output("m")), "'m'");
  OnnxBuilder refused = choice(OnnxBuilder().Node("Neg", {"refused"}, {"n"}).Output("n"));
  ExpectSays(refused, "refused_node (Frobnicate) of ai.onnx 17", kUnsupported);
  OnnxBuilder narrow = choice(OnnxBuilder(21).Node("Cast", {"x"}, {"n"}, {{"to", int64_t{22}}}).Output("n"));
  narrow.model().mutable_opset_import(0)->set_version(21);
  ExpectSays(narrow, "a tensor of a narrow type leaves a subgraph", kUnsupported);
  OnnxBuilder graphs = On({"x"}, "Neg");
  auto* attribute = graphs.last_node().add_attribute();
  attribute->set_name("bodies");
  attribute->set_type(onnx::AttributeProto::GRAPHS);
  *attribute->add_graphs() = Body(OnnxBuilder().Node("Neg", {"x"}, {"n"}).Output("n"));
  ExpectSays(graphs, "attribute 'bodies' is not known at operator set 17", kUnsupported);
  *attribute->add_graphs() = Body(OnnxBuilder().Node("Neg", {"ghost"}, {"n"}).Output("n"));
  ExpectSays(graphs, "nothing makes its input 'ghost'");
}

// What is known while importing is worked out then: outputs that nobody wants are not.
TEST(ImportRefusals, OperatorsOnKnownNumbers) {
  const auto outputs = [](const std::string& op, const Strings& inputs, const Strings& outputs) {
    OnnxBuilder builder(17);
    builder.Weight("w", {3}, {5, 7, 5}).Int64s("k", {2}).Int64s("beyond", {3});
    builder.Node(op, inputs, outputs);
    return builder.Output(outputs.back(), outputs.size() > 1 ? TensorProto::INT64 : TensorProto::FLOAT);
  };
  EXPECT_EQ(tests::Answer(outputs("Unique", {"w"}, {"", "", "places"}), {}), (std::vector<double>{0, 1, 0}));
  EXPECT_EQ(tests::Answer(outputs("TopK", {"w", "k"}, {"", "places"}), {}), (std::vector<double>{1, 0}));
  ExpectSays(outputs("Gather", {"w", "beyond"}, {"y"}), "expected numbers in [-3, 3), got 3");
}

TEST(ImportRefusals, BatchNormsThatTrain) {
  OnnxBuilder builder(15);
  builder.Input("x", {2, 3});
  for (const char* name : {"g", "b", "m", "v"}) builder.Weight(name, {3}, {1, 1, 1});
  builder.Node("BatchNormalization", {"x", "g", "b", "m", "v"}, {"t"});
  ConvertOptions strict;
  strict.training = TrainingMode::kError;
  OnnxBuilder still = builder;
  EXPECT_TRUE(still.Output("t").Import(strict).ok());
  const Attributes training = {{"training_mode", int64_t{1}}};
  builder.Node("BatchNormalization", {"t", "g", "b", "m", "v"}, {"u"}, training);
  builder.Node("BatchNormalization", {"u", "g", "b", "m", "v"}, {"y"}, training).Output("y");
  const Status status = builder.Import(strict).status();
  EXPECT_EQ(status.code(), kUnsupported);
  EXPECT_EQ(status.message(), "batch norms in training mode, which --bn-training=error refuses: u_node, y_node");
}

TEST(ImportRefusals, CallsOfFunctions) {
  const auto call = [](int inputs, int outputs) {
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Node("Twice", Strings(static_cast<size_t>(inputs), "x"), {"y"});
    builder.Output("y");
    for (int i = 1; i < outputs; ++i) builder.last_node().add_output("z" + std::to_string(i));
    builder.last_node().set_domain("local");
    auto* import = builder.model().add_opset_import();
    import->set_domain("local"), import->set_version(1);
    onnx::FunctionProto& function = *builder.model().add_functions();
    function.set_domain("local"), function.set_name("Twice");
    function.add_input("a"), function.add_output("b");
    *function.add_node() = tests::NodeProtoOf("Add", {"a", "a"}, {"b"});
    return builder;
  };
  EXPECT_TRUE(call(1, 1).Import().ok()) << call(1, 1).Import().status().message();
  const std::string words = "the call has more inputs or outputs than the function";
  ExpectSays(call(2, 1), words);
  ExpectSays(call(1, 2), words);
}

TEST(ImportRefusals, Tensors) {
  const auto with = [](auto&& change) {
    OnnxBuilder builder(17);
    builder.Input("x", {2}).Weight("w", {2}, {1, 2}).Node("Add", {"x", "w"}, {"y"}).Output("y");
    change(*builder.graph().mutable_initializer(0));
    return builder;
  };
  ExpectSays(with([](auto& w) { w.set_dims(0, -1); }), "a size of the tensor is -1");
  ExpectSays(with([](auto& w) { w.clear_float_data(); }), "needs 2 elements, found 0");
  ExpectSays(with([](auto& w) { w.set_data_location(TensorProto::EXTERNAL); }),
             "the tensor holds data and names external data");
  const auto parse = [](const TensorProto& proto) {
    const std::string bytes = proto.SerializeAsString();
    return ParseTensor(std::as_bytes(std::span(bytes))).status().message();
  };
  TensorProto external = FloatProto({2}, {});
  external.set_data_location(TensorProto::EXTERNAL);
  EXPECT_EQ(parse(external), "external data is not allowed here");
  TensorProto untyped = FloatProto({2}, {1, 2});
  untyped.clear_data_type();
  EXPECT_EQ(parse(untyped), "not a serialised ONNX TensorProto");
}

TEST(ImportRefusals, FilesThatAreNotThere) {
  const Status status = ReadModelFile("/no/such/network.onnx", {}).status();
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("No such file"), std::string::npos) << status.message();
}

TEST(ImportRefusals, WireBytes) {
  const auto scan = [](const std::string& bytes) {
    return ScanModelWire(std::as_bytes(std::span(bytes)), {}).message();
  };
  const std::string at_start = "byte 0 is not protobuf";
  for (const std::string& bytes : {
           "\x09\x01\x02\x03"s,                                            // fixed64 cut off
           "\x0d\x01"s,                                                    // fixed32 cut off
           "\x0a\x80"s,                                                    // a length cut off
           "\x8a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"s,                // a tag of 11 bytes
           "\x8a\x80\x80\x80\x80\x01\x00"s,                                // a tag above 32 bits
           "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"s, "\x0b"s,   // a number, a group
       }) {
    EXPECT_NE(scan(bytes).find(at_start), std::string::npos) << scan(bytes);
  }
  EXPECT_EQ(scan("\x08\x07"s), "");
}

TEST(ImportRefusals, OperatorsLeftWithoutAnInput) {
  ExpectSays(On({"x"}, "TopK", {}, 11), "no k is given");
  ExpectSays(On({"x"}, "Slice", {}, 13), "starts or ends are missing");
  OnnxBuilder ends(13);
  ends.Input("x", {2}).Int64s("i", {0});
  ends.Node("Slice", {"x", "i"}, {"y"}).Output("y");
  ExpectSays(ends, "starts or ends are missing");
  ends.last_node().set_input(1, "");
  ends.last_node().add_input("i");
  ExpectSays(ends, "starts or ends are missing");
  ExpectSays(On({"x"}, "Pad", {}, 13), "pads are missing");
  ExpectSays(On({"x"}, "Upsample", {}, 9), "no scales are given");
  ExpectSays(On({"x"}, "Resize", {}, 13), "either scales or sizes are needed");
  OnnxBuilder crops(13);
  crops.Input("x", {2, 3}).Int64s("sizes", {4, 6});
  crops.Node("Resize", {"x", "", "", "sizes"}, {"y"},
             {{"coordinate_transformation_mode", "tf_crop_and_resize"s}}).Output("y");
  ExpectSays(crops, "tf_crop_and_resize needs a roi");
  ExpectSays(On({"x"}, "LRN", {}, 13, {1, 2, 3}), "attribute 'size' is missing or below 1");
}

TEST(ImportRefusals, Dropout) {
  const auto training = [](TensorProto constant) {
    OnnxBuilder builder = On({"x", "", "t"}, "Dropout");
    constant.set_name("t");
    *builder.graph().add_initializer() = std::move(constant);
    return builder;
  };
  const auto flag = [](Int64s dims, const std::vector<int>& values) {
    TensorProto proto;
    proto.set_data_type(TensorProto::BOOL);
    for (const int64_t size : dims) proto.add_dims(size);
    for (const int value : values) proto.add_int32_data(value);
    return proto;
  };
  EXPECT_TRUE(training(flag({}, {0})).Import().ok());
  ExpectSays(training(flag({}, {1})), "it draws random numbers", kUnsupported);
  ExpectSays(training(flag({0}, {})), "it draws random numbers", kUnsupported);
  ExpectSays(On({"x", "", "t"}, "Dropout").Input("t", {}, TensorProto::BOOL),
             "it draws random numbers", kUnsupported);
}

TEST(ImportRefusals, BatchNormOutputs) {
  const auto build = [](int64_t opset, const Attributes& attributes, Strings outputs) {
    OnnxBuilder builder(opset);
    builder.Input("x", {2, 3});
    for (const char* name : {"g", "b", "m", "v"}) builder.Weight(name, {3}, {1, 1, 1});
    builder.Node("BatchNormalization", {"x", "g", "b", "m", "v"}, outputs, attributes).Output("y");
    if (!outputs.back().empty()) builder.Output(outputs.back());
    return builder;
  };
  const std::string saved = "its outputs saved_mean and saved_var are read";
  const Attributes training = {{"is_test", int64_t{0}}};
  for (const Strings& outputs : {Strings{"y", "", "", "s"}, Strings{"y", "", "", "", "s"}}) {
    ExpectSays(build(6, training, outputs), saved, kUnsupported);
    ConvertOptions freeze;
    freeze.training = TrainingMode::kFreeze;
    const Status frozen = build(6, training, outputs).Import(freeze).status();
    EXPECT_NE(frozen.message().find(saved), std::string::npos) << frozen.message();
  }
  ExpectSays(build(15, {}, {"y", "s"}), "only training has more than one output");
}

TEST(ImportRefusals, Sequences) {
  ExpectSays(On({"x"}, "SplitToSequence", {{"axis", int64_t{0}}}, 17, {-1, 3}),
             "the size of the axis that it splits is not known", kUnsupported);
  const auto split = [](Int64s dims, int type) {
    OnnxBuilder builder = On({"x", "n"}, "SplitToSequence");
    builder.graph().clear_output();
    builder.Input("n", dims, type).Node("SequenceLength", {"y"}, {"z"});
    return builder.Output("z", TensorProto::INT64);
  };
  const std::string parts = "the number of its parts is known only at run time";
  EXPECT_TRUE(split({2}, TensorProto::INT64).Import().ok());
  ExpectSays(split({-1}, TensorProto::INT64), parts, kUnsupported);
  ExpectSays(split({1, 2}, TensorProto::INT64), parts, kUnsupported);
  ExpectSays(split({}, TensorProto::INT64), parts, kUnsupported);
  ExpectSays(split({2}, TensorProto::FLOAT), parts, kUnsupported);
  const auto joined = [](const std::string& maker, const Strings& inputs, Attributes attributes) {
    OnnxBuilder builder(13);
    builder.Input("x", {2, 3}).Node(maker, inputs, {"s"});
    builder.Node("ConcatFromSequence", {"s"}, {"y"}, attributes).Output("y");
    return builder;
  };
  ExpectSays(joined("SequenceConstruct", {"x", "x"}, {}), "no axis is given");
  ExpectSays(joined("SequenceEmpty", {}, {{"axis", int64_t{0}}}), "the sequence is empty");
  ExpectSays(Unranked(joined("SequenceConstruct", {"x", "x"},
                             {{"axis", int64_t{0}}, {"new_axis", int64_t{1}}})),
             "the number of dimensions of its tensors is not known", kUnsupported);
}

TEST(ImportRefusals, KindsThatAreNotOnnxs) {
  OnnxBuilder loss(13);
  loss.Input("x", {2, 3}).Input("t", {2}, TensorProto::INT64);
  loss.Node("NegativeLogLikelihoodLoss", {"x", "t"}, {"y"}, {{"reduction", "avg"s}}).Output("y");
  ExpectSays(loss, "reduction is avg");
  OnnxBuilder cache(24);
  cache.Input("x", {1, 4, 2}).Input("u", {1, 1, 2}).Input("i", {1}, TensorProto::INT64);
  cache.Node("TensorScatter", {"x", "u", "i"}, {"y"}, {{"mode", "loop"s}}).Output("y");
  ExpectSays(cache, "mode is loop");
  const auto causal = [](Int64s weights, const std::string& activation) {
    OnnxBuilder builder(27);
    builder.Input("x", {1, 2, 5}).Input("w", weights);
    builder.Node("CausalConvWithState", {"x", "w"}, {"y"}, {{"activation", activation}}).Output("y");
    return builder;
  };
  EXPECT_TRUE(causal({2, 1, 3}, "silu").Import().ok());
  ExpectSays(causal({2, 1, 3}, "relu"), "activation is relu");
  ExpectSays(causal({2, 1, -1}, "silu"), "the shape of its weights is not known", kUnsupported);
  ExpectSays(causal({2, 3}, "silu"), "the shape of its weights is not known", kUnsupported);
  const auto blocks = [](const std::string& mode, Int64s dims) {
    return On({"x"}, "SpaceToDepth", {{"blocksize", int64_t{2}}, {"mode", mode}}, 28, dims);
  };
  EXPECT_TRUE(blocks("CRD", {1, 2, 4, 4}).Import().ok());
  ExpectSays(blocks("X", {1, 2, 4, 4}), "mode is neither DCR nor CRD");
  ExpectSays(blocks("CRD", {1, -1, 4, 4}), "its channels are not known", kUnsupported);
  ExpectSays(Unranked(blocks("CRD", {1, 2, 4, 4})), "its channels are not known", kUnsupported);
  ExpectSays(On({"x"}, "MaxPool", {{"kernel_shape", Int64s{1, 1, 1, 1}}}, 13, {1, 1, 2, 2, 2, 2}),
             "windows of", kUnsupported);
  OnnxBuilder bools(17);
  bools.Input("x", {2, 3}, TensorProto::BOOL).Node("ReduceMean", {"x"}, {"y"}).Output("y");
  ExpectSays(bools, "its input is bool");
  OnnxBuilder dtype(21);
  dtype.Input("x", {4}).Input("s", {});
  dtype.Node("QuantizeLinear", {"x", "s"}, {"y"}, {{"output_dtype", int64_t{99}}}).Output("y");
  ExpectSays(dtype, "element type 99");
  OnnxBuilder sums(17);
  sums.Input("x", {2, -1}, TensorProto::UINT8).Input("w", {-1, 3}, TensorProto::UINT8);
  sums.Node("MatMulInteger", {"x", "w"}, {"y"}).Output("y");
  ExpectSays(sums, "the length of its sums is not known", kUnsupported);
  ExpectSays(Unranked(On({"x", "s"}, "AffineGrid", {}, 20).Input("s", {4}, TensorProto::INT64)),
             "the shape of theta is not known", kUnsupported);
  OnnxBuilder picture(18);
  picture.Input("x", {1, 5, 5}).Input("p", {2, 2}, TensorProto::INT64).Input("b", {2}, TensorProto::INT64);
  picture.Node("Col2Im", {"x", "p", "b"}, {"y"}).Output("y");
  ExpectSays(picture, "the number of dimensions of its picture is not known", kUnsupported);
  const int64_t wide = int64_t{1} << 40;
  OnnxBuilder unpool(17);
  unpool.Input("x", {1, 1, 2, 2}).Input("i", {1, 1, 2, 2}, TensorProto::INT64);
  unpool.Node("MaxUnpool", {"x", "i"}, {"y"}, {{"kernel_shape", Int64s{wide, wide}}}).Output("y");
  ExpectSays(unpool, "its window gives no output size");
}

TEST(ImportRefusals, NamesAndHeads) {
  const auto scatter = [](const std::string& reduction) {
    OnnxBuilder builder(18);
    builder.Input("x", {2, 3}).Input("i", {2, 3}, TensorProto::INT64);
    builder.Node("ScatterElements", {"x", "i", "x"}, {"y"}, {{"reduction", reduction}});
    return builder.Output("y");
  };
  EXPECT_TRUE(scatter("max").Import().ok());
  EXPECT_TRUE(scatter("min").Import().ok());
  ExpectSays(scatter("avg"), "reduction 'avg' is none of none, add, mul, max, min");
  OnnxBuilder resize(13);
  resize.Input("x", {2, 3}).Int64s("sizes", {4, 6});
  resize.Node("Resize", {"x", "", "", "sizes"}, {"y"}, {{"mode", "best"s}}).Output("y");
  ExpectSays(resize, "mode 'best' is not one of ONNX's");
  ExpectSays(On({"x"}, "Einsum", {{"equation", "i$->i"s}}), "its equation has '$'");
  ExpectSays(On({"x"}, "Einsum", {{"equation", "ij,jk->ik"s}}), "its equation has 2 terms for 1 inputs");
  ExpectSays(On({"x"}, "Gelu", {{"approximate", "fast"s}}, 20), "approximate is 'fast'");
  ExpectSays(Unranked(On({"x"}, "Transpose")), "the number of dimensions of input 0 is not known", kUnsupported);
  const auto attention = [](Int64s q, Int64s k, const Attributes& attributes) {
    OnnxBuilder builder(23);
    builder.Input("q", q).Input("k", k).Node("Attention", {"q", "k", "k"}, {"y"}, attributes);
    return builder.Output("y");
  };
  ExpectSays(attention({1, 2, 8}, {1, 2, 8}, {{"q_num_heads", int64_t{3}}, {"kv_num_heads", int64_t{2}}}),
             "its numbers of heads do not divide");
  ExpectSays(attention({1, 3, 2, 4}, {1, 2, 2, 4}, {}), "2 heads of keys do not divide 3");
  OnnxBuilder weights(17);
  weights.Input("w", {2, 2, 3}).Input("x", {1, 2, 6}).Node("Conv", {"x", "w"}, {"y"}).Output("y");
  ExpectSays(Unranked(weights), "the shape of the weights is not known", kUnsupported);
  OnnxBuilder product(17);
  product.Input("x", {2, 2}, TensorProto::UINT8).Input("w", {2, 3}, TensorProto::UINT8);
  product.Node("MatMulInteger", {"x", "w"}, {"y"}).Output("y");
  ExpectSays(Unranked(product), "the number of dimensions of its inputs is not known", kUnsupported);
  const auto quantized = [](int type) {
    OnnxBuilder builder(21);
    builder.Input("x", {4}).Input("s", {});
    builder.Node("QuantizeLinear", {"x", "s"}, {"y"}, {{"output_dtype", int64_t{type}}});
    return builder.Output("y", type);
  };
  EXPECT_TRUE(quantized(TensorProto::INT16).Import().ok());
  EXPECT_TRUE(quantized(TensorProto::UINT16).Import().ok());
  ExpectSays(quantized(TensorProto::INT64), "quantisation to int64", kUnsupported);
}

TEST(ImportRefusals, Recurrent) {
  const auto rnn = [](Int64s r, const Attributes& attributes, const std::string& activation = "") {
    OnnxBuilder builder(14);
    builder.Input("x", {5, 1, 3}).Input("w", {1, 2, 3}).Input("r", r);
    builder.Node("RNN", {"x", "w", "r"}, {"y"}, attributes).Output("y");
    if (activation.empty()) return builder;
    auto* names = builder.last_node().add_attribute();
    names->set_name("activations"), names->set_type(onnx::AttributeProto::STRINGS);
    names->add_strings(activation);
    return builder;
  };
  EXPECT_TRUE(rnn({1, 2, 2}, {}, "Relu").Import().ok());
  ExpectSays(rnn({1, 2, 2}, {}, "Best"), "the activation 'best' is not known", kUnsupported);
  ExpectSays(rnn({1, 2, 2}, {{"direction", "sideways"s}}), "direction is 'sideways'");
  ExpectSays(rnn({1, 2, -1}, {}), "hidden_size is not known", kUnsupported);
}

TEST(ImportRefusals, BodiesThatDoNotFitTheirValues) {
  const auto scan = [](int64_t opset, Int64s first, Int64s rows, int sequences) {
    OnnxBuilder body;
    body.Input("s", {2}).Input("e", {2}).Node("Add", {"s", "e"}, {"sum"});
    body.Node("Identity", {"sum"}, {"row"});
    if (sequences == 2) body.Input("f", {2});
    body.Output("sum").Output("row");
    OnnxBuilder builder(opset);
    builder.Input("s0", first).Input("xs", rows);
    Strings inputs = {"s0", "xs"};
    if (opset < 9) inputs.insert(inputs.begin(), "");
    if (sequences == 2) {
      builder.Input("ys", {1, 4, 2});
      inputs.push_back("ys");
    }
    builder.Node("Scan", inputs, {"last", "rows"},
                 {{"body", GraphProto(body.graph())}, {"num_scan_inputs", int64_t{sequences}}});
    return builder.Output("rows");
  };
  EXPECT_TRUE(scan(8, {1, 2}, {1, 3, 2}, 1).Import().ok());
  ExpectSays(scan(17, {2}, {3, 5}, 1), "do not broadcast");
  ExpectSays(scan(8, {1, 2}, {1, 3, 2}, 2), "its sequences have 3 and 4 slices");
}

}  // namespace
}  // namespace pleat::converter
