// Every candidate for the convolutions and products of well-known networks: time, arithmetic rate,
// and which one selection takes (*). The environment's PLEAT_THREADS sets the threads.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/conv.h"
#include "kernels/matmul.h"
#include "tests/support/guarded.h"
#include "tests/support/random.h"

namespace pleat::kernels {
namespace {

using tests::Flush;
using tests::Guarded;

// Page-aligned.
template <class T>
Guarded<T> Numbers(size_t count) {
  tests::Random random(1);
  return Guarded<T>(random.Values<T>(count), Flush::kBegin);
}

ThreadPool& Pool() {
  static const char* const kThreads = std::getenv("PLEAT_THREADS");
  static ThreadPool pool(kThreads == nullptr ? 1 : std::atoi(kThreads));
  return pool;
}

template <class Problem>
void Run(benchmark::State& state, const Candidate<Problem>& candidate, Problem problem, int64_t x,
         int64_t w, int64_t y, double multiply_adds) {
  const auto input = Numbers<float>(static_cast<size_t>(x));
  const auto weights = Numbers<float>(static_cast<size_t>(w));
  Guarded<float> output(static_cast<size_t>(y), Flush::kBegin);
  problem.weights = weights.data();
  const auto kernel = candidate.make(problem);
  Guarded<std::byte> scratch(kernel->scratch_bytes(Pool().threads()), Flush::kBegin);
  const void* inputs[] = {input.data()};
  void* outputs[] = {output.data()};
  for (auto _ : state) kernel->Run({inputs, outputs, scratch.data(), &Pool()});
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * multiply_adds, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["packed MB"] = static_cast<double>(kernel->packed_bytes()) * 1e-6;
}

template <class Problem>
void Register(const std::string& name, std::span<const Candidate<Problem>> candidates,
              const Problem& problem, int64_t x, int64_t w, int64_t y, double multiply_adds) {
  const float weights = 0;  // what refusals ask is only whether there are any
  Problem asked = problem;
  asked.weights = &weights;
  const char* chosen = Select(candidates, asked, {}).name;
  for (const Candidate<Problem>& candidate : candidates.first(candidates.size() - 1)) {
    Problem only = asked;
    only.select.only = candidate.name;
    if (!candidate.refuse(only).empty()) continue;
    const std::string mark = std::string(candidate.name) + (candidate.name == chosen ? "*" : "");
    benchmark::RegisterBenchmark((name + "/" + mark).c_str(), [=, &candidate](
                                                                  benchmark::State& state) {
      Run(state, candidate, problem, x, w, y, multiply_adds);
    })->UseRealTime();
  }
}

void RegisterConv(const std::string& network, int64_t size, int64_t c, int64_t m, int64_t kernel,
                  int64_t stride, int64_t groups) {
  ConvProblem p;
  p.in_channels = c;
  p.out_channels = m;
  p.groups = groups;
  for (int d = 1; d < 3; ++d) {
    p.in[d] = size;
    p.kernel[d] = kernel;
    p.stride[d] = stride;
    p.pad_begin[d] = p.pad_end[d] = kernel / 2;
    p.out[d] = (size - 1) / stride + 1;
  }
  p.weight_layout = groups == 1 ? WeightLayout::kPanels16 : WeightLayout::kTapsChannels;
  p.activation = {UnaryKind::kClip, 0, 6};
  const int64_t y = p.out[1] * p.out[2] * m;
  const std::string name = network + "/" + std::to_string(size) + "x" + std::to_string(c) + ">" +
                           std::to_string(m) + "k" + std::to_string(kernel) + "s" +
                           std::to_string(stride) + (groups == 1 ? "" : "dw");
  Register(name, ConvCandidates(), p, size * size * c, ConvWeightElements(p, p.weight_layout), y,
           static_cast<double>(y * c / groups * kernel * kernel));
}

void RegisterMatMul(int64_t m, int64_t k, int64_t n) {
  MatMulProblem p;
  p.m = m;
  p.k = k;
  p.n = n;
  p.weight_layout = WeightLayout::kPanels16;
  Register("matmul/" + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n),
           MatMulCandidates(), p, m * k, PanelElements(k, n), m * n,
           static_cast<double>(m * k * n));
}

void RegisterAll() {
  RegisterConv("resnet", 224, 3, 64, 7, 2, 1);
  RegisterConv("resnet", 56, 64, 64, 3, 1, 1);
  RegisterConv("resnet", 28, 128, 128, 3, 1, 1);
  RegisterConv("resnet", 14, 256, 256, 3, 1, 1);
  RegisterConv("resnet", 7, 512, 512, 3, 1, 1);
  RegisterConv("resnet", 28, 128, 256, 3, 2, 1);
  RegisterConv("resnet", 56, 256, 64, 1, 1, 1);
  RegisterConv("resnet", 14, 1024, 256, 1, 1, 1);
  RegisterConv("resnet", 7, 512, 2048, 1, 1, 1);
  RegisterConv("vgg", 224, 3, 64, 3, 1, 1);
  RegisterConv("vgg", 112, 64, 128, 3, 1, 1);
  RegisterConv("vgg", 28, 512, 512, 3, 1, 1);
  RegisterConv("mobilenet", 224, 3, 32, 3, 2, 1);
  RegisterConv("mobilenet", 112, 16, 96, 1, 1, 1);
  RegisterConv("mobilenet", 56, 96, 24, 1, 1, 1);
  RegisterConv("mobilenet", 7, 960, 160, 1, 1, 1);
  RegisterConv("mobilenet", 112, 32, 32, 3, 1, 32);
  RegisterConv("mobilenet", 56, 144, 144, 3, 2, 144);
  RegisterConv("mobilenet", 14, 384, 384, 3, 1, 384);
  RegisterConv("mobilenet", 14, 672, 672, 5, 1, 672);
  RegisterMatMul(1, 512, 1000);
  RegisterMatMul(1, 4096, 4096);
  RegisterMatMul(197, 768, 768);
}

}  // namespace
}  // namespace pleat::kernels

int main(int argc, char** argv) {
  pleat::kernels::RegisterAll();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
