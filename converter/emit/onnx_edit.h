// Edits of an ONNX graph in place. Names inside the branches and bodies of its nodes follow.
#ifndef PLEAT_CONVERTER_EMIT_ONNX_EDIT_H_
#define PLEAT_CONVERTER_EMIT_ONNX_EDIT_H_

#include <onnx/onnx_pb.h>

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "runtime/tensor.h"

namespace pleat::converter {

class OnnxEdit {
 public:
  // Before IR version 4 every initializer is listed among the graph's inputs too.
  OnnxEdit(onnx::GraphProto& graph, int64_t ir_version);

  // Whether a tensor of this name is an initializer or follows from initializers and Constants
  // alone.
  bool IsConstant(const std::string& name) const { return constants_.contains(name); }
  // The initializer of this name, else null.
  const onnx::TensorProto* Initializer(const std::string& name) const;
  // A name like `wish` that nothing has yet.
  std::string FreshName(const std::string& wish);
  // Adds an initializer under a fresh name like `wish`, which it returns.
  std::string AddInitializer(const std::string& wish, const runtime::Tensor& tensor);

  // Every reader of `name` will read `instead`.
  void Alias(const std::string& name, const std::string& instead);
  // Puts `nodes` in the place of node `index`.
  void Replace(int index, std::vector<onnx::NodeProto> nodes);
  // Carries out what Alias and Replace asked for, keeps the names of the graph's outputs, and drops
  // nodes, initializers and value_info that nothing needs any more.
  void Finish();

 private:
  std::string Resolve(const std::string& name) const;
  void KeepOutputs();
  void DropUnused();

  onnx::GraphProto& graph_;
  int64_t ir_version_;
  std::unordered_set<std::string> names_, constants_;
  std::map<std::string, std::string> alias_;
  std::map<int, std::vector<onnx::NodeProto>> replaced_;
};

// The tensor as ONNX stores it, in raw form.
onnx::TensorProto ProtoOfTensor(const std::string& name, const runtime::Tensor& tensor);

// External data becomes a part of the graph.
runtime::Status TakeExternalDataIn(const std::string& folder, onnx::GraphProto& graph);

// The bytes of the file; kLimitExceeded beyond what one holds.
runtime::Result<std::string> Serialized(const onnx::ModelProto& model);

// Gives the node an attribute of integers, in place of one it may have.
void SetInts(onnx::NodeProto& node, const std::string& name, const std::vector<int64_t>& values);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_EMIT_ONNX_EDIT_H_
