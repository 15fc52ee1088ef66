// Files of long ago, and of other floating-point types: the forms that operators had in operator
// sets 1 to 9, and float16, bfloat16 and float64 networks as a whole.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "runtime/session.h"
#include "tests/converter/onnx_builder.h"
#include "tests/support/random.h"

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::ElementType;
using runtime::Tensor;
using tests::Floats;
using tests::OnnxBuilder;

using Doubles = std::vector<double>;
using Int64s = std::vector<int64_t>;
using Text = std::string;

struct Form {
  int64_t opset;
  std::string op;
  std::vector<Tensor> inputs;
  tests::Attributes attributes;
  Doubles expected;
  std::vector<std::string> outputs = {"y"};
};

int OnnxTypeOf(const Tensor& tensor) {
  switch (tensor.element()) {
    case ElementType::kInt64:
      return TensorProto::INT64;
    case ElementType::kBool:
      return TensorProto::BOOL;
    default:
      return TensorProto::FLOAT;
  }
}

// The first output of one node over inputs of the graph.
Doubles AnswerOf(const Form& form) {
  OnnxBuilder builder(form.opset, 3);
  std::vector<std::string> names;
  for (size_t i = 0; i < form.inputs.size(); ++i) {
    names.push_back("i" + std::to_string(i));
    builder.Input(names.back(), form.inputs[i].shape(), OnnxTypeOf(form.inputs[i]));
  }
  builder.Node(form.op, names, form.outputs, form.attributes);
  builder.graph().add_output()->set_name("y");
  return tests::Answer(builder, form.inputs);
}

Tensor Ints(const Int64s& values) { return Tensor::Vector<int64_t>(values); }
Tensor Bools(std::vector<uint8_t> values) {
  Tensor tensor = Tensor::Make(ElementType::kBool, {static_cast<int64_t>(values.size())});
  std::memcpy(tensor.mutable_raw(), values.data(), values.size());
  return tensor;
}

