#include "tools/conformance_process.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>

namespace pleat::tools {
namespace {

using runtime::Result;
using runtime::Status;

Status SystemError(const char* what) {
  return runtime::IoError(fmt::format("{}: {}", what, std::strerror(errno)));
}

// One line of JSON per result.
std::string Encode(const CaseResult& result) {
  const Json json = {{"status", static_cast<int>(result.status)},
                     {"reason", result.reason},
                     {"operators", result.operators}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

CaseResult Decode(const std::string& line) {
  const Json json = Json::parse(line);
  CaseResult result;
  result.status = static_cast<CaseStatus>(json["status"].get<int>());
  result.reason = json["reason"];
  result.operators = json["operators"].get<std::vector<std::string>>();
  return result;
}

bool WriteAll(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = write(fd, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

CaseResult RunOne(const std::function<CaseResult(size_t)>& run, size_t i) {
  try {
    return run(i);
  } catch (const std::exception& error) {
    return {CaseStatus::kFailed, fmt::format("threw {}", error.what()), {}};
  }
}

std::string EndText(int status) {
  if (WIFSIGNALED(status)) {
    return fmt::format("crashed: {}", strsignal(WTERMSIG(status)));
  }
  return fmt::format("ended the process with exit code {}", WEXITSTATUS(status));
}

// The child that runs cases from `first` on, and the lines it writes.
class Worker {
 public:
  Worker() = default;
  ~Worker() { End(/*kill_it=*/true); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  Status Start(size_t first, size_t count, const std::function<CaseResult(size_t)>& run) {
    int ends[2];
    if (pipe(ends) != 0) return SystemError("pipe");
    child_ = fork();
    if (child_ == 0) {
      close(ends[0]);
      bool written = true;
      for (size_t i = first; i < count && written; ++i) {
        written = WriteAll(ends[1], Encode(RunOne(run, i)));
      }
      _exit(0);
    }
    close(ends[1]);
    fd_ = ends[0];
    return child_ < 0 ? SystemError("fork") : Status::Ok();
  }

  enum class Read { kLine, kEnd, kLate };
  Read ReadLine(double seconds, std::string* line) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + std::chrono::duration<double>(seconds);
    for (;;) {
      if (const size_t end = text_.find('\n'); end != std::string::npos) {
        *line = text_.substr(0, end);
        text_.erase(0, end + 1);
        return Read::kLine;
      }
      const double left = std::chrono::duration<double>(deadline - Clock::now()).count();
      if (left <= 0) return Read::kLate;
      pollfd wait{fd_, POLLIN, 0};
      if (poll(&wait, 1, static_cast<int>(left * 1000) + 1) <= 0) continue;
      char buffer[4096];
      const ssize_t got = read(fd_, buffer, sizeof buffer);
      if (got > 0) text_.append(buffer, static_cast<size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR)) return Read::kEnd;
    }
  }

  // The child's wait status.
  int End(bool kill_it) {
    int status = 0;
    if (child_ > 0) {
      if (kill_it) kill(child_, SIGKILL);
      while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    if (fd_ >= 0) close(fd_);
    child_ = fd_ = -1;
    return status;
  }

 private:
  pid_t child_ = -1;
  int fd_ = -1;
  std::string text_;
};

}  // namespace

Status RunIsolated(size_t count, double seconds, const std::function<CaseResult(size_t)>& run,
                   const std::function<void(size_t, CaseResult)>& on_result) {
  for (size_t next = 0; next < count;) {
    Worker worker;
    PLEAT_RETURN_IF_ERROR(worker.Start(next, count, run));
    std::string line;
    Worker::Read read = Worker::Read::kEnd;
    while (next < count && (read = worker.ReadLine(seconds, &line)) == Worker::Read::kLine) {
      on_result(next++, Decode(line));
    }
    if (next == count) break;
    const bool late = read == Worker::Read::kLate;
    const int status = worker.End(late);
    const std::string reason = late ? fmt::format("not done after {} s", seconds) : EndText(status);
    on_result(next++, {CaseStatus::kFailed, reason, {}});
  }
  return Status::Ok();
}

}  // namespace pleat::tools
