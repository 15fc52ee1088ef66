#include "converter/import/context.h"

#include "converter/import/tensor_proto.h"
#include "converter/import/text.h"

namespace pleat::converter {

using onnx::AttributeProto;
using runtime::ElementType;
using runtime::kNoValue;
using runtime::Node;
using runtime::Result;
using runtime::Status;
using runtime::Tensor;
using runtime::ValueId;

ImportContext::ImportContext(Importer& importer, Scope& scope, onnx::NodeProto& node,
                             std::vector<ValueId> inputs)
    : importer_(importer),
      scope_(scope),
      node_(node),
      name_(node.name().empty() ? node.output(0) : node.name()),
      inputs_(std::move(inputs)),
      results_(static_cast<size_t>(node.output_size()), kNoValue),
      read_(static_cast<size_t>(node.attribute_size()), false),
      first_own_value_(importer.builder().graph().values.size()) {}

ValueId ImportContext::input(int i) const {
  return i < input_count() ? inputs_[static_cast<size_t>(i)] : kNoValue;
}

std::span<const ValueId> ImportContext::Sequence(int i) {
  if (TensorSequences::IsSequence(input(i))) return importer_.sequences().Values(input(i));
  Invalid("its input " + std::to_string(i) + " is a tensor, expected a sequence of them");
  return {};
}

ValueId ImportContext::MakeSequence(std::vector<ValueId> values) {
  if (!ok()) return kNoValue;
  const Result<ValueId> sequence = importer_.sequences().Add(std::move(values));
  if (!sequence.ok()) Fail(sequence.status());
  return sequence.ok() ? *sequence : kNoValue;
}

int ImportContext::Rank(int i) {
  const runtime::Type known = input_type(i);
  if (has_input(i) && known.ranked) return known.rank();
  Unsupported("the number of dimensions of input " + std::to_string(i) +
              " is not known; state the shapes of the model's inputs");
  return 0;
}

int ImportContext::Axis(int64_t axis, int rank) {
  const Result<int> normalized = runtime::NormalizeAxis(axis, rank);
  if (normalized.ok()) return *normalized;
  Fail(normalized.status());
  return 0;
}

AttributeProto* ImportContext::Find(std::string_view name) {
  AttributeProto* found = nullptr;
  for (int i = 0; i < node_.attribute_size(); ++i) {
    if (node_.attribute(i).name() != name) continue;
    if (found != nullptr) Invalid("attribute " + Quoted(name) + " appears twice");
    read_[static_cast<size_t>(i)] = true;
    found = node_.mutable_attribute(i);
  }
  return found;
}

AttributeProto* ImportContext::Find(std::string_view name, int type) {
  AttributeProto* attribute = Find(name);
  if (attribute == nullptr || attribute->type() == type) return attribute;
  const std::string found = AttributeProto::AttributeType_Name(attribute->type());
  const std::string expected =
      AttributeProto::AttributeType_Name(static_cast<AttributeProto::AttributeType>(type));
  Invalid("attribute " + Quoted(name) + " is " + found + ", expected " + expected);
  return nullptr;
}

bool ImportContext::Has(std::string_view attribute) { return Find(attribute) != nullptr; }

int64_t ImportContext::Int(std::string_view attribute, int64_t otherwise) {
  const AttributeProto* found = Find(attribute, AttributeProto::INT);
  return found == nullptr ? otherwise : found->i();
}

bool ImportContext::Flag(std::string_view attribute, bool otherwise) {
  return Int(attribute, otherwise) != 0;
}

float ImportContext::Float(std::string_view attribute, float otherwise) {
  const AttributeProto* found = Find(attribute, AttributeProto::FLOAT);
  return found == nullptr ? otherwise : found->f();
}

std::string ImportContext::String(std::string_view attribute, const std::string& otherwise) {
  const AttributeProto* found = Find(attribute, AttributeProto::STRING);
  return found == nullptr ? otherwise : found->s();
}

std::vector<int64_t> ImportContext::Ints(std::string_view attribute,
                                         const std::vector<int64_t>& otherwise) {
  const AttributeProto* found = Find(attribute, AttributeProto::INTS);
  if (found == nullptr) return otherwise;
  return {found->ints().begin(), found->ints().end()};
}

std::vector<float> ImportContext::Floats(std::string_view attribute) {
  const AttributeProto* found = Find(attribute, AttributeProto::FLOATS);
  if (found == nullptr) return {};
  return {found->floats().begin(), found->floats().end()};
}

std::vector<std::string> ImportContext::Strings(std::string_view attribute) {
  const AttributeProto* found = Find(attribute, AttributeProto::STRINGS);
  if (found == nullptr) return {};
  return {found->strings().begin(), found->strings().end()};
}

Tensor ImportContext::TensorOf(std::string_view attribute) {
  const AttributeProto* found = Find(attribute, AttributeProto::TENSOR);
  if (found == nullptr) return {};
  const Result<Tensor> tensor = TensorOfProto(found->t(), &importer_.external());
  if (!tensor.ok()) {
    Fail(tensor.status().In("attribute " + Quoted(attribute)));
    return {};
  }
  return runtime::Cast(*tensor, importer_.ComputeType(tensor->element()));
}

int ImportContext::OnnxTypeOf(std::string_view attribute) {
  const AttributeProto* found = Find(attribute, AttributeProto::TENSOR);
  return found == nullptr ? 0 : found->t().data_type();
}

onnx::GraphProto* ImportContext::GraphOf(std::string_view attribute) {
  AttributeProto* found = Find(attribute, AttributeProto::GRAPH);
  return found == nullptr ? nullptr : found->mutable_g();
}

std::vector<ValueId> ImportContext::Add(Node node, const std::vector<bool>& wanted) {
  std::vector<ValueId> made(wanted.size(), kNoValue);
  if (!ok()) return made;
  runtime::Graph& graph = importer_.builder().graph();
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i]) continue;
    const size_t number = graph.values.size() - first_own_value_;
    made[i] = graph.AddValue(name_ + "/" + node.OpName() + std::to_string(number));
  }
  node.outputs = made;
  node.sources = {name_};
  Fail(importer_.builder().Add(std::move(node)));
  return made;
}