TEST(ImportVersionsTest, FormsOfOldOperatorSets) {
  const Tensor v = Floats({4}, {-2, -1, 1, 2});
  const Tensor m = Floats({2, 2}, {1, 2, 3, 4});
  const Tensor image = Floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor planes = Floats({1, 2, 1, 2}, {1, 2, 3, 4});
  const Tensor two = Floats({2}, {10, 20});
  const int64_t one = 1;
  const tests::Attributes along = {{"broadcast", one}, {"axis", one}};
  const Int64s first = {0};
  tests::Attributes along_in_place = along;
  along_in_place["consumed_inputs"] = Int64s{0, 0};
  const std::vector<Form> forms = {
      // Broadcasting of the second operand alone, where an attribute says so.
      {1, "Add", {planes, two}, along_in_place, {11, 12, 23, 24}},
      {6, "Sub", {planes, two}, along, {-9, -8, -17, -16}},
      {1, "Mul", {planes, two}, along_in_place, {10, 20, 60, 80}},
      {6, "Div", {planes, two}, along, {0.1, 0.2, 0.15, 0.2}},
      {1, "Pow", {m, Floats({2}, {1, 2})}, {{"broadcast", one}}, {1, 4, 3, 16}},
      {1, "Greater", {planes, Floats({2}, {1, 3})}, along, {0, 1, 0, 1}},
      {1, "Equal", {Ints({1, 2}), Ints({1, 3})}, {}, {1, 0}},
      {1, "Or", {Bools({0, 1}), Bools({0, 0})}, {}, {0, 1}},
      {6, "Sum", {v, v, v}, {}, {-6, -3, 3, 6}},
      {1, "Max", {v, Floats({4}, {0, 0, 0, 0})}, {{"consumed_inputs", Int64s{0, 0}}}, {0, 0, 1, 2}},
      {6, "Mean", {v, Floats({4}, {0, 0, 0, 0})}, {}, {-1, -0.5, 0.5, 1}},
      // Activations.
      {1, "Relu", {v}, {{"consumed_inputs", first}}, {0, 0, 1, 2}},
      {1, "LeakyRelu", {v}, {{"alpha", 0.5f}, {"consumed_inputs", first}}, {-1, -0.5, 1, 2}},
      {1, "HardSigmoid", {v}, {{"alpha", 0.25f}, {"consumed_inputs", first}}, {0, 0.25, 0.75, 1}},
      {1, "PRelu", {planes, Floats({2}, {2, 2})}, {{"consumed_inputs", Int64s{0, 0}}}, {1, 2, 3, 4}},
      {6, "PRelu", {Floats({1, 2, 1, 1}, {-1, -1}), two}, {}, {-10, -20}},
      {1, "Clip", {v}, {{"min", -1.0f}, {"max", 1.5f}, {"consumed_inputs", first}}, {-1, -1, 1, 1.5}},
      {6, "Clip", {v}, {{"max", 0.0f}}, {-2, -1, 0, 0}},
      {1, "Elu", {Floats({1}, {1})}, {{"consumed_inputs", first}}, {1}},
      {1, "Dropout", {v}, {{"is_test", one}, {"consumed_inputs", first}}, {-2, -1, 1, 2}},
      {6, "Dropout", {v}, {{"is_test", one}, {"ratio", 0.9f}}, {-2, -1, 1, 2}},
      {7, "Dropout", {v}, {{"ratio", 0.9f}}, {-2, -1, 1, 2}},
      // Softmax over everything from the axis on.
      {1, "Softmax", {Floats({1, 2, 2}, {0, 0, 0, 0})}, {}, {0.25, 0.25, 0.25, 0.25}},
      {11, "Hardmax", {Floats({1, 2, 2}, {0, 1, 3, 2})}, {}, {0, 0, 1, 0}},
      // Parameters that were attributes.
      {1, "Reshape", {v}, {{"shape", Int64s{2, -1}}, {"consumed_inputs", first}}, {-2, -1, 1, 2}},
      {1, "Cast", {Floats({2}, {1.7f, -1.7f})}, {{"to", Text("INT32")}}, {1, -1}},
      {6, "Cast", {Floats({2}, {1.7f, -1.7f})}, {{"to", int64_t{TensorProto::INT64}}}, {1, -1}},
      {1, "Concat", {m, m}, {}, {1, 2, 1, 2, 3, 4, 3, 4}},
      {1, "Pad", {Floats({2}, {1, 2})}, {{"paddings", Int64s{1, 0}}, {"value", 5.0f}}, {5, 1, 2}},
      {2, "Pad", {Floats({2}, {1, 2})}, {{"pads", Int64s{0, 1}}, {"mode", Text("edge")}}, {1, 2, 2}},
      {1, "Slice", {v}, {{"starts", Int64s{-3}}, {"ends", Int64s{1000}}}, {-1, 1, 2}},
      {1, "Slice", {m}, {{"axes", Int64s{1}}, {"starts", first}, {"ends", Int64s{1}}}, {1, 3}},
      {1, "Split", {v}, {{"split", Int64s{1, 3}}}, {-1, 1, 2}, {"a", "y"}},
      {2, "Split", {m}, {{"axis", one}}, {2, 4}, {"a", "y"}},
      {1, "Squeeze", {planes}, {{"axes", Int64s{0, 2}}}, {1, 2, 3, 4}},
      {1, "Unsqueeze", {v}, {{"axes", Int64s{0, 2}}}, {-2, -1, 1, 2}},
      {6, "Tile", {Floats({2}, {1, 2}), Ints({2})}, {}, {1, 2, 1, 2}},
      {1, "TopK", {v}, {{"k", int64_t{2}}}, {2, 1}, {"y", "places"}},
      {1, "ReduceSum", {m}, {{"axes", Int64s{1}}, {"keepdims", int64_t{0}}}, {3, 7}},
      {1, "ReduceMean", {m}, {}, {2.5}},
      {1, "Gemm", {m, m, two}, {{"broadcast", one}, {"transB", one}}, {15, 31, 21, 45}},
      {6, "Gemm", {m, m, two}, {{"broadcast", one}, {"alpha", 2.0f}}, {24, 40, 40, 64}},
      {7, "Upsample", {image}, {{"scales", std::vector<float>{1, 1, 1, 2}}}, {1, 1, 2, 2, 3, 3, 4, 4}},
      {1, "Upsample", {image}, {{"height_scale", 1.0f}, {"width_scale", 2.0f}, {"mode", Text("nearest")}},
       {1, 1, 2, 2, 3, 3, 4, 4}},
      // Windows.
      {1, "MaxPool", {image}, {{"kernel_shape", Int64s{2, 1}}}, {3, 4}},
      {1, "AveragePool", {image}, {{"kernel_shape", Int64s{1, 2}}, {"pads", Int64s{0, 1, 0, 0}}},
       {1, 1.5, 3, 3.5}},
      {1, "LpPool", {image}, {{"kernel_shape", Int64s{2, 1}}, {"p", 1.0f}}, {4, 6}},
      {2, "LpPool", {image}, {{"kernel_shape", Int64s{2, 1}}, {"p", one}}, {4, 6}},
      {1, "GlobalLpPool", {image}, {{"p", 1.0f}}, {10}},
      {1, "InstanceNormalization", {planes, two, two},
       {{"epsilon", 0.75f}, {"consumed_inputs", Int64s{0, 0, 0}}}, {5, 15, 10, 30}},
      {1, "DepthToSpace", {Floats({1, 4, 1, 1}, {1, 2, 3, 4})}, {{"blocksize", int64_t{2}}}, {1, 2, 3, 4}},
  };
  for (const Form& form : forms) {
    SCOPED_TRACE(form.op + " of operator set " + std::to_string(form.opset));
    const Doubles answer = AnswerOf(form);
    ASSERT_EQ(answer.size(), form.expected.size());
    for (size_t i = 0; i < answer.size(); ++i) EXPECT_NEAR(answer[i], form.expected[i], 1e-6) << i;
  }
}

