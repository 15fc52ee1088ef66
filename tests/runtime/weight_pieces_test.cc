// Weights of several pieces: their checksum is that of the pieces' checksums, made by threads.
#include <gtest/gtest.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <xxhash.h>

#include <atomic>
#include <cerrno>
#include <new>
#include <thread>

#include "kernels/instruction_set.h"
#include "runtime/cpu_budget.h"
#include "tests/support/model_bytes.h"
#include "tests/support/random.h"
#include "tests/support/sanitizers.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define PLEAT_HOOKS_THREADS 1
namespace {
std::atomic<int> threads_made{0};
std::atomic<bool> no_threads{false};
}  // namespace

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  if (no_threads) return EAGAIN;
  ++threads_made;
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto next = reinterpret_cast<Create*>(dlsym(RTLD_NEXT, "pthread_create"));
  return next(thread, attributes, start, argument);
}
#endif

namespace pleat::tests {
namespace {

using runtime::ElementType;
using runtime::Graph;
using runtime::HashWeights;
using runtime::kPieceBytes;
using runtime::StatusCode;
using runtime::Tensor;
using runtime::ValueId;

constexpr size_t kFeaturesAt = 12, kWeightsAt = 32, kWeightsHashAt = 56;

// y = x + a constant of so many bytes, which are random.
FileBytes FileOf(size_t weight_bytes) {
  Graph graph;
  const auto count = static_cast<int64_t>(weight_bytes);
  Tensor numbers = Tensor::Make(ElementType::kUint8, {count});
  Random random(weight_bytes);
  for (size_t i = 0; i < weight_bytes; i += 8) {
    const uint64_t word = random.Next();
    std::memcpy(static_cast<std::byte*>(numbers.mutable_raw()) + i, &word, 8);
  }
  const ValueId x = graph.AddValue("x", {ElementType::kUint8, true, {count}});
  const ValueId w = graph.AddConstant("w", numbers);
  const ValueId y = graph.AddValue("y");
  graph.inputs = {x};
  graph.outputs = {y};
  graph.nodes.push_back(runtime::MakeNode("add", runtime::fb::BinaryT(), {x, w}, {y}));
  return BytesOf(SerializeGraph(graph));
}

std::span<std::byte> WeightsOf(FileBytes& file) {
  return std::span(file).subspan(HeaderField(file, kWeightsAt));
}
bool InPieces(const FileBytes& file) { return file[kFeaturesAt] == std::byte{1}; }

// The header's words on the weights, its own checksum put right.
void Say(FileBytes& file, bool in_pieces, uint64_t hash) {
  file[kFeaturesAt] = std::byte{in_pieces};
  SetHeaderField(file, kWeightsHashAt, hash);
  SetHeaderField(file, 64, runtime::HashBytes(std::span(file).first(64)));
}

// By the library, piece by piece.
uint64_t Expected(std::span<const std::byte> weights) {
  std::vector<uint64_t> hashes;
  for (size_t at = 0; at < weights.size(); at += kPieceBytes) {
    hashes.push_back(XXH3_64bits(&weights[at], std::min(kPieceBytes, weights.size() - at)));
  }
  return XXH3_64bits(hashes.data(), hashes.size() * 8);
}

runtime::Status Parse(const FileBytes& file) {
  return runtime::ParseGraph(file, nullptr).status();
}

const char kDamaged[] = "the weights' checksum does not match: the file is damaged";

// The calling thread on so many of its processors, while this lives.
class OnProcessors {
 public:
  explicit OnProcessors(int count) {
    sched_getaffinity(0, sizeof(before_), &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&set) < count; ++cpu) {
      if (CPU_ISSET(cpu, &before_)) CPU_SET(cpu, &set);
    }
    sched_setaffinity(0, sizeof(set), &set);
  }
  ~OnProcessors() { sched_setaffinity(0, sizeof(before_), &before_); }

