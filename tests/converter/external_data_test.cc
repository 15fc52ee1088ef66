// Weights in files beside the model: that nothing else is opened, and what is said when reading
// them, or the model, fails.
#include <gtest/gtest.h>

#include <linux/futex.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "converter/import/tensor_proto.h"
#include "converter/onnx_reader.h"
#include "tests/converter/onnx_builder.h"

namespace {

// What the wrapped calls below do; what they always do unless told otherwise.
struct Faults {
  int openat2_error = 0;          // a kernel, or a container, that lacks openat2
  bool stat_fails = false;
  int reads = -1;                 // so many go well
  int read_error = 0;             // then one fails so, or the file is found to have shrunk
};
Faults faults;

// Whether a read is to end in `*result`, and be it once.
bool ReadFails(ssize_t* result) {
  if (faults.reads < 0 || faults.reads-- > 0) return false;
  errno = faults.read_error;
  *result = faults.read_error == 0 ? 0 : -1;
  return true;
}

}  // namespace

extern "C" {
int __real_fstat(int fd, struct stat* info);
ssize_t __real_read(int fd, void* data, size_t bytes);
ssize_t __real_pread(int fd, void* data, size_t bytes, off_t offset);
long __real_syscall(long number, ...);

int __wrap_fstat(int fd, struct stat* info) {
  return faults.stat_fails ? (errno = EIO, -1) : __real_fstat(fd, info);
}
ssize_t __wrap_read(int fd, void* data, size_t bytes) {
  ssize_t result;
  return ReadFails(&result) ? result : __real_read(fd, data, bytes);
}
ssize_t __wrap_pread(int fd, void* data, size_t bytes, off_t offset) {
  ssize_t result;
  return ReadFails(&result) ? result : __real_pread(fd, data, bytes, offset);
}
// What the calls above are where the size of their target is known.
ssize_t __wrap___read_chk(int fd, void* data, size_t bytes, size_t) {
  return __wrap_read(fd, data, bytes);
}
ssize_t __wrap___pread_chk(int fd, void* data, size_t bytes, off_t offset, size_t) {
  return __wrap_pread(fd, data, bytes, offset);
}
long __wrap_syscall(long number, ...) {
  if (number == SYS_openat2 && faults.openat2_error != 0) {
    errno = faults.openat2_error;
    return -1;
  }
  va_list list;
  va_start(list, number);
  long arguments[6] = {};
  // The two calls that there are, openat2 and futex, have four at most but for one form of futex.
  for (int i = 0; i < 4; ++i) arguments[i] = va_arg(list, long);
  if (number == SYS_futex && (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) {
    for (int i = 4; i < 6; ++i) arguments[i] = va_arg(list, long);
  }
  va_end(list);
  return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}
}

namespace pleat::converter {
namespace {

using onnx::TensorProto;
using runtime::Graph;
using runtime::Result;
using runtime::Status;
using runtime::StatusCode;
using tests::OnnxBuilder;

class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "/external_XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ + "/model/sub");
    const float values[] = {0, 1, 2, 3};
    for (const char* name : {"/model/w.bin", "/model/sub/w.bin", "/outside.bin"}) {
      std::ofstream(folder_ + name, std::ios::binary)
          .write(reinterpret_cast<const char*>(values), sizeof(values));
    }
  }
  void TearDown() override {
    faults = {};
    std::filesystem::remove_all(folder_);
  }

  Result<Graph> Import(const std::vector<std::pair<std::string, std::string>>& entries,
                       bool with_folder = true) {
    OnnxBuilder builder;
    builder.Input("x", {2}).Node("Add", {"x", "w"}, {"y"}).Output("y");
    TensorProto* tensor = builder.graph().add_initializer();
    tensor->set_name("w");
    tensor->set_data_type(TensorProto::FLOAT);
    tensor->add_dims(2);
    tensor->set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    return builder.Import({.folder = with_folder ? folder_ + "/model" : ""});
  }

  std::string folder_;
};

// The kernel follows a path at once or, where it or a container lacks openat2, Pleat does it, one
// folder after the other.
constexpr int kKernels[] = {0, ENOSYS, EPERM};

TEST_F(ExternalDataTest, ReadsInsideTheFolder) {
  for (const int error : kKernels) {
    faults.openat2_error = error;
    for (const char* location : {"w.bin", "./w.bin", "sub/w.bin", "sub//w.bin"}) {
      const Result<Graph> graph = Import({{"location", location}, {"offset", "4"}, {"length", "8"}});
      ASSERT_TRUE(graph.ok()) << graph.status().message();
      EXPECT_EQ(ToDoubles(*graph->ConstantOf(graph->nodes[0].input(1))), (std::vector<double>{1, 2}));
    }
  }
  EXPECT_TRUE(Import({{"location", "w.bin"}}).ok());
}

TEST_F(ExternalDataTest, NeverLeavesTheFolder) {
  ASSERT_EQ(symlink("../outside.bin", (folder_ + "/model/link.bin").c_str()), 0);
  ASSERT_EQ(symlink("w.bin", (folder_ + "/model/near.bin").c_str()), 0);
  ASSERT_EQ(symlink("sub", (folder_ + "/model/folder_link").c_str()), 0);
  const std::string absolute = folder_ + "/outside.bin";
  for (const std::string& location :
       {std::string("../outside.bin"), std::string("sub/../../outside.bin"), absolute,
        std::string("link.bin"), std::string("near.bin"), std::string("folder_link/w.bin"),
        std::string(""), std::string("."), std::string("sub"), std::string("sub/"),
        std::string("w.bin\0x", 7), std::string("C:\\w.bin"), std::string("file:w.bin"),
        std::string(5000, 'a')}) {
    for (const int error : kKernels) {
      faults.openat2_error = error;
      const Status status = Import({{"location", location}}).status();
      EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << location << ": " << status.message();
    }
  }
  EXPECT_EQ(Import({{"location", "w.bin"}}, /*with_folder=*/false).status().code(),
            StatusCode::kInvalidModel);
  EXPECT_EQ(Import({{"location", "absent.bin"}}).status().code(), StatusCode::kIo);
}

TEST_F(ExternalDataTest, SaysWhatIsThere) {
  const auto expect = [&](const std::string& location, StatusCode code, const std::string& words) {
    for (const int error : kKernels) {
      faults.openat2_error = error;
      const Status status = Import({{"location", location}}).status();
      EXPECT_EQ(status.code(), code) << status.message();
      EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
    }
  };
  ASSERT_EQ(symlink("sub", (folder_ + "/model/folder_link").c_str()), 0);
  const std::string link = "leads through a link or out of the model's folder";
  expect("folder_link/w.bin", StatusCode::kInvalidModel, link);
  expect("w.bin/w.bin", StatusCode::kInvalidModel, link);
  expect("absent/w.bin", StatusCode::kIo, "No such file or directory");
  expect("sub/absent.bin", StatusCode::kIo, "No such file or directory");
  expect("sub", StatusCode::kInvalidModel, "is not a regular file");
}

TEST_F(ExternalDataTest, ReadsThatFail) {
  const auto import = [&](int reads, int error) {
    faults.reads = reads, faults.read_error = error;
    return Import({{"location", "w.bin"}}).status();
  };
  EXPECT_TRUE(import(0, EINTR).ok());
  for (const int error : {EIO, 0}) {  // a disk that fails, a file that shrinks
    const Status status = import(0, error);
    EXPECT_EQ(status.code(), StatusCode::kIo);
    EXPECT_NE(status.message().find("cannot read external data 'w.bin'"), std::string::npos) << status.message();
  }
  faults = {.stat_fails = true};
  const Status unknown = Import({{"location", "w.bin"}}).status();
  EXPECT_EQ(unknown.code(), StatusCode::kInvalidModel);
  EXPECT_NE(unknown.message().find("is not a regular file"), std::string::npos) << unknown.message();
}

TEST_F(ExternalDataTest, ModelsWhoseReadingFails) {
  const std::string path = folder_ + "/model/w.bin";
  const auto read = [&](int reads, int error) {
    faults.reads = reads, faults.read_error = error;
    return ReadModelFile(path, {}).status();
  };
  EXPECT_TRUE(read(0, EINTR).ok());
  EXPECT_EQ(read(0, EIO).message(), "cannot read " + path + ": Input/output error");
  EXPECT_EQ(read(0, 0).message(), path + " became shorter while it was read");
  for (const int error : {EIO, 0}) EXPECT_EQ(read(0, error).code(), StatusCode::kIo);
  faults = {.stat_fails = true};
  const Status unknown = ReadModelFile(path, {}).status();
  EXPECT_EQ(unknown.code(), StatusCode::kIo);
  EXPECT_EQ(unknown.message(), path + " is not a regular file");
}

// One door for all of a model's files, which stay open.
TEST_F(ExternalDataTest, SeveralFilesAndAFolderOfTheCallers) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Add", {"x", "w"}, {"t"}).Node("Add", {"t", "v"}, {"y"}).Output("y");
  for (const auto& [name, location] : {std::pair{"w", "w.bin"}, {"v", "sub/w.bin"}}) {
    TensorProto* tensor = builder.graph().add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(TensorProto::FLOAT);
    tensor->add_dims(2);
    tensor->set_data_location(TensorProto::EXTERNAL);
    auto* entry = tensor->add_external_data();
    entry->set_key("location"), entry->set_value(location);
  }
  EXPECT_TRUE(builder.Import({.folder = folder_ + "/model"}).ok());
  const std::string path = folder_ + "/elsewhere.onnx";
  std::ofstream(path, std::ios::binary) << builder.Bytes();
  EXPECT_EQ(ImportOnnxFile(path, {}).status().code(), StatusCode::kIo);
  const Result<Graph> graph = ImportOnnxFile(path, {.folder = folder_ + "/model"});
  EXPECT_TRUE(graph.ok()) << graph.status().message();
}

