#include "runtime/file_layout.h"

#include <cstdint>

namespace pleat::runtime {
namespace {

class Layout {
 public:
  explicit Layout(size_t bytes) : left_(bytes) {}

  Status status() const {
    if (!aligned_) return InvalidModel("a list in the graph section is not aligned");
    if (shared_) return InvalidModel("lists or strings in the graph section share bytes");
    return Status::Ok();
  }

  void Add(const fb::Graph& graph) {
    Add(graph.name());
    Add(graph.producer());
    Add(graph.inputs());
    Add(graph.outputs());
    AddEach(graph.values());
    AddEach(graph.nodes());
    AddEach(graph.batch_norms());
  }

 private:
  template <class T>
  void Add(const flatbuffers::Vector<T>* list) {
    if (list == nullptr) return;
    aligned_ = aligned_ && reinterpret_cast<uintptr_t>(list->Data()) % alignof(T) == 0;
    Take(list->size(), sizeof(T));
  }
  void Add(const flatbuffers::String* text) {
    if (text != nullptr) Take(text->size(), 1);
  }
  void Add(const flatbuffers::Vector<const fb::Activation*>* list) {
    if (list != nullptr) Take(list->size(), sizeof(fb::Activation));
  }
  // Lists of tables or strings.
  template <class T>
  void AddEach(const flatbuffers::Vector<flatbuffers::Offset<T>>* list) {
    if (list == nullptr) return;
    Take(list->size(), sizeof(flatbuffers::uoffset_t));
    for (flatbuffers::uoffset_t i = 0; i < list->size() && !shared_; ++i) {
      if constexpr (std::is_same_v<T, flatbuffers::String>) {
        Add(list->Get(i));
      } else {
        Add(*list->Get(i));
      }
    }
  }
  void Take(uint64_t count, uint64_t size) {
    const uint64_t bytes = count * size + sizeof(flatbuffers::uoffset_t);
    shared_ = shared_ || bytes > left_;
    left_ -= shared_ ? 0 : bytes;
  }

  void Add(const fb::Value& value) {
    Add(value.name());
    Add(value.shape());
    AddEach(value.symbols());
  }
  void Add(const fb::BatchNorm& record) {
    Add(record.node());
    Add(record.kind());
    Add(record.reason());
    Add(record.detail());
    Add(record.into());
  }
  void Add(const fb::Node& node) {
    Add(node.name());
    Add(node.inputs());
    Add(node.outputs());
    AddEach(node.sources());
    AddEach(node.subgraphs());
    AddLists(node);
  }
  void Add(const fb::Window& window) {
    Add(window.kernel());
    Add(window.strides());
    Add(window.dilations());
    Add(window.pads());
  }

  // Every list in a table of the union Op; a test compares these with pleat.fbs.
  void AddLists(const fb::Node& node) {
    if (const auto* conv = node.op_as_Conv()) Add(*conv->window());
    if (const auto* pool = node.op_as_Pool()) Add(*pool->window());
    if (const auto* conv = node.op_as_ConvTranspose()) {
      Add(*conv->window());
      Add(conv->output_padding());
      Add(conv->output_shape());
    }
    if (const auto* reduce = node.op_as_Reduce()) Add(reduce->axes());
    if (const auto* resize = node.op_as_Resize()) Add(resize->axes());
    if (const auto* transpose = node.op_as_Transpose()) Add(transpose->perm());
    if (const auto* squeeze = node.op_as_Squeeze()) Add(squeeze->axes());
    if (const auto* unsqueeze = node.op_as_Unsqueeze()) Add(unsqueeze->axes());
    if (const auto* split = node.op_as_Split()) Add(split->sizes());
    if (const auto* recurrent = node.op_as_Recurrent()) Add(recurrent->activations());
    if (const auto* scan = node.op_as_Scan()) {
      Add(scan->input_axes());
      Add(scan->input_reversed());
      Add(scan->output_axes());
      Add(scan->output_reversed());
    }
  }

  uint64_t left_;
  bool aligned_ = true;
  bool shared_ = false;
};

}  // namespace

Status CheckLayout(const fb::Graph& graph, size_t bytes) {
  Layout layout(bytes);
  layout.Add(graph);
  return layout.status();
}

}  // namespace pleat::runtime
