#include "converter/import/external_data.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "converter/import/text.h"
#include "runtime/memory_account.h"

namespace pleat::converter {
namespace {

using runtime::InvalidModel;
using runtime::IoError;
using runtime::LimitExceeded;
using runtime::Result;
using runtime::Tensor;

// So often may the bytes of the files be read, in all.
constexpr uint64_t kMostReads = 4;
constexpr uint64_t kFreeBytes = uint64_t{16} << 20;

constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

// The components of a relative path; nothing when it is absolute or could leave the folder.
std::optional<std::vector<std::string>> Components(const std::string& location) {
  if (location.empty() || location.size() > 4096 || location.front() == '/' ||
      location.find('\0') != std::string::npos || location.find('\\') != std::string::npos ||
      location.find(':') != std::string::npos) {
    return std::nullopt;
  }
  std::vector<std::string> components;
  for (size_t start = 0; start <= location.size();) {
    const size_t end = std::min(location.find('/', start), location.size());
    std::string part = location.substr(start, end - start);
    if (part == "..") return std::nullopt;
    if (!part.empty() && part != ".") components.push_back(std::move(part));
    start = end + 1;
  }
  if (components.empty() || location.back() == '/') return std::nullopt;
  return components;
}

int OpenStepwise(int folder, const std::vector<std::string>& components) {
  int at = folder;
  for (size_t i = 0; i < components.size(); ++i) {
    const bool last = i + 1 == components.size();
    const int flags = kOpenFlags | O_NOFOLLOW | (last ? 0 : O_DIRECTORY);
    const int next = openat(at, components[i].c_str(), flags);
    const int error = errno;
    if (at != folder) close(at);
    errno = error;
    if (next < 0) return -1;
    at = next;
  }
  return at;
}

int OpenBeneath(int folder, const std::vector<std::string>& components) {
  std::string path;
  for (const std::string& part : components) path += (path.empty() ? "" : "/") + part;
  open_how how = {};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const long fd = syscall(SYS_openat2, folder, path.c_str(), &how, sizeof(how));
  if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(fd);
  return OpenStepwise(folder, components);
}

bool ParseNumber(const std::string& text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number <= INT64_MAX;
}

}  // namespace

ExternalData::ExternalData(std::string folder) : folder_(std::move(folder)) {}

ExternalData::~ExternalData() {
  for (const auto& [location, file] : files_) close(file.fd);
  if (folder_fd_ >= 0) close(folder_fd_);
}

Result<ExternalData::OpenFile> ExternalData::Open(const std::string& location) {
  if (auto found = files_.find(location); found != files_.end()) return found->second;
  if (folder_.empty()) {
    return InvalidModel("external data needs the model's folder, and none was given");
  }
  const auto components = Components(location);
  if (!components) {
    return InvalidModel("external data location " + Quoted(location) +
                        " is not a path inside the model's folder");
  }
  if (folder_fd_ < 0) {
    folder_fd_ = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd_ < 0) return IoError("cannot open " + folder_ + ": " + std::strerror(errno));
  }
  const int fd = OpenBeneath(folder_fd_, *components);
  if (fd < 0 && (errno == ELOOP || errno == ENOTDIR)) {
    return InvalidModel("external data location " + Quoted(location) +
                        " leads through a link or out of the model's folder");
  }
  if (fd < 0) {
    return IoError("cannot open external data " + Quoted(location) + ": " + std::strerror(errno));
  }
  struct stat info = {};
  fstat(fd, &info);  // where it fails it leaves what is no regular file
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return InvalidModel("external data " + Quoted(location) + " is not a regular file");
  }
  const OpenFile file{fd, static_cast<uint64_t>(info.st_size)};
  files_.emplace(location, file);
  file_bytes_ += std::min(file.size, uint64_t{1} << 48);
  return file;
}

Result<Tensor> ExternalData::Read(const onnx::TensorProto& proto, const runtime::Type& type) {
  const size_t bytes = runtime::ByteSize(type);
  std::optional<std::string> location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  std::set<std::string> keys;
  for (const auto& entry : proto.external_data()) {
    if (!keys.insert(entry.key()).second) {
      return InvalidModel("external data names its " + Quoted(entry.key()) + " twice");
    }
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset" && !ParseNumber(entry.value(), &offset)) {
      return InvalidModel("external data offset " + Quoted(entry.value()) + " is not a number");
    }
    if (entry.key() == "length") {
      uint64_t number = 0;
      if (!ParseNumber(entry.value(), &number)) {
        return InvalidModel("external data length " + Quoted(entry.value()) + " is not a number");
      }
      length = number;
    }
  }
  if (!location) return InvalidModel("external data names no location");
  PLEAT_ASSIGN_OR_RETURN(const OpenFile file, Open(*location));
  if (length.value_or(bytes) != bytes) {
    return InvalidModel("external data has " + std::to_string(*length) + " bytes, the tensor " +
                        std::to_string(bytes));
  }
  if (bytes > file.size || offset > file.size - bytes) {
    return InvalidModel("external data ends at byte " + std::to_string(offset) + " + " +
                        std::to_string(bytes) + ", " + Quoted(*location) + " has " +
                        std::to_string(file.size));
  }
  if ((read_bytes_ + bytes) / kMostReads > file_bytes_ + kFreeBytes) {
    return LimitExceeded("external data is read " + std::to_string(kMostReads) +
                         " times over: too many tensors name the same bytes");
  }
  read_bytes_ += bytes;
  runtime::MemoryAccount::CountRead(bytes);
  Tensor tensor = Tensor::Make(type.element, type.shape);
  auto* target = static_cast<std::byte*>(tensor.mutable_raw());
  for (size_t done = 0; done < bytes;) {
    const ssize_t count =
        pread(file.fd, target + done, bytes - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return IoError("cannot read external data " + Quoted(*location));
    done += static_cast<size_t>(count);
  }
  return tensor;
}

}  // namespace pleat::converter
