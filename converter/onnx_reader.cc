#include "converter/onnx_reader.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "converter/wire_scan.h"
#include "runtime/memory_account.h"

namespace pleat::converter {
namespace {

using runtime::InvalidModel;
using runtime::IoError;
using runtime::LimitExceeded;
using runtime::Result;
using runtime::Status;
using runtime::Unsupported;

struct Signature {
  std::string_view start;
  const char* what;
};

constexpr Signature kSignatures[] = {
    {"version https://git-lfs", "a Git LFS pointer (run `git lfs pull`)"},
    {"\x7f"
     "ELF",
     "an ELF program"},
    {"\x89PNG", "a PNG picture"},
    {"\x89PLEAT\r\n", "a Pleat file"},
    {"PK\x03\x04", "a zip archive"},
    {"\x1f\x8b", "gzip data (unpack it first)"},
    {"<!DOCTYPE", "an HTML page"},
    {"<html", "an HTML page"},
    {"{", "JSON"},
    {"ir_version", "ONNX text"},
};

Status CheckLooksLikeOnnx(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return InvalidModel("not an ONNX model: the file is empty");
  }
  for (const Signature& signature : kSignatures) {
    if (text.starts_with(signature.start)) {
      return InvalidModel(std::string("not an ONNX model: this is ") + signature.what);
    }
  }
  if (text.size() >= 8 && text.substr(4, 4) == "ORTM") {
    return InvalidModel("not an ONNX model: this is ONNX Runtime's own format");
  }
  return Status::Ok();
}

bool IsDefaultDomain(const std::string& domain) { return domain.empty() || domain == "ai.onnx"; }

Status CheckVersions(const onnx::ModelProto& model) {
  if (!model.has_graph()) return InvalidModel("not an ONNX model: it holds no graph");
  const int64_t ir = model.ir_version();
  const std::string ir_range = "versions " + std::to_string(kOldestIrVersion) + " to " +
                               std::to_string(kNewestIrVersion) + " are supported";
  if (ir <= 0) return InvalidModel("IR version " + std::to_string(ir) + ": " + ir_range);
  if (ir < kOldestIrVersion || ir > kNewestIrVersion) {
    return Unsupported("IR version " + std::to_string(ir) + ": " + ir_range);
  }
  bool found = false;
  for (const auto& import : model.opset_import()) {
    if (!IsDefaultDomain(import.domain())) continue;
    if (found) return InvalidModel("the operator set of domain ai.onnx is imported twice");
    found = true;
    const int64_t version = import.version();
    const std::string range = "; 1 to " + std::to_string(kNewestOpset) + " are supported";
    if (version <= 0) {
      return InvalidModel("operator set " + std::to_string(version) + " of ai.onnx" + range);
    }
    if (version > kNewestOpset) {
      return Unsupported("operator set " + std::to_string(version) + " of ai.onnx" + range);
    }
  }
  if (model.opset_import_size() == 0) return InvalidModel("the model imports no operator set");
  return Status::Ok();
}

// A network names and describes its nodes in more than 6 bytes a message; what has less is made to
// fill memory. A million are granted to any file.
WireLimits LimitsFor(size_t bytes) {
  WireLimits limits;
  limits.max_objects = std::min(limits.max_objects, 1'000'000 + static_cast<int64_t>(bytes / 6));
  return limits;
}

class File {
 public:
  explicit File(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Status CheckFileSize(const std::string& what, int64_t bytes, const Limits& limits) {
  const int64_t limit = std::min(limits.file_bytes, Limits{}.file_bytes);
  if (bytes <= limit) return Status::Ok();
  return LimitExceeded(what + " has " + std::to_string(bytes) + " bytes, more than the limit of " +
                       std::to_string(limit) + "; weights may be external data");
}

}  // namespace

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() || path == "/dev/stdin" ? "." : folder;
}

int64_t OpsetOf(const onnx::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (IsDefaultDomain(import.domain())) return import.version();
  }
  return 0;
}

Result<std::unique_ptr<onnx::ModelProto>> ReadOnnx(std::span<const std::byte> bytes,
                                                  const Limits& limits) {
  PLEAT_RETURN_IF_ERROR(
      CheckLooksLikeOnnx({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  PLEAT_RETURN_IF_ERROR(CheckFileSize("the model", std::ssize(bytes), limits));
  PLEAT_RETURN_IF_ERROR(ScanModelWire(bytes, LimitsFor(bytes.size())));
  runtime::MemoryAccount::CountRead(bytes.size());
  auto model = std::make_unique<onnx::ModelProto>();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  stream.SetTotalBytesLimit(INT_MAX);
  if (!model->ParseFromCodedStream(&stream) || !stream.ConsumedEntireMessage()) {
    return InvalidModel("not an ONNX model: protobuf does not parse");
  }
  PLEAT_RETURN_IF_ERROR(CheckVersions(*model));
  return model;
}

Result<std::vector<std::byte>> ReadModelFile(const std::string& path, const Limits& limits) {
  File file(path);
  struct stat info = {};
  if (file.fd() < 0) return IoError("cannot open " + path + ": " + std::strerror(errno));
  fstat(file.fd(), &info);  // where it fails it leaves what is no regular file
  if (!S_ISREG(info.st_mode)) return IoError(path + " is not a regular file");
  PLEAT_RETURN_IF_ERROR(CheckFileSize(path, info.st_size, limits));
  std::vector<std::byte> bytes(static_cast<size_t>(info.st_size));
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = read(file.fd(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return IoError("cannot read " + path + ": " + std::strerror(errno));
    if (count == 0) return IoError(path + " became shorter while it was read");
    done += static_cast<size_t>(count);
  }
  return bytes;
}

}  // namespace pleat::converter
