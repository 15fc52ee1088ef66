// ONNX's own suites, of Debian's libonnx-testdata or the folder that PLEAT_ONNX_DATA names: every
// case passes, but for those that unsupported.txt lists, which are refused for the reason it gives.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <set>

#include "tools/conformance_case.h"

namespace pleat::tools {
namespace {

const std::vector<std::string> kSuites = {"node", "simple", "pytorch-converted",
                                          "pytorch-operator"};

std::string DataFolder() {
  const char* folder = std::getenv("PLEAT_ONNX_DATA");
  return folder == nullptr ? "/usr/share/libonnx-testdata/data" : folder;
}

// Lines "SUITE/CASE: part of the reason".
std::map<std::string, std::string> ReadUnsupported() {
  std::map<std::string, std::string> list;
  std::ifstream file(PLEAT_SOURCE_DIR "/tests/onnx/unsupported.txt");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (!line.starts_with("#") && colon != std::string::npos) {
      list.emplace(line.substr(0, colon), line.substr(colon + 2));
    }
  }
  return list;
}

const std::map<std::string, std::string>& Unsupported() {
  static const std::map<std::string, std::string> list = ReadUnsupported();
  return list;
}

std::vector<ConformanceCase> Cases() {
  std::vector<ConformanceCase> cases;
  for (const std::string& suite : kSuites) {
    auto found = FindCases(DataFolder() + "/" + suite);
    if (!found.ok()) continue;
    for (ConformanceCase& test : *found) {
      test.name = suite + "/" + test.name;
      cases.push_back(std::move(test));
    }
  }
  return cases;
}

class Onnx : public testing::TestWithParam<ConformanceCase> {};

TEST_P(Onnx, PassesOrIsListedAsUnsupported) {
  const CaseResult result = RunCase(GetParam(), kOnnxTolerance, {});
  const auto listed = Unsupported().find(GetParam().name);
  if (listed == Unsupported().end()) {
    EXPECT_EQ(CaseStatusName(result.status), std::string("passed")) << result.reason;
    return;
  }
  EXPECT_EQ(CaseStatusName(result.status), std::string("unsupported"))
      << "take it off unsupported.txt";
  EXPECT_NE(result.reason.find(listed->second), std::string::npos) << result.reason;
}

INSTANTIATE_TEST_SUITE_P(Data, Onnx, testing::ValuesIn(Cases()), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Onnx);

TEST(OnnxSuites, AreThereAndEveryListedCaseIsOneOfThem) {
  std::set<std::string> names;
  std::map<std::string, size_t> sizes;
  for (const ConformanceCase& test : Cases()) {
    names.insert(test.name);
    ++sizes[test.name.substr(0, test.name.find('/'))];
  }
  for (const std::string& suite : kSuites) {
    EXPECT_GT(sizes[suite], 0u) << suite << " in " << DataFolder() << ": install libonnx-testdata";
  }
  for (const auto& [name, reason] : Unsupported()) {
    EXPECT_TRUE(names.contains(name)) << name << " is listed and not there";
  }
}

// What the README promises of the node suite.
TEST(OnnxSuites, AtLeastSixOfSevenNodeCasesAreExpectedToPass) {
  size_t cases = 0, unsupported = 0;
  for (const ConformanceCase& test : Cases()) {
    if (!test.name.starts_with("node/")) continue;
    ++cases;
    unsupported += Unsupported().contains(test.name);
  }
  EXPECT_LE(unsupported * 7, cases);
}

}  // namespace
}  // namespace pleat::tools
