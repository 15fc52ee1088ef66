// ONNX bytes -> a parsed model whose versions Pleat knows. What looks like something else is named
// as such; nothing about the graph itself is checked yet.
#ifndef PLEAT_CONVERTER_ONNX_READER_H_
#define PLEAT_CONVERTER_ONNX_READER_H_

#include <onnx/onnx_pb.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "converter/limits.h"
#include "runtime/status.h"

namespace pleat::converter {

inline constexpr int64_t kOldestIrVersion = 3;
inline constexpr int64_t kNewestIrVersion = 14;
// Of the default domain: the newest operator set whose changes the importers know.
inline constexpr int64_t kNewestOpset = 28;

// Parses and checks: protobuf wire (and how many messages it would make), a graph, IR version,
// operator sets. kInvalidModel for what is not ONNX, kUnsupported for versions beyond ours,
// kLimitExceeded beyond limits.file_bytes or too many messages.
runtime::Result<std::unique_ptr<onnx::ModelProto>> ReadOnnx(std::span<const std::byte> bytes,
                                                           const Limits& limits = {});

// The bytes of a regular file of at most limits.file_bytes; kIo when it cannot be read.
runtime::Result<std::vector<std::byte>> ReadModelFile(const std::string& path,
                                                      const Limits& limits = {});

// The folder that a file's external data lives in: its own, or the current one for stdin.
std::string FolderOf(const std::string& path);

// The version of the default domain; 0 when the model imports none.
int64_t OpsetOf(const onnx::ModelProto& model);

}  // namespace pleat::converter

#endif  // PLEAT_CONVERTER_ONNX_READER_H_
