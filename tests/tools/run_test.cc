#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "kernels/conv.h"
#include "tests/tools/command.h"
#include "tools/npy.h"

namespace pleat::tools {
namespace {

using runtime::Tensor;

std::vector<std::string> WordsOf(const std::string& path) {
  std::istringstream text(ReadText(path));
  return {std::istream_iterator<std::string>(text), {}};
}

// Files as Pleat once wrote them, with ONNX Runtime's answers: whoever changes the format or the
// schema so that these do not load gives the format a new version, and keeps reading this one.
TEST(RunTest, FilesOfEveryFormatVersionGiveTheirAnswers) {
  const std::string written = PLEAT_SOURCE_DIR "/tests/tools/written_files";
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(written)) {
    if (entry.path().extension() != ".pleat") continue;
    ++files;
    const std::string folder = entry.path().parent_path() / "test_data_set_0";
    const Outcome outcome = Pleat({"run", entry.path(), "--test-data", folder});
    EXPECT_EQ(outcome.code, 0) << entry.path() << ": " << outcome.out << outcome.err;
  }
  EXPECT_EQ(files, 2);
}

TEST(RunTest, PredictsTheDigitsThatTorchPredicted) {
  for (const std::string name : {"digits_cnn", "digits_mlp"}) {
    const TempFolder folder;
    const Outcome outcome =
        Pleat({"run", Converted(name), "--input", "image=" + ModelPath(name + "/test_sample.npy"),
               "--output-dir", folder / "out", "--top", "1", "--threads", "2", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const std::vector<std::string> expected = WordsOf(ModelPath(name + "/test_predictions.txt"));
    ASSERT_EQ(expected.size(), 500u);
    const nlohmann::json json = nlohmann::json::parse(ReadText(folder / "out/outputs.json"));
    EXPECT_EQ(json, outcome.Json());
    const nlohmann::json output = json["outputs"][0];
    EXPECT_EQ(output["name"], "logits");
    EXPECT_EQ(output["shape"], nlohmann::json({500, 10}));
    ASSERT_EQ(output["top"].size(), 500u);
    for (size_t i = 0; i < 500; ++i) {
      EXPECT_EQ(output["top"][i][0]["index"], std::stoi(expected[i])) << i;
    }
    const auto written = ReadNpy(folder / ("out/" + output["file"].get<std::string>()));
    ASSERT_TRUE(written.ok());
    EXPECT_EQ(written->shape(), (runtime::Shape{500, 10}));
  }
}

TEST(RunTest, ReadsPicturesWithLabels) {
  const std::string samples = ModelPath("digits_cnn/samples/");
  std::vector<std::string> arguments = {"run",
                                        Converted("digits_cnn"),
                                        "--mean",
                                        "0.1307",
                                        "--std",
                                        "0.3081",
                                        "--top",
                                        "2",
                                        "--json",
                                        "--labels",
                                        ModelPath("digits_cnn/labels.txt")};
  for (const char* digit : {"3", "7"}) {
    arguments.insert(arguments.end(), {"--input", samples + digit + "_0.png"});
  }
  const Outcome outcome = Pleat(arguments);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json top = outcome.Json()["outputs"][0]["top"];
  ASSERT_EQ(top.size(), 2u);
  EXPECT_EQ(top[0].size(), 2u);
  EXPECT_EQ(top[0][0]["index"], 3);
  EXPECT_EQ(top[1][0]["index"], 7);
  const std::vector<std::string> labels = WordsOf(ModelPath("digits_cnn/labels.txt"));
  EXPECT_EQ(top[1][0]["label"], labels[7]);

  std::replace(arguments.begin(), arguments.end(), std::string("--json"), std::string("-q"));
  const std::string second[] = {top[0][1]["label"], top[1][1]["label"]};
  EXPECT_EQ(Pleat(arguments).out,
            labels[3] + " " + second[0] + "\n" + labels[7] + " " + second[1] + "\n");
}

TEST(RunTest, ThreadsAndFormatsGiveTheSameBytes) {
  const std::string input = ModelPath("digits_cnn/test_data_set_0/input_0.pb");
  const TempFolder folder;
  std::vector<std::string> results;
  for (const std::string threads : {"1", "2", "3"}) {
    for (const std::string& file : {Converted("digits_cnn"), ModelPath("digits_cnn/model.onnx")}) {
      ASSERT_EQ(Pleat({"run", file, "--input", input, "--threads", threads, "--output-dir",
                       folder / "out"})
                    .code,
                0);
      results.push_back(ReadText(folder / "out/output_0.npy"));
      EXPECT_FALSE(results.back().empty());
      EXPECT_EQ(results.back(), results.front());
    }
  }
}

TEST(RunTest, TestDataPassesOrSaysWhatWould) {
  for (const std::string name : {"digits_cnn", "digits_mlp"}) {
    const Outcome outcome =
        Pleat({"run", Converted(name), "--test-data", ModelPath(name), "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const nlohmann::json output = outcome.Json()["test_data"][0]["outputs"][0];
    EXPECT_EQ(output["pass"], true);
    EXPECT_LT(output["scaled_error"], 1e-5);
    EXPECT_EQ(output["smallest_bound"], output["scaled_error"]);
  }
  const std::vector<std::string> exact = {"run",         Converted("digits_cnn"),
                                          "--test-data", ModelPath("digits_cnn/test_data_set_0"),
                                          "--atol",      "0"};
  EXPECT_TRUE(Pleat(exact).FailedWith(7));
  std::vector<std::string> json = exact;
  json.push_back("--json");
  const nlohmann::json output = Pleat(json).Json()["test_data"][0]["outputs"][0];
  EXPECT_EQ(output["pass"], false);
  const double atol = output["smallest_atol"];
  EXPECT_GT(atol, 0);
  std::vector<std::string> loose = exact;
  loose.back() = std::to_string(atol * 1.01 + 1e-6);
  EXPECT_EQ(Pleat(loose).code, 0);
}

TEST(RunTest, ReferenceKernelsAgree) {
  EXPECT_EQ(Pleat({"run", Converted("digits_cnn"), "--test-data", ModelPath("digits_cnn"),
                   "--kernels=reference"})
                .code,
            0);
  EXPECT_TRUE(Pleat({"run", Converted("digits_mlp"), "--input",
                     ModelPath("digits_mlp/test_data_set_0/input_0.pb"), "--kernels", "nonsense"})
                  .FailedWith(2));
}

TEST(RunTest, WrongInputsExitWith2AndLeaveNothing) {
  const TempFolder folder;
  const std::string model = Converted("digits_cnn");
  const auto run = [&](const Tensor& tensor) {
    EXPECT_TRUE(WriteNpy(folder / "x.npy", tensor).ok());
    return Pleat({"run", model, "--input", folder / "x.npy", "--output-dir", folder / "out"});
  };
  const Outcome narrow =
      run(Tensor::Make(kernels::ElementType::kFloat32, runtime::Shape{1, 1, 28, 27}));
  EXPECT_TRUE(narrow.FailedWith(2));
  EXPECT_NE(narrow.err.find("image"), std::string::npos);
  EXPECT_NE(narrow.err.find("28,27"), std::string::npos);
  EXPECT_TRUE(run(Tensor::Make(kernels::ElementType::kFloat32, runtime::Shape{784})).FailedWith(2));
  EXPECT_TRUE(run(Tensor::Make(kernels::ElementType::kFloat64, runtime::Shape{1, 1, 28, 28}))
                  .FailedWith(2));
  folder.Write("x.npy", "not numpy");
  EXPECT_TRUE(Pleat({"run", model, "--input", folder / "x.npy"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"run", model, "--input", "picture=" + folder / "x.npy"}).FailedWith(2));
  EXPECT_EQ(folder.Files(), "x.npy");
}

TEST(RunTest, AFolderThatCannotBeMadeExitsWith5) {
  const std::string input = ModelPath("digits_mlp/test_data_set_0/input_0.pb");
  const TempFolder folder;
  folder.Write("file", "");
  for (const std::string& target : {folder / "no/such", folder / "file"}) {
    EXPECT_TRUE(Pleat({"run", Converted("digits_mlp"), "--input", input, "--output-dir", target})
                    .FailedWith(5))
        << target;
  }
  EXPECT_EQ(folder.Files(), "file");
}

TEST(BenchTest, ReportsEveryNumber) {
  const Outcome outcome = Pleat({"bench", Converted("digits_cnn"), "--min-time", "0.05",
                                 "--threads", "2", "--profile", "--explain", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json json = outcome.Json();
  for (const char* key : {"median_ms", "min_ms", "max_ms", "p90_ms", "load_ms", "first_run_ms",
                          "peak_rss_kb", "arena_bytes", "weights_bytes"}) {
    EXPECT_GT(json.value(key, 0.0), 0) << key;
  }
  EXPECT_LE(json["min_ms"], json["median_ms"]);
  EXPECT_LE(json["median_ms"], json["p90_ms"]);
  EXPECT_LE(json["p90_ms"], json["max_ms"]);
  EXPECT_EQ(json["threads"], 2);
  double percent = 0;
  for (const nlohmann::json& step : json["steps"]) {
    EXPECT_FALSE(step["kernel"].get<std::string>().empty());
    EXPECT_TRUE(step["refused"].is_array());
    percent += step["percent"].get<double>();
  }
  EXPECT_NEAR(percent, 100, 0.01);
  const Outcome text = Pleat({"bench", ModelPath("digits_mlp/model.onnx"), "--min-time", "0",
                              "--profile", "--input-shape", "image:3,1,28,28"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("GFLOP/s"), std::string::npos);
  EXPECT_NE(text.out.find("median "), std::string::npos);
}

// The structure of the choice; how good it is, tools/check_choices measures.
TEST(BenchTest, ExplainListsEveryCandidate) {
  std::vector<std::string> of_conv;
  for (const auto& candidate : kernels::ConvCandidates()) of_conv.push_back(candidate.name);
  const nlohmann::json json =
      Pleat({"bench", Converted("digits_cnn"), "--min-time", "0", "--explain", "--json"}).Json();
  size_t convolutions = 0, with_choice = 0, measured_in_all = 0;
  for (const nlohmann::json& step : json["steps"]) {
    std::vector<std::string> names;
    size_t measured = 0;
    std::string chosen;
    for (const nlohmann::json& candidate : step["candidates"]) {
      names.push_back(candidate["name"]);
      if (candidate["chosen"]) chosen += names.back();
      const bool has_time = candidate.contains("ms");
      EXPECT_EQ(has_time + candidate.contains("refused") + candidate.contains("not_measured"), 1)
          << candidate;
      if (has_time) {
        ++measured;
        EXPECT_GT(candidate["min_ms"], 0) << candidate;
        EXPECT_LE(candidate["min_ms"], candidate["ms"]) << candidate;
      } else {
        EXPECT_NE(candidate.value("refused", candidate.value("not_measured", "")), "");
      }
    }
    EXPECT_EQ(chosen, step["kernel"]) << "exactly one is chosen";
    EXPECT_EQ(names.back(), "reference");
    for (const nlohmann::json& refusal : step["refused"]) {
      const std::string text = refusal;
      EXPECT_EQ(std::count(names.begin(), names.end(), text.substr(0, text.find(':'))), 1) << text;
    }
    if (step["op"] == "Conv") {
      ++convolutions;
      EXPECT_EQ(names, of_conv);
      EXPECT_GE(measured, 1u) << step["node"];
    }
    with_choice += measured > 1 ? 1 : 0;
    measured_in_all += measured;
  }
  EXPECT_GE(convolutions, 8u);
  EXPECT_EQ(json["choices"]["steps"], with_choice);
  EXPECT_LE(json["choices"]["within_10_percent"], json["choices"]["steps"]);
  EXPECT_GT(measured_in_all, 2 * with_choice) << "Winograd's beside direct sums and XNNPACK";

  const Outcome text = Pleat({"bench", Converted("digits_cnn"), "--min-time", "0", "--explain"});
  EXPECT_NE(text.out.find("  * depthwise: "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("grouped: refuses, groups of 2, 4 or 8 channels only"),
            std::string::npos);
  EXPECT_NE(text.out.find("chosen within 10 % of the best: "), std::string::npos);
}

constexpr const char* kNonZero =
    "/usr/share/libonnx-testdata/data/node/test_nonzero_example/model.onnx";

TEST(BenchTest, ExactForbidsWinograd) {
  const Outcome outcome = Pleat({"bench", Converted("digits_cnn"), "--exact", "--min-time", "0",
                                 "--profile", "--explain", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::string refusals;
  const nlohmann::json json = outcome.Json();
  for (const nlohmann::json& step : json["steps"]) {
    EXPECT_EQ(step["kernel"].get<std::string>().find("winograd"), std::string::npos);
    refusals += step["refused"].dump();
  }
  EXPECT_NE(refusals.find("own terms"), std::string::npos) << refusals;
}

TEST(BenchTest, ShowsWhatIsLeftToTheRun) {
  const Outcome outcome =
      Pleat({"bench", kNonZero, "--min-time", "0", "--profile", "--explain", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json json = outcome.Json();
  ASSERT_EQ(json["steps"].size(), 1u);
  const nlohmann::json& step = json["steps"][0];
  EXPECT_EQ(step["op"], "NonZero");
  EXPECT_EQ(step["deferred"], true);
  EXPECT_EQ(step["output"][0], 2);
  EXPECT_GT(step["ms"], 0);
  EXPECT_NEAR(step["percent"].get<double>(), 100, 0.01);
  EXPECT_EQ(json["deferred_bytes"], 16 * step["output"][1].get<size_t>());
  const Outcome text = Pleat({"bench", kNonZero, "--min-time", "0", "--profile"});
  EXPECT_NE(text.out.find("1 of 1 nodes are not planned"), std::string::npos) << text.out;

  const TempFolder folder;
  ASSERT_EQ(Pleat({"inspect", kNonZero, "--html", folder / "page.html"}).code, 0);
  EXPECT_NE(ReadText(folder / "page.html").find("<h2>Left to the run</h2>"), std::string::npos);
}

}  // namespace
}  // namespace pleat::tools
