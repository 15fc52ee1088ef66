#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tools/command.h"

namespace pleat::tools {
namespace {

const std::string kCnn = ModelPath("digits_cnn/model.onnx");

TEST(ConvertTest, ReportsEveryBatchNorm) {
  const TempFolder folder;
  const Outcome outcome = Pleat({"convert", kCnn, "-o", folder / "cnn.pleat", "--report",
                                 folder / "report.json", "--verify", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(folder.Files(), "cnn.pleat report.json");
  const nlohmann::json report = nlohmann::json::parse(ReadText(folder / "report.json"));
  EXPECT_EQ(report["version"], 1);
  ASSERT_EQ(report["batch_norms"].size(), 9u);
  size_t folded = 0;
  for (const nlohmann::json& norm : report["batch_norms"]) {
    EXPECT_TRUE(norm["node"].is_string());
    folded += norm["status"] == "FOLDED";
    EXPECT_TRUE(norm[norm["status"] == "FOLDED" ? "kind" : "reason"].is_string()) << norm;
  }
  EXPECT_GT(folded, 4u);
  EXPECT_EQ(report["summary"]["total"], 9);
  EXPECT_EQ(report["summary"]["folded"], folded);
  EXPECT_EQ(report["summary"]["kept"], 9 - folded);

  const nlohmann::json json = outcome.Json();
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["verify"]["pass"], true);
  EXPECT_EQ(json["bytes"], std::filesystem::file_size(folder / "cnn.pleat"));
  EXPECT_LT(json["nodes_after"], json["nodes_before"]);

  for (const std::string& file : {kCnn, folder / "cnn.pleat"}) {
    const nlohmann::json explained = Pleat({"explain", file, "--json"}).Json();
    EXPECT_EQ(explained["summary"], report["summary"]);
    ASSERT_EQ(explained["batch_norms"].size(), 9u);
    for (size_t i = 0; i < 9; ++i) {
      for (const auto& [key, value] : explained["batch_norms"][i].items()) {
        EXPECT_EQ(report["batch_norms"][i][key], value) << key;
      }
    }
  }
  EXPECT_NE(Pleat({"explain", kCnn}).out.find("9 batch norms: "), std::string::npos);
}

TEST(ConvertTest, TheCertificateHoldsEachFoldAgainstItsBound) {
  const TempFolder folder;
  const Outcome outcome = Pleat(
      {"convert", kCnn, "-o", folder / "cnn.pleat", "--report", folder / "report.json", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(ReadText(folder / "report.json"));
  EXPECT_EQ(report["not_measured"], nullptr);
  EXPECT_EQ(report["source"]["bytes"], std::filesystem::file_size(kCnn));
  EXPECT_EQ(report["result"]["bytes"], std::filesystem::file_size(folder / "cnn.pleat"));
  EXPECT_EQ(report["source"]["xxh3"].get<std::string>().size(), 16u);
  EXPECT_NE(report["source"]["xxh3"], report["result"]["xxh3"]);
  for (const nlohmann::json& norm : report["batch_norms"]) {
    ASSERT_TRUE(norm["measured_error"].is_number()) << norm;
    EXPECT_GT(norm["measured_error"], 0) << norm;
    EXPECT_LE(norm["measured_error"], norm["rounding_bound"]) << norm;
    EXPECT_LT(norm["rounding_bound"], 1e-2) << norm;
    EXPECT_LE(norm["scale_min"], norm["scale_max"]) << norm;
    EXPECT_GT(norm["smallest_variance"], 0) << norm;
    EXPECT_GE(norm["worst_channel"], 0) << norm;
    EXPECT_TRUE(norm["formula"].is_string()) << norm;
  }
}

// Protocol Buffers: a number, and bytes, text or messages behind their length.
std::string Number(int field, char value) { return {static_cast<char>(field * 8), value}; }
std::string Part(int field, const std::string& bytes) {
  std::string length;
  size_t rest = bytes.size();
  for (; rest > 127; rest /= 128) length += static_cast<char>(128 + rest % 128);
  return static_cast<char>(field * 8 + 2) + length + static_cast<char>(rest) + bytes;
}
std::string Step(const std::string& op, const std::vector<std::string>& inputs,
                 const std::string& output) {
  std::string node = Part(2, output) + Part(3, output + "_step") + Part(4, op);
  for (const std::string& input : inputs) node += Part(1, input);
  return Part(1, node);
}
std::string Floats(const std::string& name, const std::string& dims, std::vector<float> numbers) {
  std::string tensor = Number(2, 1) + Part(8, name);
  for (const char size : dims) tensor += Number(1, size);
  const std::string raw(reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4);
  return Part(5, tensor + Part(9, raw));
}
std::string Image(int field, const std::string& name, const std::string& dims) {
  std::string shape;
  for (const char size : dims) shape += Part(1, Number(1, size));
  return Part(field, Part(1, name) + Part(2, Part(1, Number(1, 1) + Part(2, shape))));
}

// Caffe's BatchNorm and Scale before a Conv, its variance behind an Identity.
TEST(ConvertTest, TheCertificateMeasuresAPrologueOfSeveralSteps) {
  const TempFolder folder;
  const std::string graph =
      Part(2, "scaled") + Image(11, "x", "\1\2\3\3") + Image(12, "y", "\1\2\3\3") +
      Floats("g", "\2", {0.3f, 0.7f}) + Floats("b", "\2", {0.1f, -0.2f}) +
      Floats("m", "\2", {0.4f, 0.2f}) + Floats("stored", "\2", {0.5f, 0.25f}) +
      Floats("s", "\2\1\1", {1.1f, -0.9f}) + Floats("w", "\2\2\1\1", {0.3f, 0.1f, 0.7f, -0.6f}) +
      Step("Identity", {"stored"}, "v") + Step("Abs", {"x"}, "p") +
      Step("BatchNormalization", {"p", "g", "b", "m", "v"}, "n") + Step("Mul", {"n", "s"}, "q") +
      Step("Add", {"q", "s"}, "r") + Step("Relu", {"r"}, "z") + Step("Conv", {"z", "w"}, "y");
  const std::string path = folder.Write(
      "net.onnx", Number(1, 7) + Part(7, graph) + Part(8, Part(1, "") + Number(2, 13)));
  const Outcome outcome = Pleat({"convert", path, "-o", folder / "net.pleat", "--report",
                                 folder / "report.json", "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json report = nlohmann::json::parse(ReadText(folder / "report.json"));
  const nlohmann::json& norm = report["batch_norms"][0];
  EXPECT_EQ(norm["kind"], "prologue") << norm;
  EXPECT_EQ(norm["smallest_variance"], 0.25) << norm;
  ASSERT_TRUE(norm["measured_error"].is_number()) << norm;
  EXPECT_GT(norm["measured_error"], 0) << norm;
  EXPECT_LE(norm["measured_error"], norm["rounding_bound"]) << norm;
}

TEST(ConvertTest, TheCertificateIsAlsoAPage) {
  const TempFolder folder;
  const Outcome outcome =
      Pleat({"convert", kCnn, "-o", folder / "cnn.pleat", "--report", folder / "report.html"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string page = ReadText(folder / "report.html");
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>")) << page.substr(0, 80);
  EXPECT_EQ(page.find("http"), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_NE(page.find("<h1>" + kCnn + ": 9 batch norms"), std::string::npos);
  const nlohmann::json norms = Pleat({"explain", kCnn, "--json"}).Json();
  size_t pictures = 0;
  for (size_t at = page.find("<svg"); at != std::string::npos; at = page.find("<svg", at + 1)) {
    ++pictures;
  }
  EXPECT_EQ(pictures, norms["summary"]["kept"]);
  for (const nlohmann::json& norm : norms["batch_norms"]) {
    EXPECT_NE(page.find(norm["node"].get<std::string>()), std::string::npos) << norm;
  }
}

TEST(ConvertTest, TheReadmeShowsWhatExplainPrints) {
  const Outcome outcome = Pleat({"explain", ModelPath("digits_mlp/model.onnx")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string readme = ReadText(std::string(PLEAT_SOURCE_DIR) + "/README.md");
  EXPECT_NE(readme.find("```\n" + outcome.out + "```\n"), std::string::npos) << outcome.out;
}

TEST(ConvertTest, TheSameBytesEveryTime) {
  const TempFolder folder;
  ASSERT_EQ(Pleat({"convert", kCnn, "-o", folder / "again.pleat"}).code, 0);
  EXPECT_EQ(ReadText(folder / "again.pleat"), ReadText(Converted("digits_cnn")));
}

TEST(ConvertTest, NothingFoldsWhenToldNotTo) {
  const TempFolder folder;
  ASSERT_EQ(Pleat({"convert", kCnn, "-o", folder / "plain.pleat", "--no-fold", "--verify"}).code,
            0);
  EXPECT_EQ(Pleat({"explain", folder / "plain.pleat", "--json"}).Json()["summary"]["folded"], 0);
}

TEST(ConvertTest, HalfWeightsAreHalfAsLongAndHeldAgainstTheirBound) {
  const TempFolder folder;
  const std::string mlp = ModelPath("digits_mlp/model.onnx"), out = folder / "half.pleat";
  const Outcome outcome = Pleat({"convert", mlp, "-o", out, "--half-weights", "--verify", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const nlohmann::json json = outcome.Json();
  EXPECT_EQ(json["half_weights"]["products"], 4);
  EXPECT_EQ(json["half_weights"]["float16"], 3) << "the last has 10 columns";
  const nlohmann::json& output = json["verify"]["outputs"][0];
  EXPECT_EQ(output["bound"], 2e-3);
  EXPECT_GT(output["scaled_error"], 1e-6) << "nothing was rounded";
  EXPECT_LT(ReadText(out).size(), ReadText(Converted("digits_mlp")).size() * 6 / 10);
  EXPECT_TRUE(Pleat({"verify", mlp, out, "--bound", "1e-6"}).FailedWith(7));
  EXPECT_EQ(Pleat({"verify", mlp, out, "--bound", "2e-3"}).code, 0);
  EXPECT_TRUE(
      Pleat({"convert", mlp, "--emit-onnx", folder / "n.onnx", "--half-weights"}).FailedWith(2));
  const Outcome both = Pleat({"convert", mlp, "-o", out, "--emit-onnx", folder / "n.onnx",
                              "--half-weights", "--verify", "--json"});
  ASSERT_EQ(both.code, 0) << both.err;
  EXPECT_EQ(both.Json()["verify_onnx"]["outputs"][0]["bound"], 1e-4);
}

TEST(ConvertTest, MoreThanTheLimitsAllowExitsWith6) {
  const TempFolder folder;
  const std::string out = folder / "net.pleat", bytes = std::to_string(ReadText(kCnn).size());
  const std::string fewer = std::to_string(ReadText(kCnn).size() - 1);
  EXPECT_TRUE(Pleat({"convert", kCnn, "-o", out, "--max-file-bytes", fewer}).FailedWith(6));
  EXPECT_TRUE(Pleat({"convert", kCnn, "-o", out, "--max-nodes", "3"}).FailedWith(6));
  EXPECT_TRUE(Pleat({"convert", kCnn, "-o", out, "--max-nodes", "0"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", kCnn, "-o", out, "--max-memory-bytes", bytes}).FailedWith(6));
  EXPECT_EQ(folder.Files(), "");
  EXPECT_EQ(Pleat({"convert", kCnn, "-o", out, "--max-file-bytes", bytes}).code, 0);
  EXPECT_EQ(Pleat({"convert", kCnn, "-o", out, "--max-memory-bytes", "4000000"}).code, 0);
}

TEST(ConvertTest, TheInputIsNotOverwritten) {
  const TempFolder folder;
  const std::string bytes = ReadText(kCnn);
  const std::string path = folder.Write("net.onnx", bytes);
  EXPECT_TRUE(Pleat({"convert", path, "-o", path}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", path, "-o", folder / "./net.onnx"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", path, "-o", folder / "a.pleat", "--report", path}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", path, "-o", folder / "a.pleat", "--report", folder / "a.pleat"})
                  .FailedWith(2));
  EXPECT_EQ(ReadText(path), bytes);
  EXPECT_EQ(folder.Files(), "net.onnx");
}

TEST(ConvertTest, APlaceThatCannotBeWrittenExitsWith5) {
  const TempFolder folder;
  folder.Write("file", "");
  std::filesystem::create_directory(folder.path() / "folder");
  for (const std::string& target : {folder / "no/such/net.pleat", folder / "file/net.pleat",
                                    folder / "folder", std::string("/proc/self/net.pleat")}) {
    EXPECT_TRUE(Pleat({"convert", kCnn, "-o", target}).FailedWith(5)) << target;
    EXPECT_TRUE(
        Pleat({"convert", kCnn, "-o", folder / "net.pleat", "--report", target}).FailedWith(5))
        << target;
    EXPECT_TRUE(
        Pleat({"convert", kCnn, "-o", target, "--report", folder / "report.json"}).FailedWith(5))
        << target;
    EXPECT_EQ(folder.Files(), "file folder") << target;
  }
  if (geteuid() == 0) return;
  chmod((folder / "folder").c_str(), 0555);
  EXPECT_TRUE(Pleat({"convert", kCnn, "-o", folder / "folder/net.pleat"}).FailedWith(5));
}

TEST(ConvertTest, AnOldReportSurvivesAFailure) {
  const TempFolder folder;
  const std::string report = folder.Write("report.json", "old");
  EXPECT_TRUE(
      Pleat({"convert", kCnn, "-o", "/proc/self/net.pleat", "--report", report}).FailedWith(5));
  EXPECT_EQ(ReadText(report), "old");
}

TEST(ConvertTest, FoldsIntoOnnx) {
  const TempFolder folder;
  EXPECT_TRUE(Pleat({"convert", kCnn}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", kCnn, "--emit-onnx", kCnn}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", kCnn, "--emit-onnx", folder / "no/such.onnx"}).FailedWith(5));
  const Outcome outcome =
      Pleat({"convert", kCnn, "--emit-onnx", folder / "folded.onnx", "--verify", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.Json()["verify"]["pass"], true);
  EXPECT_EQ(folder.Files(), "folded.onnx");
  const nlohmann::json source = Pleat({"explain", kCnn, "--json"}).Json()["summary"];
  const nlohmann::json folded =
      Pleat({"explain", folder / "folded.onnx", "--json"}).Json()["summary"];
  EXPECT_EQ(folded["folded"], 0);
  EXPECT_EQ(folded["kept"], source["kept"]);
}

TEST(ConvertTest, PassesRunAloneAndErrorsNameThem) {
  const TempFolder folder;
  const Outcome alone = Pleat({"convert", kCnn, "-o", folder / "a.pleat", "--only-pass",
                               "fold_backward", "--verify", "--json"});
  ASSERT_EQ(alone.code, 0) << alone.err;
  EXPECT_GT(alone.Json()["batch_norms"]["folded"], 0);
  const Outcome wrong =
      Pleat({"convert", kCnn, "-o", folder / "b.pleat", "--stop-after", "fold_backwards"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("did you mean 'fold_backward'?"), std::string::npos) << wrong.err;
  EXPECT_EQ(Pleat({"explain", kCnn, "--bn-training", "sometimes"}).code, 2);
  const Outcome kept = Pleat({"convert", kCnn, "-o", folder / "c.pleat", "--no-fold"});
  EXPECT_EQ(kept.code, 0) << kept.err;
  EXPECT_NE(Pleat({"explain", folder / "c.pleat"}).out.find("To fold FOLDING_OFF: convert without"),
            std::string::npos);
}

TEST(ConvertTest, StagesCanBeSeen) {
  const TempFolder folder;
  const Outcome outcome = Pleat({"convert", kCnn, "-o", folder / "net.pleat", "--dump", "-v"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("== import\ngraph "), std::string::npos);
  EXPECT_EQ(outcome.out.find("graph "), std::string::npos);
  EXPECT_NE(Pleat({"convert", kCnn, "-o", folder / "x.pleat", "--stop-after", "nonsense"}).code, 0);
  EXPECT_EQ(folder.Files(), "net.pleat");
}

TEST(ConvertTest, InspectShowsBothForms) {
  const nlohmann::json onnx = Pleat({"inspect", kCnn, "--json"}).Json();
  EXPECT_EQ(onnx["format"], "onnx");
  EXPECT_EQ(onnx["inputs"][0]["name"], "image");
  EXPECT_EQ(onnx["inputs"][0]["shape"], nlohmann::json({"batch", 1, 28, 28}));
  EXPECT_EQ(onnx["ops"]["ScaleShift"], 9);
  const nlohmann::json pleat = Pleat({"inspect", Converted("digits_cnn"), "--json"}).Json();
  EXPECT_EQ(pleat["format"], "pleat");
  EXPECT_EQ(pleat["outputs"][0]["name"], "logits");
  EXPECT_EQ(pleat["batch_norms"]["total"], 9);
  EXPECT_GT(pleat["weights_bytes"], 400'000);
  const std::string text = Pleat({"inspect", Converted("digits_cnn")}).out;
  EXPECT_NE(text.find("float32[batch,1,28,28]"), std::string::npos) << text;
}

}  // namespace
}  // namespace pleat::tools
