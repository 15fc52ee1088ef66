// pleat/converter.hpp over the converter.
#include <new>

#include "converter/convert.h"
#include "pleat/converter.hpp"
#include "runtime/model_file.h"

namespace pleat {
namespace {

Error ErrorOf(const runtime::Status& status) {
  return {static_cast<pleat_code>(status.code()), status.rule(), status.message()};
}

converter::ConvertOptions Internal(const ConvertOptions& options) {
  converter::ConvertOptions internal;
  internal.input_shapes = options.input_shapes;
  internal.fold = options.fold;
  internal.half_weights = options.half_weights;
  if (options.max_file_bytes > 0) internal.limits.file_bytes = options.max_file_bytes;
  if (options.max_nodes > 0) internal.limits.nodes = options.max_nodes;
  if (options.max_memory_bytes > 0) internal.limits.memory_bytes = options.max_memory_bytes;
  return internal;
}

template <class F>
Result<Converted> Run(F&& convert) try {
  const runtime::Result<runtime::Graph> graph = convert();
  if (!graph.ok()) return ErrorOf(graph.status());
  Converted converted;
  converted.bytes = runtime::SerializeGraph(*graph);
  for (const runtime::fb::BatchNormT& record : graph->batch_norms) {
    converted.batch_norms.push_back({.node = record.node,
                                     .folded = record.status == runtime::fb::FoldStatus::Folded,
                                     .into = record.into,
                                     .kind = record.kind,
                                     .reason = record.reason,
                                     .detail = record.detail});
  }
  return converted;
} catch (const std::bad_alloc&) {
  return ErrorOf({runtime::StatusCode::kOutOfMemory, "out of memory while converting"});
}

}  // namespace

Result<Converted> TryConvert(const std::string& path, const ConvertOptions& options) {
  return Run([&] { return converter::ConvertOnnxFile(path, Internal(options)); });
}

Result<Converted> TryConvertBytes(const void* bytes, size_t size, const ConvertOptions& options) {
  const std::span<const std::byte> span(static_cast<const std::byte*>(bytes), size);
  return Run([&] { return converter::ConvertOnnx(span, Internal(options)); });
}

}  // namespace pleat
