// Weights in every storage form, and what is computed from constants during import.
#include <gtest/gtest.h>

#include "converter/import/tensor_proto.h"
#include "tests/converter/onnx_builder.h"

namespace pleat::converter {
namespace {

using kernels::ElementType;
using onnx::TensorProto;
using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using tests::Answer;
using tests::Floats;
using tests::OnnxBuilder;
using tests::Ops;

TensorProto Raw(int type, std::vector<int64_t> dims, const std::string& bytes) {
  TensorProto proto;
  proto.set_data_type(type);
  for (const int64_t dim : dims) proto.add_dims(dim);
  proto.set_raw_data(bytes);
  return proto;
}

Status Refusal(const TensorProto& proto) { return TensorOfProto(proto, nullptr).status(); }

TEST(TensorProtoTest, RawAndTypedFieldsOfEveryType) {
  const struct {
    int onnx;
    ElementType element;
  } kTypes[] = {
      {TensorProto::INT8, ElementType::kInt8},
      {TensorProto::UINT8, ElementType::kUint8},
      {TensorProto::INT16, ElementType::kInt16},
      {TensorProto::UINT16, ElementType::kUint16},
      {TensorProto::INT32, ElementType::kInt32},
      {TensorProto::BOOL, ElementType::kBool},
      {TensorProto::FLOAT16, ElementType::kFloat16},
      {TensorProto::BFLOAT16, ElementType::kBFloat16},
  };
  for (const auto& [onnx, element] : kTypes) {
    TensorProto typed = Raw(onnx, {2}, "");
    typed.clear_raw_data();
    typed.add_int32_data(1);
    typed.add_int32_data(0);
    const Result<Tensor> from_typed = TensorOfProto(typed, nullptr);
    ASSERT_TRUE(from_typed.ok()) << from_typed.status().message();
    EXPECT_EQ(from_typed->element(), element);
    const size_t size = kernels::ElementSize(element);
    std::string raw(2 * size, '\0');
    raw[0] = 1;
    const Result<Tensor> from_raw = TensorOfProto(Raw(onnx, {2}, raw), nullptr);
    ASSERT_TRUE(from_raw.ok()) << from_raw.status().message();
    EXPECT_EQ(runtime::ToDoubles(*from_raw), runtime::ToDoubles(*from_typed));
  }
  TensorProto wide = Raw(TensorProto::UINT64, {1}, "");
  wide.add_uint64_data(uint64_t{1} << 63);
  EXPECT_EQ(TensorOfProto(wide, nullptr)->data<uint64_t>()[0], uint64_t{1} << 63);
}

TEST(TensorProtoTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {2}, "1234567")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {2}, "123456789")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {-1}, "1234")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {1}, "")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(0, {1}, "1234")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(99, {1}, "1234")).code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Refusal(Raw(TensorProto::STRING, {1}, "1234")).code(), StatusCode::kUnsupported);
  EXPECT_EQ(Refusal(Raw(TensorProto::COMPLEX64, {1}, "12345678")).code(), StatusCode::kUnsupported);
  const int64_t huge = int64_t{1} << 32;
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, {huge, huge}, "1")).code(), StatusCode::kLimitExceeded);
  EXPECT_EQ(Refusal(Raw(TensorProto::FLOAT, std::vector<int64_t>(9, 1), "1234")).code(),
            StatusCode::kLimitExceeded);
  TensorProto two_fields = Raw(TensorProto::FLOAT, {1}, "1234");
  two_fields.add_float_data(1);
  EXPECT_EQ(Refusal(two_fields).code(), StatusCode::kInvalidModel);
  TensorProto small = Raw(TensorProto::INT8, {1}, "");
  small.add_int32_data(128);
  EXPECT_EQ(Refusal(small).code(), StatusCode::kInvalidModel);
  TensorProto bomb = Raw(TensorProto::FLOAT, {int64_t{1} << 39}, "");
  bomb.add_float_data(1);
  EXPECT_EQ(Refusal(bomb).code(), StatusCode::kInvalidModel);
}

TEST(TensorProtoTest, RefusesSegments) {
  TensorProto part = Raw(TensorProto::FLOAT, {1}, "1234");
  part.mutable_segment()->set_begin(0);
  EXPECT_EQ(Refusal(part).code(), StatusCode::kUnsupported);
}

