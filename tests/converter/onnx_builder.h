// Small ONNX models written in a test: OnnxBuilder().Input(...).Node(...).Output(...).
#ifndef PLEAT_TESTS_CONVERTER_ONNX_BUILDER_H_
#define PLEAT_TESTS_CONVERTER_ONNX_BUILDER_H_

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "converter/convert.h"

namespace pleat::tests {

// An attribute value; a TensorProto or GraphProto becomes an attribute of that type.
using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>,
                               std::vector<float>, onnx::TensorProto, onnx::GraphProto>;
using Attributes = std::map<std::string, Attribute>;

onnx::TensorProto FloatProto(std::vector<int64_t> dims, const std::vector<float>& values);
onnx::TensorProto Int64Proto(std::vector<int64_t> dims, const std::vector<int64_t>& values);
onnx::NodeProto NodeProtoOf(const std::string& op, const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs,
                            const Attributes& attributes = {});

class OnnxBuilder {
 public:
  explicit OnnxBuilder(int64_t opset = 17, int64_t ir_version = 8);

  // A size of -1 is unknown; sizes below that are not written by these tests.
  OnnxBuilder& Input(const std::string& name, const std::vector<int64_t>& dims,
                     int type = onnx::TensorProto::FLOAT);
  OnnxBuilder& Output(const std::string& name, int type = onnx::TensorProto::FLOAT);
  OnnxBuilder& Weight(const std::string& name, std::vector<int64_t> dims,
                      const std::vector<float>& values);
  OnnxBuilder& Int64s(const std::string& name, const std::vector<int64_t>& values);
  // The node's name is its first output's with "_node" behind.
  OnnxBuilder& Node(const std::string& op, const std::vector<std::string>& inputs,
                    const std::vector<std::string>& outputs, const Attributes& attributes = {});

  onnx::ModelProto& model() { return model_; }
  onnx::GraphProto& graph() { return *model_.mutable_graph(); }
  onnx::NodeProto& last_node() { return *graph().mutable_node(graph().node_size() - 1); }

  std::string Bytes() const { return model_.SerializeAsString(); }
  runtime::Result<runtime::Graph> Import(const converter::ConvertOptions& options = {}) const;

 private:
  onnx::ModelProto model_;
};

// Imports and runs the model on reference kernels. The first failure ends it.
runtime::Result<std::vector<runtime::Tensor>> ImportAndRun(
    const OnnxBuilder& builder, const std::vector<runtime::Tensor>& inputs);

// The only output of the model as doubles; a failure is printed and gives nothing.
std::vector<double> Answer(const OnnxBuilder& builder, const std::vector<runtime::Tensor>& inputs);

runtime::Tensor Floats(runtime::Shape shape, const std::vector<float>& values);

// The names of the operators of a graph, in order: "Conv Unary".
std::string Ops(const runtime::Result<runtime::Graph>& graph);

}  // namespace pleat::tests

#endif  // PLEAT_TESTS_CONVERTER_ONNX_BUILDER_H_
