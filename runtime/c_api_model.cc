// The C API's functions on models.
#include "runtime/c_api.h"

using namespace pleat::runtime;

namespace {

static_assert(static_cast<int>(ElementType::kBFloat16) == PLEAT_BFLOAT16);
static_assert(static_cast<int>(StatusCode::kDeadlineExceeded) == PLEAT_DEADLINE_EXCEEDED);

Status MakeHandle(Result<std::shared_ptr<const Model>> loaded, pleat_model** out) {
  if (!loaded.ok()) return loaded.status();
  auto handle = std::make_unique<pleat_model>();
  handle->model = std::move(loaded).value();
  const Graph& graph = handle->model->graph();
  for (const auto* ids : {&graph.inputs, &graph.outputs}) {
    for (ValueId id : *ids) {
      const Value& value = graph.values[static_cast<size_t>(id)];
      std::vector<const char*> names(value.type.shape.size(), "");
      for (size_t i = 0; i < std::min(names.size(), value.symbols.size()); ++i) {
        names[i] = value.symbols[i].c_str();
      }
      handle->symbols.push_back(std::move(names));
    }
  }
  *out = handle.release();
  return Status::Ok();
}

Status GetValue(const pleat_model* model, const std::vector<ValueId>& ids, size_t index,
                size_t symbols, pleat_value_info* info) {
  const Value& value = model->model->graph().values[static_cast<size_t>(ids[index])];
  pleat_value_info filled{};
  filled.name = value.name.c_str();
  filled.element = static_cast<pleat_element>(value.type.element);
  filled.rank = value.type.ranked ? value.type.shape.size() : PLEAT_UNRANKED;
  filled.shape = value.type.shape.data();
  filled.symbols = model->symbols[symbols].data();
  return WriteStruct(filled, "info", info);
}

Status Find(const Graph& graph, const std::vector<ValueId>& ids, const char* what, const char* name,
            size_t* index) {
  if (name == nullptr) return NullArgument("name");
  if (index == nullptr) return NullArgument("index");
  std::string names;
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string& candidate = graph.values[static_cast<size_t>(ids[i])].name;
    if (candidate == name) {
      *index = i;
      return Status::Ok();
    }
    names += (i == 0 ? "" : ", ") + candidate;
  }
  return InvalidArgument(std::string("no ") + what + " is named " + name + "; there are: " + names,
                         "UNKNOWN_NAME");
}

}  // namespace

extern "C" {

pleat_code pleat_model_load(const char* path, pleat_model** model) {
  return Guarded([&] {
    if (model == nullptr) return NullArgument("model");
    if (path == nullptr) return NullArgument("path");
    return MakeHandle(Model::Load(path), model);
  });
}

pleat_code pleat_model_load_memory(const void* bytes, size_t size, pleat_ownership ownership,
                                   pleat_model** model) {
  return Guarded([&]() -> Status {
    if (model == nullptr) return NullArgument("model");
    if (bytes == nullptr) return NullArgument("bytes");
    if (ownership != PLEAT_COPY && ownership != PLEAT_BORROW) {
      return InvalidArgument("ownership is " + std::to_string(ownership) +
                             ", expected PLEAT_COPY or PLEAT_BORROW");
    }
    const std::span<const std::byte> span(static_cast<const std::byte*>(bytes), size);
    if (ownership == PLEAT_BORROW || size > static_cast<size_t>(kMaxTensorBytes)) {
      return MakeHandle(Model::FromBytes(span), model);
    }
    const auto copy =
        std::make_shared<Tensor>(Tensor::Make(ElementType::kUint8, {static_cast<int64_t>(size)}));
    std::memcpy(copy->mutable_raw(), bytes, size);
    return MakeHandle(Model::FromBytes({static_cast<const std::byte*>(copy->raw()), size}, copy),
                      model);
  });
}

pleat_code pleat_model_load_fd(int fd, pleat_model** model) {
  return Guarded([&] {
    if (model == nullptr) return NullArgument("model");
    return MakeHandle(Model::LoadDescriptor(fd), model);
  });
}

void pleat_model_destroy(pleat_model* model) {
  if (model == nullptr || model->tag != pleat_model::kTag) return;
  model->tag = 0;
  delete model;
}

pleat_code pleat_model_get_info(const pleat_model* model, pleat_model_info* info) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(model, "model"));
    const Graph& graph = model->model->graph();
    pleat_model_info filled{};
    filled.name = graph.name.c_str();
    filled.producer = graph.producer.c_str();
    filled.inputs = graph.inputs.size();
    filled.outputs = graph.outputs.size();
    filled.nodes = graph.nodes.size();
    filled.weight_bytes = model->model->weight_bytes();
    filled.batch_norms = graph.batch_norms.size();
    for (const fb::BatchNormT& record : graph.batch_norms) {
      filled.batch_norms_folded += record.status == fb::FoldStatus::Folded;
    }
    return WriteStruct(filled, "info", info);
  });
}

pleat_code pleat_model_get_input(const pleat_model* model, size_t index, pleat_value_info* info) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(model, "model"));
    const std::vector<ValueId>& ids = model->model->graph().inputs;
    PLEAT_RETURN_IF_ERROR(CheckIndex(index, ids.size(), "input"));
    return GetValue(model, ids, index, index, info);
  });
}

pleat_code pleat_model_get_output(const pleat_model* model, size_t index, pleat_value_info* info) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(model, "model"));
    const Graph& graph = model->model->graph();
    PLEAT_RETURN_IF_ERROR(CheckIndex(index, graph.outputs.size(), "output"));
    return GetValue(model, graph.outputs, index, graph.inputs.size() + index, info);
  });
}

pleat_code pleat_model_find_input(const pleat_model* model, const char* name, size_t* index) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(model, "model"));
    const Graph& graph = model->model->graph();
    return Find(graph, graph.inputs, "input", name, index);
  });
}

pleat_code pleat_model_find_output(const pleat_model* model, const char* name, size_t* index) {
  return Guarded([&]() -> Status {
    PLEAT_RETURN_IF_ERROR(CheckHandle(model, "model"));
    const Graph& graph = model->model->graph();
    return Find(graph, graph.outputs, "output", name, index);
  });
}

}  // extern "C"