TEST(TensorProtoTest, EmptyTensorsAndScalars) {
  EXPECT_EQ(TensorOfProto(Raw(TensorProto::FLOAT, {0, 3}, ""), nullptr)->count(), 0);
  EXPECT_EQ(TensorOfProto(Raw(TensorProto::FLOAT, {}, std::string(4, '\0')), nullptr)->count(), 1);
}

TEST(ImportConstantTest, EveryFormOfConstant) {
  const auto constant = [](const std::string& attribute, const tests::Attribute& value, int type) {
    OnnxBuilder builder(13);
    builder.Node("Constant", {}, {"y"}, {{attribute, value}}).Output("y", type);
    return builder;
  };
  EXPECT_EQ(Answer(constant("value", tests::FloatProto({2}, {1, 2}), TensorProto::FLOAT), {}),
            (std::vector<double>{1, 2}));
  EXPECT_EQ(Answer(constant("value_float", 0.5f, TensorProto::FLOAT), {}),
            (std::vector<double>{0.5}));
  EXPECT_EQ(Answer(constant("value_int", int64_t{7}, TensorProto::INT64), {}),
            (std::vector<double>{7}));
  EXPECT_EQ(Answer(constant("value_floats", std::vector<float>{1, 2}, TensorProto::FLOAT), {}),
            (std::vector<double>{1, 2}));
  EXPECT_EQ(Answer(constant("value_ints", std::vector<int64_t>{3, 4}, TensorProto::INT64), {}),
            (std::vector<double>{3, 4}));
  EXPECT_EQ(constant("value_string", "s", TensorProto::STRING).Import().status().code(),
            StatusCode::kUnsupported);
}

TEST(ImportConstantTest, ShapesKnownAtImportLeaveNoNodes) {
  OnnxBuilder builder;
  builder.Input("x", {2, 3, 4}).Int64s("one", {1}).Int64s("rest", {-1});
  builder.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "one"}, {"g"}, {{"axis", int64_t{0}}});
  builder.Node("Concat", {"g", "rest"}, {"target"}, {{"axis", int64_t{0}}});
  builder.Node("Reshape", {"x", "target"}, {"y"}).Output("y");
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "Reshape");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.shape,
            (runtime::Shape{3, 8}));
}

TEST(ImportConstantTest, ShapesUnknownAtImportAreComputed) {
  OnnxBuilder builder;
  builder.Input("x", {-1, 3, 4}).Int64s("zero", {0}).Int64s("rest", {-1});
  builder.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "zero"}, {"g"}, {{"axis", int64_t{0}}});
  builder.Node("Concat", {"g", "rest"}, {"target"}, {{"axis", int64_t{0}}});
  builder.Node("Reshape", {"x", "target"}, {"y"}).Output("y");
  const Result<Graph> graph = builder.Import();
  EXPECT_EQ(Ops(graph), "ShapeOf Gather Concat Reshape");
  EXPECT_EQ(graph->values[static_cast<size_t>(graph->outputs[0])].type.rank(), 2);
}

TEST(ImportConstantTest, HugeConstantsStayNodes) {
  OnnxBuilder builder(17);
  builder.Input("x", {1}).Int64s("size", {int64_t{1} << 36});
  builder.Node("ConstantOfShape", {"size"}, {"big"}).Node("Add", {"x", "big"}, {"y"}).Output("y");
  EXPECT_EQ(Ops(builder.Import()), "ConstantOfShape Binary");
}

TEST(ImportConstantTest, ConstantConditionTakesItsBranch) {
  for (const bool condition : {false, true}) {
    const auto branch = [](const std::string& op) {
      onnx::GraphProto graph;
      *graph.add_node() = tests::NodeProtoOf(op, {"h"}, {"out"});
      graph.add_output()->set_name("out");
      return graph;
    };
    OnnxBuilder builder;
    TensorProto* tensor = builder.graph().add_initializer();
    *tensor = Raw(TensorProto::BOOL, {}, std::string(1, static_cast<char>(condition)));
    tensor->set_name("c");
    builder.Input("x", {2}).Node("Abs", {"x"}, {"h"});
    builder.Node("If", {"c"}, {"y"},
                 {{"then_branch", branch("Neg")}, {"else_branch", branch("Exp")}});
    builder.Output("y");
    EXPECT_EQ(Answer(builder, {Floats({2}, {0, 0})}),
              (condition ? std::vector<double>{-0.0, -0.0} : std::vector<double>{1, 1}));
  }
}

}  // namespace
}  // namespace pleat::converter
