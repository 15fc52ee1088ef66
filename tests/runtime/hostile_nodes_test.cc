// Every operator on nodes that are wrong in every way the FlatBuffers verifier lets through: each
// file is refused with a reason, or planned and run. PLEAT_NODES sets how many of each operator.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>

#include "runtime/session.h"
#include "tests/runtime/hostile_nodes.h"
#include "tests/support/model_bytes.h"

namespace pleat::tests {
namespace {

using runtime::Graph;
using runtime::kUnknownDim;
using runtime::Model;
using runtime::Session;
using runtime::Shape;
using runtime::Status;
using runtime::StatusCode;
using runtime::Tensor;
using runtime::Type;
using runtime::ValueId;

constexpr int64_t kMaxElements = 1 << 16;
constexpr int64_t kMaxArenaBytes = int64_t{64} << 20;
constexpr double kMaxMultiplyAdds = 1e7;

constexpr std::chrono::milliseconds kMaxTime(50);  // of loops, whose number of trips is an input

// Fills the memory that a session asks for with one byte.
struct Poison {
  uint8_t byte;
  static void* Allocate(void* context, size_t bytes, size_t alignment) {
    void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (memory != nullptr) std::memset(memory, static_cast<Poison*>(context)->byte, bytes);
    return memory;
  }
  static void Deallocate(void*, void* memory, size_t) { std::free(memory); }
};

// `outputs`, when given, receives the bytes of every output.
Status LoadAndRun(const FileBytes& file, Random& random, Poison* poison = nullptr,
                  std::vector<FileBytes>* outputs = nullptr) {
  const auto model = Model::FromBytes(file);
  if (!model.ok()) return model.status();
  std::vector<Shape> shapes;
  std::vector<Tensor> inputs;
  for (const ValueId id : (*model)->graph().inputs) {
    Type type = (*model)->graph().values[static_cast<size_t>(id)].type;
    if (!type.ranked) type = {type.element, true, Shape(static_cast<size_t>(random.Below(4)), -1)};
    for (int64_t& size : type.shape) size = size == kUnknownDim ? random.Below(5) : size;
    if (!CheckType(type).ok() || runtime::ElementCount(type.shape) > kMaxElements) {
      return runtime::LimitExceeded("large inputs");
    }
    shapes.push_back(type.shape);
    inputs.push_back(AnyNumbers(type, random));
  }
  Session::Options options{.threads = 1, .max_arena_bytes = kMaxArenaBytes};
  if (poison != nullptr) options.allocator = {Poison::Allocate, Poison::Deallocate, poison};
  Session session(*model, options);
  const auto plan = session.Prepare(shapes);
  if (!plan.ok()) return plan.status();
  if ((*plan)->multiply_adds > kMaxMultiplyAdds) return runtime::LimitExceeded("much work");
  std::vector<runtime::TensorView> views;
  for (const Tensor& input : inputs) {
    views.push_back({input.element(), input.shape(), input.raw()});
  }
  PLEAT_RETURN_IF_ERROR(
      session.RunInto(views, {}, {.deadline = std::chrono::steady_clock::now() + kMaxTime}));
  for (size_t i = 0; outputs != nullptr && i < (*model)->graph().outputs.size(); ++i) {
    const runtime::TensorView view = session.Output(i);
    const Type type{view.element, true, {view.shape.begin(), view.shape.end()}};
    const auto* bytes = static_cast<const std::byte*>(view.data);
    outputs->emplace_back(bytes, bytes + ByteSize(type));
  }
  return Status::Ok();
}

bool Typed(const Status& status) {
  return status.ok() || status.code() == StatusCode::kInvalidModel ||
         status.code() == StatusCode::kUnsupported ||
         status.code() == StatusCode::kLimitExceeded ||
         status.code() == StatusCode::kDeadlineExceeded ||
         status.code() == StatusCode::kInvalidArgument;
}

int FromEnvironment(const char* name, int otherwise) {
  const char* wanted = std::getenv(name);
  return wanted != nullptr ? std::atoi(wanted) : otherwise;
}

TEST(HostileNodes, EveryOperatorRefusesOrRuns) {
  const int count = FromEnvironment("PLEAT_NODES", 100);
  for (int op = 1; op <= static_cast<int>(runtime::fb::Op::MAX); ++op) {
    Random random(static_cast<uint64_t>(op));
    int right = 0, right_runs = 0;
    for (int n = 0; n < count; ++n) {
      const int wrongs = n % 5;
      const Graph graph = HostileGraph(static_cast<runtime::fb::Op>(op), wrongs, random);
      SCOPED_TRACE(GraphText(graph));
      const Status status = LoadAndRun(BytesOf(SerializeGraph(graph)), random);
      ASSERT_TRUE(Typed(status)) << static_cast<int>(status.code()) << " " << status.message();
      ASSERT_EQ(status.ok(), status.message().empty());
      right += wrongs == 0 ? 1 : 0;
      right_runs += wrongs == 0 && status.ok() ? 1 : 0;
    }
    // What is meant to be right mostly is, or nothing would be tested.
    EXPECT_GT(right_runs * 4, right) << EnumNameOp(static_cast<runtime::fb::Op>(op));
  }
}

TEST(HostileNodes, AnswersDoNotDependOnWhatMemoryHeld) {
  int compared = 0;
  for (int op = 1; op <= static_cast<int>(runtime::fb::Op::MAX); ++op) {
    Random random(static_cast<uint64_t>(op) + 1000);
    for (int n = 0; n < FromEnvironment("PLEAT_NODES", 10); ++n) {
      const Graph graph = HostileGraph(static_cast<runtime::fb::Op>(op), 0, random);
      const FileBytes file = BytesOf(SerializeGraph(graph));
      const uint64_t seed = random.Next();
      std::vector<FileBytes> first;
      for (const uint8_t byte : {0x00, 0xff, 0x7f}) {  // 0xffffffff is NaN, 0x7f7f7f7f is large
        Poison poison{byte};
        Random same(seed);
        std::vector<FileBytes> outputs;
        if (!LoadAndRun(file, same, &poison, &outputs).ok()) break;
        ++compared;
        if (byte == 0) first = outputs;
        ASSERT_EQ(outputs, first) << GraphText(graph);
      }
    }
  }
  EXPECT_GT(compared, 600);
}

// A small file that loads for each operator, or for the first `most` of them.
std::vector<FileBytes> SmallFiles(int most) {
  std::vector<FileBytes> files;
  for (int op = 1; op <= std::min(most, static_cast<int>(runtime::fb::Op::MAX)); ++op) {
    Random random(static_cast<uint64_t>(op));
    for (int tries = 0; tries < 100; ++tries) {
      const Graph graph = HostileGraph(static_cast<runtime::fb::Op>(op), 0, random);
      const FileBytes file = BytesOf(SerializeGraph(graph));
      if (file.size() > 1500 || !Model::FromBytes(file).ok()) continue;
      files.push_back(file);
      break;
    }
  }
  return files;
}

size_t GraphEnd(const FileBytes& file) { return kGraphAt + HeaderField(file, 24); }

TEST(HostileFiles, EveryTruncationIsRefused) {
  const std::vector<FileBytes> files = SmallFiles(1000);
  ASSERT_GE(files.size(), 40u);
  for (const FileBytes& file : files) {
    for (size_t size = 0; size < file.size(); ++size) {
      const Status status = Model::FromBytes(std::span(file).first(size)).status();
      ASSERT_EQ(status.code(), StatusCode::kInvalidModel) << size;
    }
  }
}

TEST(HostileFiles, EveryTruncationOfTheGraphWithAHeaderThatFitsIsRefusedOrSafe) {
  for (const FileBytes& file : SmallFiles(1000)) {
    for (size_t bytes = 0; bytes < HeaderField(file, 24); ++bytes) {
      FileBytes cut(file.begin(), file.begin() + static_cast<ptrdiff_t>(kGraphAt + bytes));
      cut.resize((cut.size() + 63) / 64 * 64);
      SetHeaderField(cut, 24, bytes);
      SetHeaderField(cut, 32, cut.size());
      cut.insert(cut.end(), file.begin() + static_cast<ptrdiff_t>(HeaderField(file, 32)),
                 file.end());
      RepairChecksums(cut);
      Random random(bytes);
      ASSERT_TRUE(Typed(LoadAndRun(cut, random))) << bytes;
    }
  }
}

TEST(HostileFiles, EveryFlippedBitOfHeaderAndGraphIsRefused) {
  for (FileBytes& file : SmallFiles(1000)) {
    for (size_t bit = 0; bit < GraphEnd(file) * 8; ++bit) {
      file[bit / 8] ^= std::byte{1} << (bit % 8);
      ASSERT_FALSE(Model::FromBytes(file).ok()) << bit;
      file[bit / 8] ^= std::byte{1} << (bit % 8);
    }
  }
}

TEST(HostileFiles, EveryFlippedBitUnderRightChecksumsIsRefusedOrSafe) {
  const std::vector<FileBytes> files = SmallFiles(FromEnvironment("PLEAT_FLIPPED_FILES", 24));
  ASSERT_GE(files.size(), 20u);
  for (const FileBytes& file : files) {
    for (size_t bit = 0; bit < GraphEnd(file) * 8; ++bit) {
      FileBytes flipped = file;
      flipped[bit / 8] ^= std::byte{1} << (bit % 8);
      RepairChecksums(flipped);
      Random random(bit);
      ASSERT_TRUE(Typed(LoadAndRun(flipped, random))) << bit;
    }
  }
}

}  // namespace
}  // namespace pleat::tests
