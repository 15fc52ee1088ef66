// What the importer of one operator sees: a node's attributes and inputs, and the graph to add to.
// The first failure sticks: from then on nothing is added and reads return defaults, so an importer
// need not check after every step.
#ifndef PLEAT_CONVERTER_IMPORT_CONTEXT_H_
#define PLEAT_CONVERTER_IMPORT_CONTEXT_H_

#include <onnx/onnx_pb.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "converter/import/importer.h"
#include "converter/import/narrow_type.h"

namespace pleat::converter {

class ImportContext {
 public:
  // `inputs` are the values of the node's inputs.
  ImportContext(Importer& importer, Scope& scope, onnx::NodeProto& node,
                std::vector<runtime::ValueId> inputs);

  const std::string& op() const { return node_.op_type(); }
  // The node's name; its first output's when it has none.
  const std::string& name() const { return name_; }
  int64_t opset() const { return scope_.opset; }
  const ConvertOptions& options() const { return importer_.options(); }

  // Inputs, trailing ones that were left out not counted.
  int input_count() const { return static_cast<int>(inputs_.size()); }
  runtime::ValueId input(int i) const;
  bool has_input(int i) const { return input(i) != runtime::kNoValue; }
  const std::vector<runtime::ValueId>& inputs() const { return inputs_; }
  // The values in an input that is a sequence; fails (and returns none) where it is a tensor.
  std::span<const runtime::ValueId> Sequence(int i);
  runtime::ValueId MakeSequence(std::vector<runtime::ValueId> values);
  runtime::Type type(runtime::ValueId id) const { return importer_.builder().type(id); }
  runtime::Type input_type(int i) const { return type(input(i)); }
  // The numbers of a value if they are known, else an empty Tensor.
  runtime::Tensor constant(runtime::ValueId id) const { return importer_.builder().constant(id); }
  runtime::Tensor constant_input(int i) const { return constant(input(i)); }
  // The narrow type of ONNX's that a value stands for, 0 for all others; see narrow_type.h.
  int narrow(runtime::ValueId id) const { return importer_.builder().narrow(id); }
  void MarkNarrow(runtime::ValueId id, int type) { importer_.builder().SetNarrow(id, type); }
  // What values of the element type are computed in.
  runtime::ElementType ComputeType(runtime::ElementType type) const {
    return importer_.ComputeType(type);
  }
  // The rank of input i. Fails (and returns 0) when it is not known.
  int Rank(int i);
  // An axis of a value of `rank`, normalised to [0, rank); fails outside [-rank, rank).
  int Axis(int64_t axis, int rank);

  int output_count() const { return node_.output_size(); }
  // Whether an output has a name; whether anything reads it.
  bool wants(int output) const { return output < output_count() && !node_.output(output).empty(); }
  bool is_read(int output) const {
    return wants(output) && scope_.read.contains(node_.output(output));
  }

  // Attributes; one of another type fails, one left out has the default.
  bool Has(std::string_view attribute);
  int64_t Int(std::string_view attribute, int64_t otherwise);
  bool Flag(std::string_view attribute, bool otherwise = false);
  float Float(std::string_view attribute, float otherwise);
  std::string String(std::string_view attribute, const std::string& otherwise = "");
  std::vector<int64_t> Ints(std::string_view attribute, const std::vector<int64_t>& otherwise = {});
  std::vector<float> Floats(std::string_view attribute);
  std::vector<std::string> Strings(std::string_view attribute);
  // Left out: an empty Tensor.
  runtime::Tensor TensorOf(std::string_view attribute);
  int OnnxTypeOf(std::string_view attribute);
  // Left out: null.
  onnx::GraphProto* GraphOf(std::string_view attribute);
  // Accepts an attribute that changes nothing here.
  void Ignore(std::string_view attribute) { Find(attribute); }

