#include "converter/emit/emit_onnx.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "converter/emit/fates.h"
#include "converter/emit/onnx_edit.h"
#include "converter/emit/shift_map.h"
#include "converter/emit/whole.h"
#include "converter/import/tensor_proto.h"
#include "converter/import/text.h"
#include "converter/onnx_reader.h"
#include "converter/within_memory.h"

namespace pleat::converter {
namespace {

namespace fb = runtime::fb;
using onnx::ModelProto;
using onnx::NodeProto;
using runtime::Graph;
using runtime::kNoValue;
using runtime::Node;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;
using runtime::Unsupported;

constexpr int64_t kOldestOpset = 7;  // Numpy's broadcasting everywhere, one form of Gemm
constexpr char kMark = '#';

// The nodes of the main graph are named by position while they are followed through the passes.
std::string MarkOf(int index) { return kMark + std::to_string(index); }

// The position a mark names; -1 for a node inside a function or branch.
int IndexOf(const std::string& mark) {
  int index = -1;
  const char* end = mark.data() + mark.size();
  if (mark.size() < 2 || mark[0] != kMark) return -1;
  return std::from_chars(mark.data() + 1, end, index).ptr == end ? index : -1;
}

bool IsLinear(const Node& node) {
  return node.As<fb::ConvT>() != nullptr || node.As<fb::ConvTransposeT>() != nullptr ||
         node.As<fb::MatMulT>() != nullptr;
}

bool IsSumWithConstant(const Graph& graph, const Node& node) {
  const auto* binary = node.As<fb::BinaryT>();
  return binary != nullptr && binary->kind == fb::BinaryKind::Add &&
         (graph.ConstantOf(node.inputs[0]) != nullptr ||
          graph.ConstantOf(node.inputs[1]) != nullptr);
}

bool IsAffine(const Node& node) { return node.As<fb::ScaleShiftT>() != nullptr; }

class Emitter {
 public:
  Emitter(ModelProto& model, const Graph& graph, const Fates& fates)
      : source_(*model.mutable_graph()),
        graph_(graph),
        fates_(fates),
        edit_(source_, model.ir_version()),
        opset_(OpsetOf(model)) {
    for (int i = 0; i < source_.node_size(); ++i) {
      for (const std::string& output : source_.node(i).output()) makers_[output] = i;
    }
  }

  Status Run();

 private:
  Result<int> Place(const std::string& mark, bool whole) const;
  Status Drop(int index);
  Status DropFolded();
  void DropTerms();
  bool Vanishes(const std::string& name) const;
  std::vector<std::string> Variables(const NodeProto& node) const;
  Status Rewrite(int index, const Node& node);
  NodeProto WithWindow(const NodeProto& node, const Node& folded) const;
  NodeProto WithWeights(const NodeProto& node, const Node& folded, bool with_bias);
  NodeProto WithConstants(const NodeProto& node, const Node& folded);
  // A constant of the folded graph in the type in which the source stores `like`.
  std::string Constant(const std::string& wish, const Tensor& tensor, const std::string& like);
  Status AddShifts(int index, const Node& folded, const Tensor& tap_bias);
  std::vector<NodeProto> MulAdd(const NodeProto& node, const std::string& x, const Node& folded);
  Result<std::string> OnlyVariable(const NodeProto& node) const;