TEST(ImportVersionsTest, TheOldestTileTakesCountAndAxis) {
  OnnxBuilder builder(1, 3);
  builder.Input("x", {1, 2}).Weight("tiles", {1}, {2}).Weight("axis", {1}, {1});
  builder.Node("Tile", {"x", "tiles", "axis"}, {"y"}).Output("y");
  EXPECT_EQ(tests::Answer(builder, {Floats({1, 2}, {1, 2})}), (Doubles{1, 2, 1, 2}));
}

// Numbers as a file holds them in that type.
TensorProto ProtoOf(const Tensor& numbers, int onnx_type, ElementType type) {
  const Tensor cast = runtime::Cast(numbers, type);
  TensorProto proto;
  proto.set_data_type(onnx_type);
  for (const int64_t size : cast.shape()) proto.add_dims(size);
  proto.set_raw_data(cast.raw(), cast.bytes());
  return proto;
}

// A small convolutional network whose weights, input and output have the type.
OnnxBuilder NetworkOf(int onnx_type, ElementType type, ElementType rounded_to) {
  tests::Random random(3);
  OnnxBuilder builder(13);
  builder.Input("x", {2, 3, 9, 9}, onnx_type);
  const auto weight = [&](const std::string& name, Int64s shape, double low = -0.5) {
    const Tensor numbers = Tensor::Of<float>(
        shape, random.Values<float>(static_cast<size_t>(runtime::ElementCount(shape)), low, 0.9));
    TensorProto proto = ProtoOf(runtime::Cast(numbers, rounded_to), onnx_type, type);
    proto.set_name(name);
    *builder.graph().add_initializer() = proto;
  };
  weight("w", {8, 3, 3, 3});
  weight("b", {8});
  for (const char* name : {"scale", "shift", "mean", "variance"}) weight(name, {8}, 0.1);
  weight("wf", {8, 5});
  builder.Node("Conv", {"x", "w", "b"}, {"c"}, {{"pads", Int64s{1, 1, 1, 1}}});
  builder.Node("BatchNormalization", {"c", "scale", "shift", "mean", "variance"}, {"n"});
  builder.Node("Relu", {"n"}, {"r"});
  builder.Node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", Int64s{2, 2}}});
  builder.Node("GlobalAveragePool", {"p"}, {"g"}).Node("Flatten", {"g"}, {"f"});
  builder.Node("Gemm", {"f", "wf"}, {"y"});
  return builder.Output("y", onnx_type);
}

Tensor RunOn(const OnnxBuilder& builder, const Tensor& x) {
  const std::string bytes = builder.Bytes();
  auto graph = ConvertOnnx(std::as_bytes(std::span(bytes)), {});
  EXPECT_TRUE(graph.ok()) << graph.status().message();
  if (!graph.ok()) return {};
  runtime::Session session(*runtime::Model::FromGraph(std::move(graph).value()), {});
  auto result = session.Run({x});
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? std::move((*result)[0]) : Tensor();
}

Tensor Picture() {
  tests::Random random(4);
  return Tensor::Of<float>({2, 3, 9, 9}, random.Values<float>(2 * 3 * 81));
}

// The same bits as in a float32 network of the same numbers, rounded once at the end.
TEST(ImportVersionsTest, HalfPrecisionNetworksAreComputedInFloat) {
  for (const auto& [onnx_type, type] :
       {std::pair{int{TensorProto::FLOAT16}, ElementType::kFloat16},
        std::pair{int{TensorProto::BFLOAT16}, ElementType::kBFloat16}}) {
    const Tensor x = runtime::Cast(Picture(), type);
    const Tensor got = RunOn(NetworkOf(onnx_type, type, type), x);
    const Tensor wide = RunOn(NetworkOf(TensorProto::FLOAT, ElementType::kFloat32, type),
                              runtime::Cast(x, ElementType::kFloat32));
    ASSERT_FALSE(got.empty() || wide.empty());
    EXPECT_EQ(got.element(), type);
    const Tensor expected = runtime::Cast(wide, type);
    ASSERT_EQ(got.type(), expected.type());
    EXPECT_EQ(std::memcmp(got.raw(), expected.raw(), got.bytes()), 0) << ElementName(type);
  }
}

TEST(ImportVersionsTest, DoubleNetworksAreComputedInDouble) {
  const Tensor x = Picture();
  const Tensor narrow =
      RunOn(NetworkOf(TensorProto::FLOAT, ElementType::kFloat32, ElementType::kFloat32), x);
  const Tensor got =
      RunOn(NetworkOf(TensorProto::DOUBLE, ElementType::kFloat64, ElementType::kFloat32),
            runtime::Cast(x, ElementType::kFloat64));
  ASSERT_FALSE(got.empty() || narrow.empty());
  ASSERT_EQ(got.element(), ElementType::kFloat64);
  const Doubles y = runtime::ToDoubles(got), near = runtime::ToDoubles(narrow);
  size_t finer = 0;
  for (size_t i = 0; i < y.size(); ++i) {
    EXPECT_NEAR(y[i], near[i], 1e-5 * (1 + std::fabs(near[i])));
    finer += static_cast<double>(static_cast<float>(y[i])) != y[i];
  }
  EXPECT_GT(finer, y.size() / 2);
}

}  // namespace
}  // namespace pleat::converter
