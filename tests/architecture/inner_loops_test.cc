// The machine code of the kernels' inner loops: sums, weights and pointers stay in registers. A
// compiler that spills one makes a loop two to three times slower and no other test fails.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <regex>
#include <string>
#include <vector>

namespace pleat {
namespace {

struct Instruction {
  unsigned long address;
  std::string text;
};

// The functions of one object of the kernels' library.
std::map<std::string, std::vector<Instruction>> Disassemble(const std::string& object) {
  const std::string copy = testing::TempDir() + "/pleat_" + object;
  const std::string command = std::string("ar p ") + PLEAT_KERNELS_LIBRARY + " " + object + " > " +
                              copy + " && objdump -dC --no-show-raw-insn " + copy;
  std::map<std::string, std::vector<Instruction>> functions;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  if (pipe == nullptr) return functions;
  std::vector<Instruction>* function = nullptr;
  char line[8192];
  while (std::fgets(line, sizeof(line), pipe.get()) != nullptr) {
    unsigned long address = 0;
    int used = 0;
    if (std::sscanf(line, "%lx <%n", &address, &used) == 1 && used > 0) {
      std::string name(line + used);
      name.resize(name.rfind('>'));
      function = &functions[name];
    } else if (function != nullptr && std::sscanf(line, " %lx:%n", &address, &used) == 1 &&
               used > 0) {
      function->push_back({address, line + used});
    }
  }
  std::remove(copy.c_str());
  return functions;
}

struct InnerLoop {
  std::string function;
  int multiply_adds = 0;
  int vectors_on_stack = 0, scalars_on_stack = 0;
};

// Loops without a branch inside that multiply and add vectors.
std::vector<InnerLoop> InnerLoops(const std::string& object) {
  static const std::regex kJump("^\\s*j\\w+\\s+([0-9a-f]+).*\n");
  static const std::regex kStack("\\(%r[sb]p\\b");
  std::vector<InnerLoop> loops;
  for (const auto& [name, code] : Disassemble(object)) {
    std::map<unsigned long, size_t> at;
    size_t straight_from = 0;  // no branch since then
    for (size_t i = 0; i < code.size(); ++i) {
      at[code[i].address] = i;
      std::smatch jump;
      const std::string& text = code[i].text;
      const bool branch = text.find("call") != std::string::npos;
      if (!std::regex_match(text, jump, kJump)) {
        if (branch) straight_from = i + 1;
        continue;
      }
      const auto target = at.find(std::stoul(jump[1], nullptr, 16));
      if (target != at.end() && target->second >= straight_from) {
        InnerLoop loop{.function = name};
        for (size_t k = target->second; k < i; ++k) {
          const std::string& step = code[k].text;
          loop.multiply_adds += step.find("vfmadd") != std::string::npos ? 1 : 0;
          if (!std::regex_search(step, kStack)) continue;
          const bool vector = step.find("%ymm") != std::string::npos ||
                              step.find("%zmm") != std::string::npos;
          ++(vector ? loop.vectors_on_stack : loop.scalars_on_stack);
        }
        if (loop.multiply_adds >= 2) loops.push_back(loop);
      }
      straight_from = i + 1;
    }
  }
  return loops;
}

TEST(InnerLoops, OfProductsStayInRegisters) {
  const std::vector<InnerLoop> loops = InnerLoops("gemm.cc.o");
  if (loops.empty()) GTEST_SKIP() << "no loop of fused multiply-adds of x86, or no objdump";
  EXPECT_GE(loops.size(), 20u);
  for (const InnerLoop& loop : loops) {
    EXPECT_EQ(loop.vectors_on_stack, 0) << loop.function;
    // The largest tile of 32 registers has more rows than there are scalar registers.
    EXPECT_LE(loop.scalars_on_stack, 2) << loop.function;
  }
}

TEST(InnerLoops, OfFloat16WeightsStayInRegisters) {
  const std::vector<InnerLoop> loops = InnerLoops("half_rows.cc.o");
  if (loops.empty()) GTEST_SKIP() << "no loop of fused multiply-adds of x86, or no objdump";
  for (const InnerLoop& loop : loops) EXPECT_EQ(loop.vectors_on_stack, 0) << loop.function;
}

TEST(InnerLoops, OfDepthwiseConvolutionsKeepTheirSums) {
  const std::vector<InnerLoop> loops = InnerLoops("depthwise.cc.o");
  if (loops.empty()) GTEST_SKIP() << "no loop of fused multiply-adds of x86, or no objdump";
  EXPECT_GE(loops.size(), 10u);
  for (const InnerLoop& loop : loops) EXPECT_EQ(loop.vectors_on_stack, 0) << loop.function;
}

}  // namespace
}  // namespace pleat
