// The suite, tested: built with the folding code that has faults to switch on, and run once under
// each. It must pass without a fault and fail with any.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "converter/seeded_bugs.h"

namespace {

constexpr const char* kSuite =
    "--gtest_filter=Canonicalize*:Fold*:ImportBatchNorm*:MustNotFold*:PassProperty*";

int seeded = 0;

// Whether the suite passes in a process of its own.
bool Passes(int bug) {
  const pid_t child = fork();
  if (child == 0) {
    seeded = bug;
    setenv("PLEAT_GRAPHS", "300", 1);
    const bool quiet = std::getenv("PLEAT_SEEDED_BUG") == nullptr;
    if (quiet && std::freopen("/dev/null", "w", stdout) == nullptr) _exit(0);
    int count = 4;
    char name[] = "suite", brief[] = "--gtest_brief=1", fast[] = "--gtest_fail_fast";
    std::string suite = kSuite;
    char* arguments[] = {name, suite.data(), brief, fast, nullptr};
    testing::InitGoogleTest(&count, arguments);
    const int result = RUN_ALL_TESTS();
    std::fflush(stdout);
    _exit(result == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

bool pleat::converter::Seeded(SeededBug bug) { return static_cast<int>(bug) == seeded; }

// PLEAT_SEEDED_BUG=N runs under fault N alone and shows what fails.
int main() {
  const char* only = std::getenv("PLEAT_SEEDED_BUG");
  int missed = 0;
  for (int bug = 0; bug < static_cast<int>(pleat::converter::SeededBug::kCount); ++bug) {
    if (only != nullptr && std::atoi(only) != bug) continue;
    const bool passes = Passes(bug);
    const bool right = passes == (bug == 0);
    if (!right) ++missed;
    std::fprintf(stderr, "seeded bug %d: the suite %s%s\n", bug, passes ? "passes" : "fails",
                 right ? "" : ", WRONG");
  }
  return missed == 0 ? 0 : 1;
}