  onnx::GraphProto& source_;
  const Graph& graph_;
  const Fates& fates_;
  OnnxEdit edit_;
  int64_t opset_;
  std::map<std::string, int> makers_;  // of tensors, by index
};

Result<int> Emitter::Place(const std::string& mark, bool whole) const {
  const int index = IndexOf(mark);
  if (index < 0 || index >= source_.node_size()) {
    return Unsupported("a batch norm folds inside a function or branch, which is not written back");
  }
  if (whole) return index;
  const NodeProto& node = source_.node(index);
  const std::string name = node.name().empty() ? node.output(0) : node.name();
  return Unsupported(node.op_type() + " " + Quoted(name) +
                     ": a part of it folds, which ONNX has no form for");
}

// The input that is not known before a run.
Result<std::string> Emitter::OnlyVariable(const NodeProto& node) const {
  if (node.op_type() == "BatchNormalization") return node.input(0);
  const std::vector<std::string> found = Variables(node);
  if (found.size() < 2) return found.empty() ? "" : found[0];
  return Unsupported(node.op_type() + " " + Quoted(node.output(0)) + ": " + Quoted(found[0]) +
                     " and " + Quoted(found[1]) + " are both known only at run time");
}

std::vector<std::string> Emitter::Variables(const NodeProto& node) const {
  std::vector<std::string> variables;
  for (const std::string& input : node.input()) {
    if (!input.empty() && !edit_.IsConstant(input)) variables.push_back(input);
  }
  return variables;
}

Status Emitter::Drop(int index) {
  const NodeProto& node = source_.node(index);
  PLEAT_ASSIGN_OR_RETURN(const std::string x, OnlyVariable(node));
  edit_.Alias(node.output(0), x);
  return Status::Ok();
}

std::string Emitter::Constant(const std::string& wish, const Tensor& tensor,
                              const std::string& like) {
  const onnx::TensorProto* stored = edit_.Initializer(like);
  runtime::ElementType element = tensor.element();
  if (stored != nullptr) {
    const auto type = ElementTypeOfOnnx(stored->data_type());
    if (type.ok() && kernels::IsFloat(*type)) element = *type;
  }
  return edit_.AddInitializer(wish, runtime::Cast(tensor, element));
}

// The attributes of the convolution that a convolution and what it took have become.
NodeProto Emitter::WithWindow(const NodeProto& node, const Node& folded) const {
  NodeProto changed = node;
  if (!fates_.Takes(folded.sources.front())) return changed;
  const fb::WindowT& window = *folded.As<fb::ConvT>()->window;
  auto& attributes = *changed.mutable_attribute();
  attributes.erase(std::remove_if(attributes.begin(), attributes.end(),
                                  [](const onnx::AttributeProto& attribute) {
                                    return attribute.name() == "auto_pad";
                                  }),
                   attributes.end());
  SetInts(changed, "kernel_shape", window.kernel);
  SetInts(changed, "pads", window.pads);
  SetInts(changed, "dilations", window.dilations);
  changed.set_input(0, graph_.values[static_cast<size_t>(folded.inputs[0])].name);
  return changed;
}

NodeProto Emitter::WithWeights(const NodeProto& node, const Node& folded, bool with_bias) {
  NodeProto changed = node;
  const std::string weights = node.input(graph_.ConstantOf(folded.input(1)) != nullptr ? 1 : 0);
  if (const Tensor* w = graph_.ConstantOf(folded.input(0))) {
    changed.set_input(0, Constant(weights + "_folded", *w, weights));
  }
  if (const Tensor* w = graph_.ConstantOf(folded.input(1))) {
    changed.set_input(1, Constant(weights + "_folded", *w, weights));
  }
  const Tensor* b = graph_.ConstantOf(folded.input(2));
  if (b == nullptr || !with_bias) return changed;
  const bool had = node.input_size() > 2 && !node.input(2).empty();
  const std::string wish = had ? node.input(2) : node.output(0) + "_bias";
  const std::string name = Constant(wish + "_folded", *b, weights);
  if (changed.input_size() > 2) {
    changed.set_input(2, name);
  } else {
    changed.add_input(name);
  }
  if (node.op_type() != "Gemm") return changed;
  for (auto& attribute : *changed.mutable_attribute()) {
    if (attribute.name() == "beta") attribute.set_f(folded.As<fb::MatMulT>()->beta);
  }
  return changed;
}

// A node that is no linear operator, with the constants it has now. A recurrent one may have a bias
// that it had not.
NodeProto Emitter::WithConstants(const NodeProto& node, const Node& folded) {
  NodeProto changed = node;
  const bool grows = folded.As<fb::RecurrentT>() != nullptr;
  for (size_t i = 0; i < folded.inputs.size(); ++i) {
    const Tensor* constant = graph_.ConstantOf(folded.inputs[i]);
    if (constant == nullptr || !kernels::IsFloat(constant->element())) continue;
    const int at = static_cast<int>(i);
    const bool had = at < node.input_size() && !node.input(at).empty();
    if (!had && !grows) continue;
    while (changed.input_size() <= at) changed.add_input("");
    const std::string wish = had ? node.input(at) : node.input(1) + "_bias";
    changed.set_input(at, Constant(wish + "_folded", *constant, had ? wish : node.input(1)));
  }
  return changed;
}

NodeProto BinaryNode(const std::string& op, const std::string& name, const std::string& a,
                     const std::string& b, const std::string& y) {
  NodeProto node;
  node.set_op_type(op);
  node.set_name(name);
  node.add_input(a);
  node.add_input(b);
  node.add_output(y);
  return node;
}

// x * scale + shift as a Mul and an Add, without either where it changes nothing.
std::vector<NodeProto> Emitter::MulAdd(const NodeProto& node, const std::string& x,
                                       const Node& folded) {
  const auto axis = static_cast<int>(folded.As<fb::ScaleShiftT>()->axis);
  const int rank = graph_.values[static_cast<size_t>(folded.outputs[0])].type.rank();
  runtime::Shape shape(static_cast<size_t>(rank - axis), 1);
  const std::string& y = node.output(0);
  const std::string like = node.op_type() == "BatchNormalization" ? node.input(1) : "";
  std::vector<NodeProto> nodes;
  std::string at = x;
  for (const int i : {1, 2}) {
    const Tensor& numbers = *graph_.ConstantOf(folded.input(static_cast<size_t>(i)));
    shape[0] = numbers.count();
    const std::string wish = y + (i == 1 ? "_scale" : "_shift");
    const std::string result = i == 1 ? edit_.FreshName(y + "_scaled") : y;
    nodes.push_back(BinaryNode(i == 1 ? "Mul" : "Add", wish, at,
                               Constant(wish, numbers.Reshaped(shape), like), result));
    at = result;
  }
  return nodes;
}

// The convolution, and behind it the sum with what its taps add at each place: a constant where the
// image's size is known, else the convolution of an image of ones.
Status Emitter::AddShifts(int index, const Node& folded, const Tensor& tap_bias) {
  const NodeProto node = WithWindow(source_.node(index), folded);
  const std::string& y = node.output(0);
  NodeProto conv = WithWeights(node, folded, /*with_bias=*/true);
  conv.set_output(0, edit_.FreshName(y + "_product"));
  std::vector<NodeProto> nodes = {conv};
  PLEAT_ASSIGN_OR_RETURN(const Tensor map, ShiftMap(graph_, folded, tap_bias));
  std::string shifts;
  if (!map.empty()) {
    shifts = Constant(y + "_shifts", map, node.input(1));
  } else {
    if (opset_ < 9) {
      return Unsupported(node.op_type() + " " + Quoted(y) + ": its shift depends on the image's " +
                         "size, which operator set " + std::to_string(opset_) +
                         " has no form for");
    }
    const std::string taps = Constant(y + "_taps", TapWeights(folded, tap_bias), node.input(1));
    const std::string& image =
        graph_.values[static_cast<size_t>(folded.inputs[0])].name;
    nodes = ShiftNodes(graph_, folded, node, {.image = image, .taps = taps}, edit_);
    shifts = nodes.back().output(0);
    nodes.push_back(conv);
  }
  const std::string name = (node.name().empty() ? y : node.name()) + "_shift";
  nodes.push_back(BinaryNode("Add", name, conv.output(0), shifts, y));
  edit_.Replace(index, std::move(nodes));
  return Status::Ok();
}

Status Emitter::Rewrite(int index, const Node& folded) {
  const NodeProto& node = source_.node(index);
  if (IsAffine(folded)) {
    PLEAT_ASSIGN_OR_RETURN(const std::string x, OnlyVariable(node));
    edit_.Replace(index, MulAdd(node, x, folded));
    return Status::Ok();
  }
  if (!IsLinear(folded)) {
    edit_.Replace(index, {WithConstants(node, folded)});
    return Status::Ok();
  }
  if (const Tensor* tap_bias = TapBiasOf(graph_, folded)) {
    return AddShifts(index, folded, *tap_bias);
  }
  const Tensor* bias = graph_.ConstantOf(folded.input(2));
  if (node.op_type() != "MatMul" || bias == nullptr) {
    edit_.Replace(index, {WithWeights(WithWindow(node, folded), folded, /*with_bias=*/true)});
    return Status::Ok();
  }
  NodeProto product = WithWeights(node, folded, /*with_bias=*/false);
  const std::string& y = node.output(0);
  product.set_output(0, edit_.FreshName(y + "_product"));
  const std::string added = Constant(y + "_bias_folded", *bias, node.input(1));
  const std::string name = (node.name().empty() ? y : node.name()) + "_bias";
  edit_.Replace(index, {product, BinaryNode("Add", name, product.output(0), added, y)});
  return Status::Ok();
}

// Whether a tensor is, or follows from, nothing but terms that are parts of a convolution now.
bool Emitter::Vanishes(const std::string& name) const {
  if (!fates_.AnyTaken()) return false;
  const auto maker = makers_.find(name);
  if (maker == makers_.end()) return false;
  const std::string mark = MarkOf(maker->second);
  if (fates_.Taken(mark)) return true;
  const Fates::Fate* fate = fates_.Find(mark);
  const NodeProto& node = source_.node(maker->second);
  const bool sum = node.op_type() == "Add" || node.op_type() == "Sum";
  const bool gone = fate != nullptr && fate->left == 0;
  if (!gone && !sum) return false;
  const std::vector<std::string> terms = node.op_type() == "BatchNormalization"
                                             ? std::vector<std::string>{node.input(0)}
                                             : Variables(node);
  if (terms.empty() || (terms.size() > 1 && !sum)) return false;
  return std::all_of(terms.begin(), terms.end(),
                     [this](const std::string& term) { return Vanishes(term); });
}

// Affine steps that are parts of others now.
Status Emitter::DropFolded() {
  for (const auto& [mark, fate] : fates_.all()) {
    if (fates_.Taken(mark)) continue;
    if (fate.affine_left == fate.affine) {
      // Canonical only since convolutions were merged.
      const int index = fate.left == 0 && fate.steps == 1 ? IndexOf(mark) : -1;
      if (index < 0) continue;
      const std::vector<std::string> variables = Variables(source_.node(index));
      if (variables.size() != 1 || source_.node(index).output_size() != 1) continue;
      if (!Vanishes(variables[0])) edit_.Alias(source_.node(index).output(0), variables[0]);
      continue;
    }
    const bool whole = fate.affine_left == 0 && fate.steps == fate.affine;
    PLEAT_ASSIGN_OR_RETURN(const int index, Place(mark, whole));
    if (!Vanishes(source_.node(index).output(0))) PLEAT_RETURN_IF_ERROR(Drop(index));
  }
  return Status::Ok();
}

// Sums go without the terms that are parts of a convolution now.
void Emitter::DropTerms() {
  for (int i = 0; fates_.AnyTaken() && i < source_.node_size(); ++i) {
    const NodeProto& node = source_.node(i);
    if (node.op_type() != "Add" && node.op_type() != "Sum") continue;
    std::vector<std::string> left;
    for (const std::string& term : node.input()) {
      if (!Vanishes(term)) left.push_back(term);
    }
    if (left.empty() || static_cast<int>(left.size()) == node.input_size()) continue;
    if (left.size() == 1) {
      edit_.Alias(node.output(0), left[0]);
      continue;
    }
    NodeProto sum = node;
    sum.clear_input();
    for (const std::string& term : left) sum.add_input(term);
    edit_.Replace(i, {sum});
  }
}

Status Emitter::Run() {
  PLEAT_RETURN_IF_ERROR(DropFolded());
  DropTerms();
  for (const Node& node : graph_.nodes) {
    if (node.sources.empty()) continue;
    const std::string& mark = node.sources.front();
    const Fates::Fate* fate = fates_.Find(mark);
    if (fate == nullptr || node.sources.size() <= fate->sources) continue;
    if (fates_.AnyTaken() && IsSumWithConstant(graph_, node)) {
      return Unsupported("a sum with a constant changes whose terms are merged");
    }
    const bool whole =
        fate->steps == 1 && (IsLinear(node) || IsAffine(node) || fate->sources == 1);
    PLEAT_ASSIGN_OR_RETURN(const int index, Place(mark, whole));
    PLEAT_RETURN_IF_ERROR(Rewrite(index, node));
  }
  edit_.Finish();
  return Status::Ok();
}

// The sizes the folds rest on, in place of what the source declares.
void StateShapes(const Graph& graph, onnx::GraphProto& source) {
  const auto state = [&](runtime::ValueId id, onnx::ValueInfoProto* info) {
    const runtime::Type& type = graph.values[static_cast<size_t>(id)].type;
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    tensor->clear_shape();
    if (!type.ranked) return;
    tensor->mutable_shape();
    for (const int64_t size : type.shape) {
      auto* dim = tensor->mutable_shape()->add_dim();
      if (size != runtime::kUnknownDim) dim->set_dim_value(size);
    }
  };
  for (const runtime::ValueId id : graph.inputs) {
    for (auto& input : *source.mutable_input()) {
      if (input.name() == graph.values[static_cast<size_t>(id)].name) state(id, &input);
    }
  }
  for (int i = 0; i < source.output_size(); ++i) {
    state(graph.outputs[static_cast<size_t>(i)], source.mutable_output(i));
  }
  source.clear_value_info();
}

// Batch norms that were frozen run on their stored statistics from now on.
Status Freeze(onnx::GraphProto& source) {
  for (NodeProto& node : *source.mutable_node()) {
    if (node.op_type() != "BatchNormalization") continue;
    for (int i = 1; i < node.output_size(); ++i) {
      if (node.output(i).empty()) continue;
      return Unsupported("BatchNormalization " + Quoted(node.output(0)) +
                         ": its running statistics are an output, which freezing leaves out");
    }
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.name() == "training_mode") attribute.set_i(0);
    }
  }
  return Status::Ok();
}