ValueId ImportContext::Constant(Tensor tensor) {
  if (!ok() || tensor.empty()) return kNoValue;
  runtime::Graph& graph = importer_.builder().graph();
  const size_t number = graph.values.size() - first_own_value_;
  return graph.AddConstant(name_ + "/Constant" + std::to_string(number), std::move(tensor));
}

ValueId ImportContext::Int64s(const std::vector<int64_t>& values) {
  return Constant(Tensor::Vector<int64_t>(values));
}

ValueId ImportContext::Int64(int64_t value) {
  return Constant(Tensor::Of<int64_t>({}, std::span<const int64_t>(&value, 1)));
}

ValueId ImportContext::Scalar(double value, ElementType type) {
  const Tensor wide = Tensor::Of<double>({}, std::span<const double>(&value, 1));
  return Constant(runtime::Cast(wide, type));
}

ValueId ImportContext::CastTo(ElementType element, ValueId id) {
  if (!ok() || type(id).element == element) return id;
  runtime::fb::CastT fields;
  fields.to = static_cast<uint8_t>(element);
  return Emit(std::move(fields), {id});
}

std::vector<ValueId> ImportContext::Inline(onnx::GraphProto& graph,
                                           std::span<const ValueId> inputs) {
  if (!ok()) return {};
  Result<std::vector<ValueId>> outputs = importer_.Inline(graph, scope_, inputs);
  if (outputs.ok()) return std::move(outputs).value();
  Fail(outputs.status());
  return {};
}

void ImportContext::Return(int i, ValueId id) {
  if (!ok() || !wants(i) || id == kNoValue) return;
  results_[static_cast<size_t>(i)] = id;
  if (id < 0) return;  // a refused value or a sequence
  runtime::Value& value = importer_.builder().graph().values[static_cast<size_t>(id)];
  const bool own = static_cast<size_t>(id) >= first_own_value_;
  const bool unnamed = value.name.starts_with(name_ + "/");
  if (own && unnamed) value.name = node_.output(i);
}

const Status& ImportContext::Fail(Status status) {
  if (ok()) status_ = std::move(status);
  return status_;
}

const Status& ImportContext::Invalid(const std::string& message) {
  return Fail(runtime::InvalidModel(message));
}

const Status& ImportContext::Unsupported(const std::string& message) {
  return Fail(runtime::Unsupported(message));
}

void ImportContext::ReportBatchNorm(runtime::fb::FoldStatus status, const std::string& kind,
                                    const std::string& reason, const std::string& detail) {
  runtime::fb::BatchNormT report;
  report.node = name_;
  report.status = status;
  report.kind = kind;
  report.reason = reason;
  report.detail = detail;
  importer_.builder().graph().batch_norms.push_back(std::move(report));
}

Status ImportContext::CheckAllRead() {
  for (size_t i = 0; i < read_.size() && ok(); ++i) {
    const std::string& attribute = node_.attribute(static_cast<int>(i)).name();
    if (read_[i] || attribute == "consumed_inputs") continue;
    Unsupported("attribute " + Quoted(attribute) + " is not known at operator set " +
                std::to_string(opset()));
  }
  return status_;
}

}  // namespace pleat::converter
