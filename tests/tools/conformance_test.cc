#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "tests/tools/command.h"
#include "tools/conformance_process.h"

namespace pleat::tools {
namespace {

namespace fs = std::filesystem;

// A copy of models/digits_mlp as a case, its model under another name.
void AddCase(const TempFolder& folder, const std::string& name, const std::string& model) {
  const fs::path to = folder.path() / name;
  fs::create_directories(to);
  fs::copy(ModelPath("digits_mlp/test_data_set_0"), to / "test_data_set_0");
  fs::copy_file(ModelPath("digits_mlp/model.onnx"), to / model);
}

// An ONNX model of one node: RandomNormal of operator set 13, its output and the graph's `y`.
std::string RandomModel() {
  const auto field = [](char number, const std::string& bytes) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
  };
  const std::string node = field(2, "y") + field(4, "RandomNormal");
  const std::string graph = field(1, node) + field(2, "g") + field(12, field(1, "y"));
  return std::string("\x08\x08", 2) + field(7, graph) + field(8, std::string("\x10\x0d", 2));
}

TEST(ConformanceTest, TellsWhatPassedFailedAndIsUnsupported) {
  const TempFolder folder;
  AddCase(folder, "a/right", "model.onnx");
  AddCase(folder, "b/another_name", "digits.onnx");
  AddCase(folder, "b/wrong", "model.onnx");
  fs::copy_file(ModelPath("digits_mlp/test_data_set_0/input_0.pb"),
                folder.path() / "b/wrong/test_data_set_0/output_0.pb",
                fs::copy_options::overwrite_existing);
  AddCase(folder, "c/random", "model.onnx");
  folder.Write("c/random/model.onnx", RandomModel());
  AddCase(folder, "c/broken", "model.onnx");
  folder.Write("c/broken/model.onnx", "no model");
  fs::create_directories(folder.path() / "d/no_case");

  const Outcome outcome = Pleat({"conformance", folder.path().string(), "--json"});
  EXPECT_EQ(outcome.code, 7) << outcome.err;
  const nlohmann::json json = outcome.Json();
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["passed"], 2);
  EXPECT_EQ(json["failed"], 2);
  EXPECT_EQ(json["unsupported"], 1);
  std::string text;
  for (const auto& test : json["cases"]) {
    text += test["name"].get<std::string>() + " " + test["status"].get<std::string>() + "\n";
    EXPECT_EQ(test["reason"].is_null(), test["status"] == "passed") << test;
  }
  EXPECT_EQ(text,
            "a/right passed\nb/another_name passed\nb/wrong failed\nc/broken failed\n"
            "c/random unsupported\n");
  EXPECT_NE(json["cases"][4]["reason"].get<std::string>().find("random"), std::string::npos);
  EXPECT_EQ(json["cases"][4]["operators"], nlohmann::json({"RandomNormal"}));

  const Outcome right = Pleat({"conformance", folder / "a/right"});
  EXPECT_EQ(right.code, 0) << right.err;
  EXPECT_NE(right.out.find("1 passed, 0 failed, 0 unsupported"), std::string::npos) << right.out;
  EXPECT_TRUE(Pleat({"conformance", folder / "d"}).FailedWith(5));
}

TEST(ConformanceTest, ComparesAsOnnxDoes) {
  using runtime::Tensor;
  const Tensor y = Tensor::Vector<float>({1, 1000});
  EXPECT_TRUE(Compare(Tensor::Vector<float>({1.0009f, 1000.9f}), y, kOnnxTolerance).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({1.0011f, 1000}), y, kOnnxTolerance).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<double>({1, 1000}), y, kOnnxTolerance).pass);
  const Tensor coarse = runtime::Cast(y, runtime::ElementType::kBFloat16);
  const Tensor near =
      runtime::Cast(Tensor::Vector<float>({1.015625f, 1000}), runtime::ElementType::kBFloat16);
  const Tensor far =
      runtime::Cast(Tensor::Vector<float>({1.0234375f, 1000}), runtime::ElementType::kBFloat16);
  EXPECT_TRUE(Compare(near, coarse, kOnnxTolerance).pass);
  EXPECT_FALSE(Compare(far, coarse, kOnnxTolerance).pass);
  const Tensor spectrum = Tensor::Vector<float>({54, 1.9e-7f});
  Tolerance transform = kOnnxTolerance;
  transform.noise = std::ldexp(1, -24);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({54, 0}), spectrum, kOnnxTolerance).pass);
  EXPECT_TRUE(Compare(Tensor::Vector<float>({54, 0}), spectrum, transform).pass);
  EXPECT_FALSE(Compare(Tensor::Vector<float>({54, 4e-6f}), spectrum, transform).pass);
}

TEST(ConformanceTest, ACaseThatCrashesThrowsOrHangsIsAFailureAndTheOthersRun) {
  std::vector<std::string> reasons(6, "not run");
  const auto run = [](size_t i) -> CaseResult {
    if (i == 1) std::raise(SIGKILL);
    if (i == 2) std::_Exit(70);
    if (i == 3) throw std::runtime_error("no luck");
    if (i == 4) std::this_thread::sleep_for(std::chrono::seconds(60));
    return {CaseStatus::kPassed, "", {"Op"}};
  };
  const runtime::Status status = RunIsolated(6, 1.0, run, [&](size_t i, CaseResult result) {
    EXPECT_EQ(result.status == CaseStatus::kPassed, i == 0 || i == 5) << i;
    reasons[i] = result.reason;
  });
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(reasons[0], "");
  EXPECT_EQ(reasons[1], "crashed: Killed");
  EXPECT_EQ(reasons[2], "ended the process with exit code 70");
  EXPECT_EQ(reasons[3], "threw no luck");
  EXPECT_EQ(reasons[4], "not done after 1 s");
  EXPECT_EQ(reasons[5], "");
}

}  // namespace
}  // namespace pleat::tools
