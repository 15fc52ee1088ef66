// Every call that writing a file makes to the system fails in turn, once or from then on: the file
// is the old one or the new one, and nothing else is left.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/model_file.h"

namespace {

// What the wrapped calls below do. Not armed: what they always do.
struct Faults {
  bool armed = false;
  bool forever = false;
  int fail_at = 0;  // the number of the call
  int error = EIO;
  bool short_writes = false;
  bool no_folder = false, stat_fails = false, map_fails = false;
  int calls = 0;
  std::string order;

  bool Fails(const char* name) {
    if (!armed) return false;
    order += (order.empty() ? "" : " ") + std::string(name);
    const int call = ++calls;
    if (fail_at == 0 || call < fail_at || (call > fail_at && !forever)) return false;
    errno = error;
    return true;
  }
};
Faults faults;

}  // namespace

extern "C" {
int __real_open(const char* path, int flags, ...);
int __real_fstat(int fd, struct stat* info);
void* __real_mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_mkostemp(char* pattern, int flags);
int __real_fchmod(int fd, mode_t mode);
ssize_t __real_write(int fd, const void* data, size_t bytes);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char* from, const char* to);

// Nothing here creates a file with it: there is no mode.
int __wrap_open(const char* path, int flags, ...) {
  const bool fails = faults.no_folder && (flags & O_DIRECTORY) != 0;
  return fails ? (errno = EACCES, -1) : __real_open(path, flags);
}
int __wrap_fstat(int fd, struct stat* info) {
  return faults.stat_fails ? (errno = EIO, -1) : __real_fstat(fd, info);
}
void* __wrap_mmap(void* at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (!faults.map_fails) return __real_mmap(at, bytes, protection, flags, fd, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}
int __wrap_mkostemp(char* pattern, int flags) {
  return faults.Fails("create") ? -1 : __real_mkostemp(pattern, flags);
}
int __wrap_fchmod(int fd, mode_t mode) {
  return faults.Fails("mode") ? -1 : __real_fchmod(fd, mode);
}
ssize_t __wrap_write(int fd, const void* data, size_t bytes) {
  if (faults.Fails("write")) return -1;
  const bool shortens = faults.armed && faults.short_writes && bytes > 1;
  return __real_write(fd, data, shortens ? bytes / 2 : bytes);
}
int __wrap_fsync(int fd) { return faults.Fails("sync") ? -1 : __real_fsync(fd); }
int __wrap_close(int fd) {
  // The descriptor is gone in any case.
  const bool fails = faults.Fails("close");
  const int error = errno, result = __real_close(fd);
  if (!fails) return result;
  errno = error;
  return -1;
}
int __wrap_rename(const char* from, const char* to) {
  return faults.Fails("rename") ? -1 : __real_rename(from, to);
}
}

