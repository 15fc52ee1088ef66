#include "runtime/model_file.h"

#include <algorithm>
#include <cstring>

#include "runtime/checked.h"
#include "runtime/file_layout.h"

namespace pleat::runtime {
namespace {

constexpr std::byte kMagic[8] = {std::byte{0x89}, std::byte{'P'}, std::byte{'L'},  std::byte{'E'},
                                 std::byte{'A'},  std::byte{'T'}, std::byte{'\r'}, std::byte{'\n'}};
constexpr size_t kGraphOffset = 128;

// The first 72 bytes of a file.
struct Header {
  std::byte magic[8];
  uint32_t version;
  uint32_t features;
  uint64_t graph_offset;
  uint64_t graph_bytes;
  uint64_t weights_offset;
  uint64_t weights_bytes;
  uint64_t graph_hash;
  uint64_t weights_hash;
  uint64_t header_hash;
};
static_assert(sizeof(Header) == 72);
constexpr size_t kHashedHeaderBytes = 64;

size_t Padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

bool AllZero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

bool LooksLikeModelFile(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

namespace {

// The graph as the file has it. Constants are appended to `weights` in the order of their places:
// the graph's own first, then those of its nodes' subgraphs.
std::unique_ptr<fb::GraphT> FileGraph(const Graph& graph, size_t* weight_bytes,
                                      std::vector<const Tensor*>* weights) {
  auto file = std::make_unique<fb::GraphT>();
  file->name = graph.name;
  file->producer = graph.producer;
  file->inputs = graph.inputs;
  file->outputs = graph.outputs;
  for (const fb::BatchNormT& record : graph.batch_norms) {
    file->batch_norms.push_back(std::make_unique<fb::BatchNormT>(record));
  }
  for (const Value& value : graph.values) {
    auto entry = std::make_unique<fb::ValueT>();
    entry->name = value.name;
    entry->element = static_cast<uint8_t>(value.type.element);
    entry->ranked = value.type.ranked;
    entry->shape = value.type.shape;
    entry->symbols = value.symbols;
    if (value.constant) {
      entry->constant = true;
      entry->data_offset = *weight_bytes;
      entry->data_bytes = value.constant->bytes();
      *weight_bytes += Padded(value.constant->bytes());
      weights->push_back(&*value.constant);
    }
    file->values.push_back(std::move(entry));
  }
  for (const Node& node : graph.nodes) {
    auto entry = std::make_unique<fb::NodeT>();
    entry->name = node.name;
    entry->op = node.op;
    entry->inputs = node.inputs;
    entry->outputs = node.outputs;
    entry->sources = node.sources;
    for (const Graph& subgraph : node.subgraphs) {
      entry->subgraphs.push_back(FileGraph(subgraph, weight_bytes, weights));
    }
    file->nodes.push_back(std::move(entry));
  }
  return file;
}

}  // namespace

std::string SerializeGraph(const Graph& graph) {
  size_t weight_bytes = 0;
  std::vector<const Tensor*> weights;
  const std::unique_ptr<fb::GraphT> file = FileGraph(graph, &weight_bytes, &weights);
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishGraphBuffer(builder, fb::Graph::Pack(builder, file.get()));

  const size_t weights_offset = Padded(kGraphOffset + builder.GetSize());
  std::string bytes(weights_offset + weight_bytes, '\0');
  std::memcpy(bytes.data() + kGraphOffset, builder.GetBufferPointer(), builder.GetSize());
  size_t offset = weights_offset;
  for (const Tensor* tensor : weights) {
    std::memcpy(bytes.data() + offset, tensor->raw(), tensor->bytes());
    offset += Padded(tensor->bytes());
  }
  const std::span<const std::byte> all = std::as_bytes(std::span(bytes));
  const uint32_t features = weight_bytes > kPieceBytes ? kWeightsInPieces : 0;
  Header header{.version = kFormatVersion,
                .features = features,
                .graph_offset = kGraphOffset,
                .graph_bytes = builder.GetSize(),
                .weights_offset = weights_offset,
                .weights_bytes = weight_bytes,
                .graph_hash = HashBytes(all.subspan(kGraphOffset, builder.GetSize())),
                .weights_hash = HashWeights(all.subspan(weights_offset), features),
                .header_hash = 0};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.header_hash = HashBytes(std::as_bytes(std::span(&header, 1)).first(kHashedHeaderBytes));
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

namespace {

Result<Header> ReadHeader(std::span<const std::byte> bytes) {
  if (!LooksLikeModelFile(bytes)) return InvalidModel("not a .pleat file");
  if (bytes.size() < kGraphOffset) return InvalidModel("the file is cut off in its header");
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.header_hash != HashBytes(bytes.first(kHashedHeaderBytes))) {
    return InvalidModel("the header's checksum does not match: the file is damaged");
  }
  if (header.version != kFormatVersion) {
    return Unsupported("format version " + std::to_string(header.version) +
                       "; this Pleat reads version " + std::to_string(kFormatVersion));
  }
  if ((header.features & ~kWeightsInPieces) != 0) {
    return Unsupported("the file needs features this Pleat does not have");
  }
  const Checked graph_end = Checked(static_cast<int64_t>(header.graph_offset)) +
                            Checked(static_cast<int64_t>(header.graph_bytes));
  const auto graph = SubSpan(bytes, header.graph_offset, header.graph_bytes);
  const auto weights = SubSpan(bytes, header.weights_offset, header.weights_bytes);
  if (!graph || !weights || header.graph_offset != kGraphOffset ||
      header.weights_offset != Padded(static_cast<size_t>(*graph_end.get())) ||
      header.weights_offset + header.weights_bytes != bytes.size()) {
    return InvalidModel("the file has " + std::to_string(bytes.size()) +
                        " bytes, which its header does not describe: cut off or extended");
  }
  if (header.graph_hash != HashBytes(*graph)) {
    return InvalidModel("the graph's checksum does not match: the file is damaged");
  }
  const size_t graph_end_bytes = static_cast<size_t>(*graph_end.get());
  if (!AllZero(bytes.subspan(sizeof(Header), kGraphOffset - sizeof(Header))) ||
      !AllZero(bytes.subspan(graph_end_bytes, header.weights_offset - graph_end_bytes))) {
    return InvalidModel("padding that must be zero is not");
  }
  return header;
}

Status ReadValue(const fb::ValueT& entry, std::span<const std::byte> weights,
                 const std::shared_ptr<const void>& owner, uint64_t* next_offset, Value* value) {
  value->name = entry.name;
  if (entry.element >= kernels::kElementTypeCount) {
    return InvalidModel("element type " + std::to_string(entry.element) + " is unknown");
  }
  value->type = {static_cast<ElementType>(entry.element), entry.ranked, entry.shape};
  value->symbols = entry.symbols;
  for (int64_t size : entry.shape) {
    if (size < kUnknownDim) return InvalidModel("a size is negative");
  }
  if (!entry.ranked && !entry.shape.empty()) return InvalidModel("a shape without a rank");
  PLEAT_RETURN_IF_ERROR(CheckType(value->type));
  if (!entry.constant) return Status::Ok();
  if (!value->type.Known() || entry.data_bytes != ByteSize(value->type)) {
    return InvalidModel("expected the bytes of " + TypeText(value->type) + ", got " +
                        std::to_string(entry.data_bytes));
  }
  const auto data = SubSpan(weights, entry.data_offset, entry.data_bytes);
  if (!data || entry.data_offset != *next_offset) {
    return InvalidModel("its numbers do not lie where they belong in the weights");
  }
  *next_offset += Padded(entry.data_bytes);
  if (value->type.element == ElementType::kBool &&
      std::any_of(data->begin(), data->end(), [](std::byte b) { return b > std::byte{1}; })) {
    return InvalidModel("a bool is neither 0 nor 1");
  }
  value->constant = Tensor::Borrow(value->type.element, value->type.shape, data->data(), owner);
  return Status::Ok();
}

Result<Graph> ReadGraph(fb::GraphT& file, std::span<const std::byte> weights,
                        const std::shared_ptr<const void>& owner, uint64_t* next_offset) {
  Graph graph;
  graph.name = file.name;
  graph.producer = file.producer;
  graph.inputs = file.inputs;
  graph.outputs = file.outputs;
  for (const auto& record : file.batch_norms) {
    if (record->status > fb::FoldStatus::MAX) return InvalidModel("a fold's status is unknown");
    graph.batch_norms.push_back(*record);
  }
  for (const auto& entry : file.values) {
    graph.values.emplace_back();
    PLEAT_RETURN_IF_ERROR(ReadValue(*entry, weights, owner, next_offset, &graph.values.back())
                              .In("value " + entry->name));
  }
  for (const auto& entry : file.nodes) {
    graph.nodes.push_back({.name = entry->name,
                           .op = std::move(entry->op),
                           .inputs = entry->inputs,
                           .outputs = entry->outputs,
                           .sources = entry->sources});
    for (const auto& subgraph : entry->subgraphs) {
      PLEAT_ASSIGN_OR_RETURN(Graph inside, ReadGraph(*subgraph, weights, owner, next_offset));
      graph.nodes.back().subgraphs.push_back(std::move(inside));
    }
  }
  return graph;
}

Result<Graph> ReadSections(const Header& header, std::span<const std::byte> bytes,
                           std::span<const std::byte> weights,
                           const std::shared_ptr<const void>& owner) {
  const auto graph_bytes = bytes.subspan(header.graph_offset, header.graph_bytes);
  if (graph_bytes.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return LimitExceeded("the graph section has " + std::to_string(graph_bytes.size()) +
                         " bytes, expected less than 2^31 - 1");
  }
  // A table that is no other has 4 bytes at least.
  flatbuffers::Verifier verifier(reinterpret_cast<const uint8_t*>(graph_bytes.data()),
                                 graph_bytes.size(), /*max_depth=*/16 + 2 * kMaxSubgraphDepth,
                                 static_cast<flatbuffers::uoffset_t>(graph_bytes.size() / 4));
  if (!fb::VerifyGraphBuffer(verifier)) return InvalidModel("the graph section is malformed");
  PLEAT_RETURN_IF_ERROR(CheckLayout(*fb::GetGraph(graph_bytes.data()), graph_bytes.size()));
  const std::unique_ptr<fb::GraphT> file = fb::UnPackGraph(graph_bytes.data());

  uint64_t next_offset = 0;
  PLEAT_ASSIGN_OR_RETURN(Graph graph, ReadGraph(*file, weights, owner, &next_offset));
  if (next_offset != header.weights_bytes) return InvalidModel("the weights have unnamed bytes");
  PLEAT_RETURN_IF_ERROR(CheckGraph(graph));
  PLEAT_RETURN_IF_ERROR(InferGraph(graph, /*evaluate=*/false));
  return graph;
}

}  // namespace

Result<Graph> ParseGraph(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  PLEAT_ASSIGN_OR_RETURN(const Header header, ReadHeader(bytes));
  // FlatBuffers and the kernels want alignment; memory that lacks it is copied once.
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 64 != 0) {
    Tensor copy = Tensor::Make(ElementType::kUint8, {static_cast<int64_t>(bytes.size())});
    std::memcpy(copy.mutable_raw(), bytes.data(), bytes.size());
    bytes = {static_cast<const std::byte*>(copy.raw()), bytes.size()};
    owner = std::make_shared<Tensor>(copy);
  }
  const auto weights = bytes.subspan(header.weights_offset);
  std::optional<Result<Graph>> graph;
  const uint64_t hash = HashWeights(weights, header.features, [&] {
    graph.emplace(ReadSections(header, bytes, weights, owner));
  });
  if (header.weights_hash != hash) {
    return InvalidModel("the weights' checksum does not match: the file is damaged");
  }
  return *std::move(graph);
}

}  // namespace pleat::runtime
