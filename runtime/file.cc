#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "runtime/model_file.h"

namespace pleat::runtime {
namespace {

std::string ErrorText(const std::string& path, const char* action) {
  return path + ": cannot " + action + ": " + std::strerror(errno);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  // Closes now, so that a late write error is seen.
  bool Close() {
    const int fd = fd_;
    fd_ = -1;
    return close(fd) == 0;
  }

 private:
  int fd_;
};

// While it lives, the signals that end a program wait: a temporary file must not be left behind.
class SignalsWait {
 public:
  SignalsWait() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGPIPE}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  ~SignalsWait() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;

 private:
  sigset_t before_;
};

bool WriteAll(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

Result<MappedFile> MapDescriptor(int descriptor, const std::string& name) {
  struct stat info;
  if (fstat(descriptor, &info) != 0) return IoError(ErrorText(name, "stat"));
  if (!S_ISREG(info.st_mode)) return IoError(name + ": not a regular file");
  const auto bytes = static_cast<size_t>(info.st_size);
  if (bytes == 0) return MappedFile{};
  void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (mapped == MAP_FAILED) return IoError(ErrorText(name, "map"));
  std::shared_ptr<const void> owner(
      mapped, [bytes](const void* p) { munmap(const_cast<void*>(p), bytes); });
  return MappedFile{{static_cast<const std::byte*>(mapped), bytes}, std::move(owner)};
}

Result<MappedFile> MapFile(const std::string& path) {
  Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.ok()) return IoError(ErrorText(path, "open"));
  return MapDescriptor(file.get(), path);
}

void MapPages(std::span<const std::byte> bytes) {
#ifdef MADV_POPULATE_READ
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  const uintptr_t end = reinterpret_cast<uintptr_t>(bytes.data()) + bytes.size();
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
#else
  static_cast<void>(bytes);
#endif
}

Status WriteFileAtomically(const std::string& path, std::span<const std::byte> bytes) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return IoError(path + ": exists and is not a regular file");
  }
  if (lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) {
    const std::unique_ptr<char, void (*)(void*)> target(realpath(path.c_str(), nullptr), &free);
    if (target == nullptr) return IoError(ErrorText(path, "follow"));
    return WriteFileAtomically(target.get(), bytes);
  }
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  std::string temporary = path + ".XXXXXX";
  const SignalsWait wait;
  Descriptor file(mkostemp(temporary.data(), O_CLOEXEC));
  if (!file.ok()) return IoError(ErrorText(path, "create"));
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(file.get(), 0666 & ~mask) != 0 || !WriteAll(file.get(), bytes) ||
      fsync(file.get()) != 0 || !file.Close() || rename(temporary.c_str(), path.c_str()) != 0) {
    const Status status = IoError(ErrorText(path, "write"));
    unlink(temporary.c_str());
    return status;
  }
  Descriptor parent(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Some file systems cannot sync a folder.
  if (parent.ok() && fsync(parent.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    return IoError(ErrorText(path, "sync the folder of"));
  }
  return Status::Ok();
}

}  // namespace pleat::runtime