namespace pleat::runtime {
namespace {

namespace fs = std::filesystem;

const std::string kOld = "old", kNew(1000, 'n');

class FileFaults : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("pleat_file_faults_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Status Write(const Faults& wanted) {
    faults = wanted;
    faults.armed = true;
    const Status status = WriteFileAtomically(Path(), std::as_bytes(std::span(kNew)));
    faults.armed = false;
    return status;
  }
  std::string Path() const { return folder_ / "out"; }
  std::string Content() const {
    std::ifstream in(Path());
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Reset(bool exists) {
    fs::remove(Path());
    if (exists) std::ofstream(Path()) << kOld;
  }
  ptrdiff_t Files() const { return std::distance(fs::directory_iterator(folder_), {}); }

  fs::path folder_;
};

TEST_F(FileFaults, CallsComeInTheOrderThatSurvivesALossOfPower) {
  ASSERT_TRUE(Write({}).ok());
  EXPECT_EQ(faults.order, "create mode write sync close rename sync close");
  EXPECT_EQ(Content(), kNew);
}

TEST_F(FileFaults, EveryCallMayFail) {
  ASSERT_TRUE(Write({}).ok());
  const int calls = faults.calls;
  for (const bool exists : {false, true}) {
    for (const bool forever : {false, true}) {
      for (const int error : {EIO, ENOSPC, EDQUOT, EACCES, EROFS}) {
        for (int call = 1; call <= calls; ++call) {
          SCOPED_TRACE(std::to_string(call) + " " + std::strerror(error));
          Reset(exists);
          const Status status = Write({.forever = forever, .fail_at = call, .error = error});
          const bool replaced = call > 6;  // the folder's sync and close come behind the rename
          if (replaced) {
            EXPECT_EQ(Content(), kNew);
            EXPECT_EQ(status.ok(), call == 8);
          } else {
            EXPECT_EQ(status.code(), StatusCode::kIo);
            EXPECT_EQ(fs::exists(Path()), exists);
            EXPECT_EQ(Content(), exists ? kOld : "");
          }
          EXPECT_EQ(Files(), replaced || exists ? 1 : 0);
          if (!status.ok()) {
            EXPECT_NE(status.message().find(Path()), std::string::npos);
            EXPECT_NE(status.message().find(std::strerror(error)), std::string::npos)
                << status.message();
          }
        }
      }
    }
  }
}

TEST_F(FileFaults, FoldersThatCannotBeSynced) {
  for (const int error : {EINVAL, ENOTSUP}) {
    Reset(true);
    EXPECT_TRUE(Write({.fail_at = 7, .error = error}).ok());
    EXPECT_EQ(Content(), kNew);
  }
  // One may write into a folder that one must not read.
  Reset(true);
  EXPECT_TRUE(Write({.no_folder = true}).ok());
  EXPECT_EQ(Content(), kNew);
  EXPECT_EQ(faults.order, "create mode write sync close rename");
}

TEST_F(FileFaults, LinksAreFollowedWhereTheyLeadSomewhere) {
  const fs::path real = folder_ / "real";
  fs::create_symlink("real", Path());
  EXPECT_EQ(Write({}).message(), Path() + ": cannot follow: No such file or directory");
  std::ofstream(real) << kOld;
  ASSERT_TRUE(Write({}).ok());
  EXPECT_TRUE(fs::is_symlink(Path()));
  EXPECT_FALSE(fs::is_symlink(real));
  EXPECT_EQ(Content(), kNew);
  fs::remove(real);
  fs::create_symlink("out", real);
  EXPECT_EQ(Write({}).message(), Path() + ": cannot follow: Too many levels of symbolic links");
}

TEST_F(FileFaults, FilesThatCannotBeMapped) {
  Reset(true);
  const auto map = [&](const Faults& wanted) {
    faults = wanted;
    const Status status = MapFile(Path()).status();
    faults = {};
    EXPECT_EQ(status.ok() ? StatusCode::kIo : status.code(), StatusCode::kIo);
    return status.message();
  };
  EXPECT_EQ(map({}), "");
  std::ofstream(Path(), std::ios::trunc).close();
  EXPECT_EQ(map({.map_fails = true}), "") << "nothing to map";
  Reset(true);
  EXPECT_EQ(map({.stat_fails = true}), Path() + ": cannot stat: Input/output error");
  EXPECT_EQ(map({.map_fails = true}), Path() + ": cannot map: Cannot allocate memory");
  fs::remove(Path());
  EXPECT_EQ(map({}), Path() + ": cannot open: No such file or directory");
}

TEST_F(FileFaults, ShortAndInterruptedWritesGoOn) {
  EXPECT_TRUE(Write({.short_writes = true}).ok());
  EXPECT_EQ(Content(), kNew);
  Reset(true);
  EXPECT_TRUE(Write({.fail_at = 3, .error = EINTR, .short_writes = true}).ok());
  EXPECT_EQ(Content(), kNew);
}

}  // namespace
}  // namespace pleat::runtime