 private:
  cpu_set_t before_;
};

TEST(WeightPieces, ChecksumIsThatOfThePiecesChecksums) {
  for (const std::string& set : kernels::InstructionSets()) {
    kernels::UseInstructionSet(set);
    for (const size_t bytes : {kPieceBytes - 64, kPieceBytes, kPieceBytes + 64, 2 * kPieceBytes,
                               3 * kPieceBytes + 192, 5 * kPieceBytes - 64}) {
      if (set != kernels::InstructionSets().front() && bytes > 3 * kPieceBytes) continue;
      FileBytes file = FileOf(bytes);
      const auto weights = WeightsOf(file);
      ASSERT_EQ(weights.size(), bytes);
      ASSERT_EQ(InPieces(file), bytes > kPieceBytes);
      EXPECT_EQ(HeaderField(file, kWeightsHashAt),
                InPieces(file) ? Expected(weights) : XXH3_64bits(weights.data(), bytes))
          << set << " " << bytes;
      EXPECT_EQ(Parse(file).code(), StatusCode::kOk) << set << " " << bytes;
    }
  }
  kernels::UseInstructionSet(kernels::InstructionSets().front());
}

TEST(WeightPieces, FilesSayHowTheirsIsMade) {
  FileBytes file = FileOf(3 * kPieceBytes + 64);
  const uint64_t whole = XXH3_64bits(WeightsOf(file).data(), WeightsOf(file).size());
  const uint64_t pieces = Expected(WeightsOf(file));
  Say(file, false, whole);  // as every file was once
  EXPECT_EQ(Parse(file).code(), StatusCode::kOk);
  Say(file, false, pieces);
  EXPECT_EQ(Parse(file).message(), kDamaged);
  Say(file, true, whole);
  EXPECT_EQ(Parse(file).message(), kDamaged);
  Say(file, true, pieces);
  EXPECT_EQ(Parse(file).code(), StatusCode::kOk);
  FileBytes small = FileOf(64);
  Say(small, true, HeaderField(small, kWeightsHashAt));
  EXPECT_EQ(Parse(small).message(), kDamaged);
  Say(small, true, Expected(WeightsOf(small)));
  EXPECT_EQ(Parse(small).code(), StatusCode::kOk);
}

TEST(WeightPieces, DamageIsSeenInEveryPieceByAnyNumberOfThreads) {
  FileBytes file = FileOf(6 * kPieceBytes + 64);
  const auto weights = WeightsOf(file);
  const auto piece = [&](size_t index) {
    return weights.subspan(index * kPieceBytes, kPieceBytes);
  };
  for (const int processors : {1, 2}) {
    const OnProcessors on(processors);
    ASSERT_EQ(Parse(file).code(), StatusCode::kOk);
    for (const size_t at : {size_t{0}, kPieceBytes - 1, kPieceBytes, 3 * kPieceBytes + 4711,
                            5 * kPieceBytes, 6 * kPieceBytes - 1, 6 * kPieceBytes,
                            6 * kPieceBytes + 63}) {
      weights[at] ^= std::byte{0x10};
      EXPECT_EQ(Parse(file).code(), StatusCode::kInvalidModel) << at;
      EXPECT_EQ(Parse(file).message(), kDamaged) << at;
      weights[at] ^= std::byte{0x10};
    }
    for (const auto& [a, b] : {std::pair<size_t, size_t>{0, 1}, {1, 2}, {0, 5}}) {
      std::swap_ranges(piece(a).begin(), piece(a).end(), piece(b).begin());
      EXPECT_EQ(Parse(file).message(), kDamaged) << a << " and " << b;
      std::swap_ranges(piece(a).begin(), piece(a).end(), piece(b).begin());
    }
  }
}

TEST(WeightPieces, TheCallerReadsTheGraphMeanwhile) {
  const std::vector<std::byte> bytes(6 * kPieceBytes + 64);
  for (const int processors : {1, 2}) {
    const OnProcessors on(processors);
    for (const uint32_t features : {0u, runtime::kWeightsInPieces}) {
      for (const size_t size : {size_t{0}, size_t{64}, kPieceBytes, bytes.size()}) {
        const auto weights = std::span(bytes).first(size);
        std::vector<std::thread::id> callers;
        const auto note = [&] { callers.push_back(std::this_thread::get_id()); };
        EXPECT_EQ(HashWeights(weights, features, note), HashWeights(weights, features));
        EXPECT_EQ(callers, std::vector{std::this_thread::get_id()});
        EXPECT_THROW(HashWeights(weights, features, [] { throw std::bad_alloc(); }),
                     std::bad_alloc);
      }
    }
  }
}

// Whoever reads the graph of a damaged file first: what is said is the damage.
TEST(WeightPieces, DamageIsSaidBeforeWhatIsWrongWithTheGraph) {
  for (const size_t bytes : {size_t{64}, 6 * kPieceBytes}) {
    FileBytes file = FileOf(bytes);
    const bool in_pieces = InPieces(file);
    file = Edited(file, [](runtime::fb::GraphT& graph) { graph.outputs.clear(); });
    const uint64_t right = HashWeights(WeightsOf(file), in_pieces);
    Say(file, in_pieces, right);
    EXPECT_EQ(Parse(file).message(), "the graph has no outputs");
    Say(file, in_pieces, right ^ 1);
    EXPECT_EQ(Parse(file).message(), kDamaged);
  }
}

#if defined(PLEAT_HOOKS_THREADS)
TEST(WeightPieces, ThreadsAreMadeForManyPiecesOnSeveralProcessors) {
  FileBytes large = FileOf(6 * kPieceBytes + 64);
  const FileBytes small = FileOf(3 * kPieceBytes);
  const auto made = [](const FileBytes& file) {
    threads_made = 0;
    EXPECT_EQ(Parse(file).code(), StatusCode::kOk);
    return threads_made.load();
  };
  {
    const OnProcessors one(1);
    EXPECT_EQ(made(large), 0);
  }
  const OnProcessors two(2);
  EXPECT_EQ(made(small), 0);
  if (runtime::CpuBudget() < 2) GTEST_SKIP() << "one processor";
  EXPECT_EQ(made(large), 1);
  no_threads = true;
  EXPECT_EQ(made(large), 0);
  WeightsOf(large)[5 * kPieceBytes] ^= std::byte{1};
  EXPECT_EQ(Parse(large).message(), kDamaged);
  no_threads = false;
}
#endif

}  // namespace
}  // namespace pleat::tests