TEST_F(ExternalDataTest, SaysWhatIsWrongWithALocationOrLength) {
  const auto expect = [](const Status& status, StatusCode code, const std::string& words) {
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  };
  for (const char* location : {"sub\\w.bin", "sub/../w.bin", "w.bin/", "/w.bin", "file:w.bin", "", "."}) {
    expect(Import({{"location", location}}).status(), StatusCode::kInvalidModel,
           "is not a path inside the model's folder");
  }
  expect(Import({{"location", "w.bin"}, {"length", "x"}}).status(), StatusCode::kInvalidModel,
         "external data length 'x' is not a number");
  std::ofstream(folder_ + "/model/short.bin", std::ios::binary).write("abcd", 4);
  expect(Import({{"location", "short.bin"}}).status(), StatusCode::kInvalidModel,
         "external data ends at byte 0 + 8");
  std::filesystem::remove_all(folder_ + "/model");
  expect(Import({{"location", "w.bin"}}).status(), StatusCode::kIo, "cannot open " + folder_);
}

TEST_F(ExternalDataTest, PipesDoNotHang) {
  ASSERT_EQ(mkfifo((folder_ + "/model/pipe").c_str(), 0600), 0);
  EXPECT_EQ(Import({{"location", "pipe"}}).status().code(), StatusCode::kInvalidModel);
}