  // Adds a node; returns its output, or one id per entry of `wanted` (kNoValue where false).
  template <class T>
  runtime::ValueId Emit(T fields, std::vector<runtime::ValueId> inputs) {
    return EmitSome(std::move(fields), std::move(inputs), {true})[0];
  }
  template <class T>
  std::vector<runtime::ValueId> EmitSome(T fields, std::vector<runtime::ValueId> inputs,
                                         const std::vector<bool>& wanted) {
    return Add(runtime::MakeNode(name_, std::move(fields), std::move(inputs), {}), wanted);
  }
  runtime::ValueId Constant(runtime::Tensor tensor);
  runtime::ValueId Int64s(const std::vector<int64_t>& values);  // a 1-D tensor
  runtime::ValueId Int64(int64_t value);                        // a scalar
  // A scalar of a number type.
  runtime::ValueId Scalar(double value, runtime::ElementType type);
  // The value converted to an element type, itself when it has it.
  runtime::ValueId CastTo(runtime::ElementType type, runtime::ValueId id);
  // A subgraph's nodes on these inputs, in place of this one; its outputs.
  std::vector<runtime::ValueId> Inline(onnx::GraphProto& graph,
                                       std::span<const runtime::ValueId> inputs);
  // A subgraph on inputs of these types, to be run by a node; see Importer.
  runtime::Result<Subgraph> ImportSubgraph(const onnx::GraphProto& graph,
                                           std::span<const runtime::Type> inputs) {
    return importer_.ImportSubgraph(graph, scope_, inputs);
  }
  // What importing a subgraph in vain has added to the list of refused nodes goes.
  size_t RefusedSoFar() const { return importer_.RefusedSoFar(); }
  void ForgetRefused(size_t so_far) { importer_.ForgetRefused(so_far); }
  // Ends an importer with a node that runs subgraphs and has so many outputs.
  template <class T>
  runtime::Status DoneWithSubgraphs(T fields, std::vector<runtime::ValueId> inputs,
                                    std::vector<runtime::Graph> subgraphs, size_t outputs) {
    runtime::Node node = runtime::MakeNode(name_, std::move(fields), std::move(inputs), {});
    node.subgraphs = std::move(subgraphs);
    // Outputs nobody reads are made all the same: the subgraphs make them.
    const std::vector<runtime::ValueId> made =
        Add(std::move(node), std::vector<bool>(outputs, true));
    for (size_t i = 0; i < outputs; ++i) Return(static_cast<int>(i), made[i]);
    return status_;
  }

  // The value is the node's output `i`.
  void Return(int i, runtime::ValueId id);
  // Shorthand for an importer that ends in one output.
  runtime::Status Done(runtime::ValueId id) {
    Return(0, id);
    return status_;
  }

  runtime::Status DoneWithSequence(std::vector<runtime::ValueId> values) {
    return Done(MakeSequence(std::move(values)));
  }

  const runtime::Status& status() const { return status_; }
  bool ok() const { return status_.ok(); }
  // Each returns the failure that sticks, which is the first.
  const runtime::Status& Fail(runtime::Status status);
  const runtime::Status& Invalid(const std::string& message);
  const runtime::Status& Unsupported(const std::string& message);

  // What has become of a BatchNormalization, for the report.
  void ReportBatchNorm(runtime::fb::FoldStatus status, const std::string& kind,
                       const std::string& reason, const std::string& detail);

  // For the walk: fails when an attribute was never asked for; results by output.
  runtime::Status CheckAllRead();
  const std::vector<runtime::ValueId>& results() const { return results_; }

 private:
  onnx::AttributeProto* Find(std::string_view name);
  onnx::AttributeProto* Find(std::string_view name, int type);
  std::vector<runtime::ValueId> Add(runtime::Node node, const std::vector<bool>& wanted);

  Importer& importer_;
  Scope& scope_;
  onnx::NodeProto& node_;
  std::string name_;
  std::vector<runtime::ValueId> inputs_;
  std::vector<runtime::ValueId> results_;
  std::vector<bool> read_;  // by attribute
  runtime::Status status_;
  size_t first_own_value_;
};

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_IMPORT_CONTEXT_H_
