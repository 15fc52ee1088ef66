#include "converter/convert.h"

#include "converter/within_memory.h"

namespace pleat::converter {
namespace {

using runtime::Graph;
using runtime::Result;

template <class Import>
Result<Graph> WithPasses(const ConvertOptions& options, Import&& import) {
  return WithinMemory(options.limits, [&]() -> Result<Graph> {
    Result<Graph> imported = import();
    if (!imported.ok() || options.stop_after == "import") return imported;
    PLEAT_RETURN_IF_ERROR(RunPasses(*imported, options));
    return imported;
  });
}

}  // namespace

Result<Graph> ConvertOnnx(std::span<const std::byte> bytes, const ConvertOptions& options) {
  return WithPasses(options, [&] { return ImportOnnx(bytes, options); });
}

Result<Graph> ConvertOnnxFile(const std::string& path, ConvertOptions options) {
  return WithPasses(options, [&] { return ImportOnnxFile(path, options); });
}

}  // namespace pleat::converter
