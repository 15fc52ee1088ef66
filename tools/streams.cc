#include "tools/streams.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "runtime/model_file.h"

namespace pleat::tools {
namespace {

using runtime::InvalidArgument;
using runtime::IoError;
using runtime::Result;
using runtime::Status;

Status StdinError(const char* action) {
  return IoError(std::string("stdin: cannot ") + action + ": " + std::strerror(errno));
}

bool CopyAll(int from, int to) {
  std::vector<char> buffer(size_t{1} << 20);
  while (true) {
    const ssize_t got = read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = write(to, buffer.data() + done, static_cast<size_t>(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return false;
      done += put;
    }
  }
}

}  // namespace

bool IsStream(const std::string& path) { return path == "-" || path == "/dev/stdout"; }

Result<std::string> StdinAsFile() {
  static bool taken = false;
  if (taken) return InvalidArgument("'-' is given twice, but stdin can be read once");
  taken = true;
  struct stat info;
  if (fstat(STDIN_FILENO, &info) != 0) return StdinError("stat");
  if (!S_ISREG(info.st_mode)) {
    const int memory = memfd_create("stdin", MFD_CLOEXEC);
    if (memory < 0 || !CopyAll(STDIN_FILENO, memory)) return StdinError("read");
    if (dup2(memory, STDIN_FILENO) < 0) return StdinError("replace");
    close(memory);
  }
  return std::string("/dev/stdin");
}

Result<std::string> InputPath(const std::string& path) {
  if (path == "-") return StdinAsFile();
  return path;
}

Status CheckNoTerminal(const std::string& path) {
  if (!IsStream(path) || isatty(STDOUT_FILENO) == 0) return Status::Ok();
  return InvalidArgument("stdout is a terminal: '-' would print binary data on it");
}

Status WriteFileOrStdout(const std::string& path, std::span<const std::byte> bytes) {
  if (!IsStream(path)) return runtime::WriteFileAtomically(path, bytes);
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() ||
      std::fflush(stdout) != 0) {
    return IoError("cannot write to stdout");
  }
  return Status::Ok();
}

}  // namespace pleat::tools
