#include "converter/convert.h"

namespace pleat::converter {
namespace {

using runtime::Graph;
using runtime::Result;

Result<Graph> WithPasses(Result<Graph> imported, const ConvertOptions& options) {
  if (!imported.ok() || options.stop_after == "import") return imported;
  PLEAT_RETURN_IF_ERROR(RunPasses(*imported, options));
  return imported;
}

}  // namespace

Result<Graph> ConvertOnnx(std::span<const std::byte> bytes, const ConvertOptions& options) {
  return WithPasses(ImportOnnx(bytes, options), options);
}

Result<Graph> ConvertOnnxFile(const std::string& path, ConvertOptions options) {
  return WithPasses(ImportOnnxFile(path, options), options);
}

}  // namespace pleat::converter