Result<std::string> Write(std::span<const std::byte> bytes, const ConvertOptions& options) {
  PLEAT_ASSIGN_OR_RETURN(const auto model, ReadOnnx(bytes));
  const int64_t opset = OpsetOf(*model);
  if (opset < kOldestOpset) {
    return Unsupported("operator set " + std::to_string(opset) + " is not written back, only " +
                       std::to_string(kOldestOpset) + " and later");
  }
  ModelProto marked = *model;
  for (int i = 0; i < marked.graph().node_size(); ++i) {
    marked.mutable_graph()->mutable_node(i)->set_name(MarkOf(i));
  }
  Fates fates;
  ConvertOptions staged = options;
  staged.stop_after = "fold_forward_again";
  staged.on_stage = [&](const std::string& stage, const Graph& graph) {
    if (stage == "canonicalize_affine") fates.Before(graph);
    if (stage == "fold_backward") fates.BeforeMerging(graph);
    if (stage == "fold_forward_again") fates.After(graph);
  };
  const std::string text = marked.SerializeAsString();
  marked.Clear();
  const auto fold = [&]() -> Result<Graph> {
    PLEAT_ASSIGN_OR_RETURN(Graph graph, ImportOnnx(std::as_bytes(std::span(text)), staged));
    KeepWhole(graph, [&](const std::string& mark) {
      const int index = IndexOf(mark);
      return index < 0 ? "" : model->graph().node(index).op_type();
    });
    PLEAT_RETURN_IF_ERROR(RunPasses(graph, staged));
    return graph;
  };
  PLEAT_ASSIGN_OR_RETURN(const Graph graph, WithinMemory(options.limits, fold));
  if (options.fold) PLEAT_RETURN_IF_ERROR(Emitter(*model, graph, fates).Run());
  if (!options.input_shapes.empty()) StateShapes(graph, *model->mutable_graph());
  PLEAT_RETURN_IF_ERROR(TakeExternalDataIn(options.folder, *model->mutable_graph()));
  if (options.training == TrainingMode::kFreeze) {
    PLEAT_RETURN_IF_ERROR(Freeze(*model->mutable_graph()));
  }
  return Serialized(*model);
}

}  // namespace

Result<std::string> EmitOnnx(std::span<const std::byte> bytes, const ConvertOptions& options) {
  Result<std::string> merged = Write(bytes, options);
  const bool refused = merged.status().code() == runtime::StatusCode::kUnsupported;
  if (!refused || !options.merge) return merged;
  // Perhaps it is the merging alone that has no form.
  ConvertOptions apart = options;
  apart.merge = false;
  return Write(bytes, apart);
}

Result<std::string> EmitOnnxFile(const std::string& path, ConvertOptions options) {
  PLEAT_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, ReadModelFile(path));
  if (options.folder.empty()) options.folder = FolderOf(path);
  return EmitOnnx(bytes, options);
}

}  // namespace pleat::converter