TEST_F(ExternalDataTest, ChecksOffsetAndLength) {
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"offset", "12"},
                                                        {"offset", "-4"},
                                                        {"offset", "1e1"},
                                                        {"offset", " 4"},
                                                        {"offset", "18446744073709551615"},
                                                        {"offset", "9223372036854775807"},
                                                        {"length", "4"},
                                                        {"length", "16"},
                                                        {"length", "x"},
                                                        {"length", "99999999999999999999999"}}) {
    const Status status = Import({{"location", "w.bin"}, {key, value}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << key << value << status.message();
    EXPECT_NE(status.message().find("'w'"), std::string::npos) << status.message();
  }
  EXPECT_EQ(Import({}).status().code(), StatusCode::kInvalidModel);
  EXPECT_EQ(Import({{"location", "w.bin"}, {"location", "w.bin"}}).status().code(),
            StatusCode::kInvalidModel);
}

// An initializer, or the value of a Constant, of two floats in w.bin.
TensorProto External(const std::string& name, const std::string& location = "w.bin") {
  TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(2);
  tensor.set_data_location(TensorProto::EXTERNAL);
  auto* entry = tensor.add_external_data();
  entry->set_key("location");
  entry->set_value(location);
  return tensor;
}

TEST_F(ExternalDataTest, NarrowTypesLieThereToo) {
  std::ofstream(folder_ + "/model/w.bin", std::ios::binary).write("\x21\x43", 2);
  OnnxBuilder builder(21);
  TensorProto* tensor = builder.graph().add_initializer();
  *tensor = External("w");
  tensor->set_data_type(21);  // uint4
  tensor->set_dims(0, 4);
  builder.Node("Cast", {"w"}, {"y"}, {{"to", int64_t{TensorProto::INT32}}});
  builder.Output("y", TensorProto::INT32);
  const Result<Graph> graph = builder.Import({.folder = folder_ + "/model"});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  const std::vector<double> expected = {1, 2, 3, 4};
  EXPECT_EQ(ToDoubles(*graph->ConstantOf(graph->nodes[0].input(0))), expected);
  EXPECT_EQ(builder.Import().status().code(), StatusCode::kInvalidModel);
  EXPECT_EQ(TensorOfProto(*tensor, nullptr).status().message(), "external data is not allowed here");
}

TEST_F(ExternalDataTest, KeysGivenTwiceAreRefused) {
  for (const char* key : {"location", "offset", "length", "anything"}) {
    const std::string value = key == std::string("location") ? "w.bin" : "8";
    const Status status = Import({{"location", "w.bin"}, {key, value}, {key, value}}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidModel) << key;
    EXPECT_NE(status.message().find("twice"), std::string::npos) << status.message();
  }
  // Keys that nobody knows are passed over; an address of ONNX Runtime's is a name like any other.
  EXPECT_TRUE(Import({{"location", "w.bin"}, {"note", "hello"}}).ok());
  EXPECT_EQ(Import({{"location", "*/_ORT_MEM_ADDR_/*"}, {"offset", "140000000"}}).status().code(),
            StatusCode::kIo);
}

TEST_F(ExternalDataTest, TensorsThatReadTheSameBytesOverAndOverAreRefused) {
  const int64_t elements = 1 << 20;
  std::filesystem::resize_file(folder_ + "/model/w.bin", elements * sizeof(float));
  const auto import = [&](int tensors) {
    OnnxBuilder builder;
    builder.Input("x", {elements});
    for (int i = 0; i < tensors; ++i) {
      const std::string name = "w" + std::to_string(i), from = i == 0 ? "x" : "y" + std::to_string(i);
      TensorProto* tensor = builder.graph().add_initializer();
      *tensor = External(name);
      tensor->set_dims(0, elements);
      builder.Node("Add", {from, name}, {"y" + std::to_string(i + 1)});
    }
    builder.Output("y" + std::to_string(tensors));
    return builder.Import({.folder = folder_ + "/model"}).status();
  };
  EXPECT_TRUE(import(4).ok()) << import(4).message();
  EXPECT_EQ(import(64).code(), StatusCode::kLimitExceeded) << import(64).message();
}

TEST_F(ExternalDataTest, ConstantsInNodesUseTheSameDoor) {
  const auto import = [&](const std::string& location) {
    OnnxBuilder builder;
    builder.Input("x", {2}).Node("Constant", {}, {"w"}, {{"value", External("", location)}});
    builder.Node("Add", {"x", "w"}, {"y"}).Output("y");
    return builder.Import({.folder = folder_ + "/model"}).status().code();
  };
  const auto inside = [&](const std::string& location) {
    onnx::GraphProto branch;
    *branch.add_initializer() = External("w", location);
    *branch.add_node() = tests::NodeProtoOf("Add", {"x", "w"}, {"z"});
    branch.add_output()->set_name("z");
    OnnxBuilder builder;
    builder.Input("x", {2}).Input("c", {}, TensorProto::BOOL);
    builder.Node("If", {"c"}, {"y"}, {{"then_branch", branch}, {"else_branch", branch}});
    return builder.Output("y").Import({.folder = folder_ + "/model"}).status().code();
  };
  EXPECT_EQ(import("../outside.bin"), StatusCode::kInvalidModel);
  EXPECT_EQ(inside("../outside.bin"), StatusCode::kInvalidModel);
  EXPECT_EQ(inside("w.bin"), StatusCode::kOk);
  EXPECT_TRUE(import("w.bin") == StatusCode::kOk || import("w.bin") == StatusCode::kInvalidModel);
}

TEST_F(ExternalDataTest, WhatNobodyReadsIsNotOpened) {
  OnnxBuilder builder;
  builder.Input("x", {2}).Node("Neg", {"x"}, {"y"}).Output("y");
  *builder.graph().add_initializer() = External("unused", "absent.bin");
  builder.graph().mutable_initializer(0)->set_dims(0, int64_t{1} << 29);
  const auto graph = builder.Import({.folder = folder_ + "/model"});
  EXPECT_TRUE(graph.ok()) << graph.status().message();
}

}  // namespace
}  // namespace pleat::converter
