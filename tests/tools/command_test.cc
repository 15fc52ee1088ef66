#include "tests/tools/command.h"

#include <gtest/gtest.h>

namespace pleat::tools {
namespace {

const std::vector<std::string> kVerbs = {"convert", "explain",     "inspect",   "run",       "verify",
                                         "bench",   "conformance", "operators", "statistics"};

// The verb on a file that it reads.
std::vector<std::string> On(const std::string& verb, const std::string& file,
                            const TempFolder& folder) {
  if (verb == "convert") return {verb, file, "-o", folder / "new.pleat"};
  if (verb == "run") return {verb, file, "--test-data", ModelPath("digits_mlp")};
  if (verb == "verify") return {verb, file, file};
  if (verb == "statistics") return {verb, file, "--input", folder / "none.npy"};
  return {verb, file};
}

TEST(CommandTest, WrongUseExitsWith2) {
  const Outcome bare = Pleat({});
  EXPECT_EQ(bare.code, 2);
  EXPECT_NE((bare.out + bare.err).find("Usage: pleat"), std::string::npos);
  EXPECT_TRUE(Pleat({"frobnicate"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"inspect"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"inspect", "a", "--no-such-flag"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"bench", "a", "--threads", "0"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"run", ModelPath("digits_mlp/model.onnx")}).FailedWith(2));
  EXPECT_TRUE(Pleat({"bench", ModelPath("digits_mlp/model.onnx"), "--input-shape", "image:x"})
                  .FailedWith(2));
}

TEST(CommandTest, EveryVerbHasHelpWithExamples) {
  for (const std::string& verb : kVerbs) {
    const Outcome help = Pleat({verb, "--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_NE(help.out.find("  pleat " + verb), std::string::npos) << verb;
    EXPECT_NE(help.out.find("--json"), std::string::npos) << verb;
  }
  EXPECT_EQ(Pleat({"--version"}).code, 0);
  EXPECT_TRUE(Pleat({"--version"}).out.starts_with("pleat "));
}

TEST(CommandTest, MissingFilesExitWith5) {
  const TempFolder folder;
  for (const std::string& verb : kVerbs) {
    if (verb == "operators") continue;
    EXPECT_TRUE(Pleat(On(verb, folder / "none.onnx", folder)).FailedWith(5)) << verb;
    EXPECT_TRUE(Pleat(On(verb, folder.path().string(), folder)).FailedWith(5)) << verb;
  }
  EXPECT_TRUE(Pleat({"run", Converted("digits_mlp"), "--input", folder / "x.npy"}).FailedWith(5));
  EXPECT_TRUE(Pleat({"run", Converted("digits_mlp"), "--test-data", folder / "x"}).FailedWith(5));
  EXPECT_EQ(folder.Files(), "");
}

TEST(CommandTest, ErrorsAreJsonToo) {
  const Outcome outcome = Pleat({"inspect", "no/such.pleat", "--json"});
  EXPECT_TRUE(outcome.FailedWith(5));
  EXPECT_EQ(outcome.Json()["version"], 1);
  EXPECT_EQ(outcome.Json()["error"]["rule"], "IO");
  EXPECT_EQ(outcome.Json()["error"]["exit_code"], 5);
}

TEST(CommandTest, DamagedFilesExitWith3) {
  const TempFolder folder;
  for (const std::string& from : {Converted("digits_mlp"), ModelPath("digits_mlp/model.onnx")}) {
    const std::string whole = ReadText(from);
    const std::string extension = std::filesystem::path(from).extension();
    for (const size_t length : {size_t{1}, size_t{70}, whole.size() / 2, whole.size() - 1}) {
      const std::string cut = folder.Write("cut" + extension, whole.substr(0, length));
      for (const std::string& verb : kVerbs) {
        if (verb == "operators" || verb == "conformance") continue;
        if (verb == "convert" && extension == ".pleat") continue;
        EXPECT_TRUE(Pleat(On(verb, cut, folder)).FailedWith(3)) << verb << " " << length;
      }
      EXPECT_EQ(folder.Files(), "cut" + extension);
      std::filesystem::remove(cut);
    }
  }
  std::string flipped = ReadText(Converted("digits_mlp"));
  flipped[flipped.size() - 100] ^= 1;
  EXPECT_TRUE(Pleat({"inspect", folder.Write("flipped.pleat", flipped)}).FailedWith(3));
}

TEST(CommandTest, UnknownOperatorsAreAllListedAndExitWith4) {
  const TempFolder folder;
  std::string model = ReadText(ModelPath("digits_cnn/model.onnx"));
  for (const auto& [known, unknown] : {std::pair<std::string, std::string>{"MaxPool", "MaxPoom"},
                                       std::pair<std::string, std::string>{"Gemm", "Gemn"}}) {
    const size_t at = model.find("\"" + std::string(1, static_cast<char>(known.size())) + known);
    ASSERT_NE(at, std::string::npos) << "op_type is field 4 of NodeProto, a string";
    model.replace(at + 2, unknown.size(), unknown);
  }
  const std::string path = folder.Write("unknown.onnx", model);
  const Outcome outcome =
      Pleat({"convert", path, "-o", folder / "out.pleat", "--report", folder / "report.json"});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_TRUE(outcome.err.starts_with("pleat: error: "));
  EXPECT_NE(outcome.err.find("MaxPoom"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("Gemn"), std::string::npos) << outcome.err;
  EXPECT_EQ(folder.Files(), "unknown.onnx");
}

TEST(CommandTest, NamesInAModelCannotDriveTheTerminal) {
  const TempFolder folder;
  std::string model = ReadText(ModelPath("digits_mlp/model.onnx"));
  const size_t at = model.find("\x04Gemm");
  ASSERT_NE(at, std::string::npos);
  model.replace(at + 1, 4, "\x1b[2J");
  const Outcome outcome = Pleat({"inspect", folder.Write("escape.onnx", model)});
  EXPECT_TRUE(outcome.FailedWith(4));
  EXPECT_EQ((outcome.out + outcome.err).find('\x1b'), std::string::npos);
  EXPECT_NE(outcome.err.find("\\x1b[2J"), std::string::npos) << outcome.err;
}

TEST(CommandTest, AFullDiskIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP();
  for (const char* flags : {"", " --json"}) {
    const std::string line = "'" PLEAT_BINARY "' inspect '" + ModelPath("digits_cnn/model.onnx") +
                             "'" + flags + " >/dev/full 2>/dev/null";
    EXPECT_EQ(WEXITSTATUS(std::system(line.c_str())), 5) << flags;
  }
}

TEST(CommandTest, MistypedNamesAreGuessed) {
  const auto error = [](const std::vector<std::string>& words) {
    const Outcome outcome = Pleat(words);
    EXPECT_TRUE(outcome.FailedWith(2));
    return outcome.err.substr(std::string("pleat: error: ").size());
  };
  const std::string network = ModelPath("digits_mlp/model.onnx");
  EXPECT_EQ(error({"conver", network}), "there is no verb 'conver'; did you mean 'convert'?\n");
  EXPECT_NE(error({"xyzzy"}).find("'xyzzy'; there are: convert, "), std::string::npos);
  EXPECT_EQ(error({"bench", network, "--treads", "2"}),
            "'bench' has no option '--treads'; did you mean '--threads'?\n");
  EXPECT_EQ(error({"bench", network, "--xyzzy=2"}), "'bench' has no option '--xyzzy'\n");
  EXPECT_NE(error({"run", network, "--input", "imgae=x.npy"}).find("did you mean 'image'?"),
            std::string::npos);
  const Outcome none = Pleat({});
  EXPECT_EQ(none.code, 2);
  EXPECT_NE(none.err.find("Subcommands:"), std::string::npos);
}

TEST(CommandTest, OperatorsAreListed) {
  const Outcome json = Pleat({"operators", "--json"});
  ASSERT_EQ(json.code, 0);
  const nlohmann::json operators = json.Json()["operators"];
  EXPECT_GT(operators.size(), 40u);
  for (size_t i = 1; i < operators.size(); ++i) {
    EXPECT_LT(operators[i - 1]["name"], operators[i]["name"]);
  }
  const std::string table = Pleat({"operators", "--markdown"}).out;
  EXPECT_NE(table.find("BatchNormalization"), std::string::npos);
  EXPECT_TRUE(table.starts_with("| "));
  EXPECT_NE(ReadText(PLEAT_SOURCE_DIR "/README.md").find("-->\n" + table + "<!--"),
            std::string::npos)
      << "put what `pleat operators --markdown` prints between the README's markers";
  EXPECT_EQ(ReadText(PLEAT_SOURCE_DIR "/converter/import/OPERATORS.md"),
            Pleat({"operators", "--table"}).out)
      << "put what `pleat operators --table` prints into converter/import/OPERATORS.md";
}

// Statistics of one picture are not those of training; once they are stored they are its own.
TEST(CommandTest, StatisticsAreComparedAndWrittenAnew) {
  const TempFolder folder;
  const std::string trained = ModelPath("digits_cnn/model.onnx"), repaired = folder / "new.onnx";
  const std::string many = ModelPath("digits_cnn/test_data_set_0/input_0.pb");
  const std::string one = ModelPath("digits_cnn/samples/7_0.png");
  const auto off = [](const Outcome& outcome) {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    std::string text;
    const auto json = outcome.Json();
    for (const auto& norm : json["batch_norms"]) text += norm["off"] ? "1" : "0";
    return text;
  };
  EXPECT_EQ(off(Pleat({"statistics", trained, "--input", many, "--json"})), "000000000");
  const std::string before =
      off(Pleat({"statistics", trained, "--input", one, "-o", repaired, "--json"}));
  EXPECT_NE(before.find('1'), std::string::npos) << before;
  EXPECT_EQ(off(Pleat({"statistics", repaired, "--input", one, "--json"})), "000000000");
  const Outcome text = Pleat({"statistics", repaired, "--input", one});
  EXPECT_NE(text.out.find("0 of 9 batch norms are off"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("more data says more"), std::string::npos) << text.out;
  EXPECT_EQ(Pleat({"explain", repaired}).code, 0);
  EXPECT_TRUE(Pleat({"statistics", trained}).FailedWith(2));
  EXPECT_TRUE(Pleat({"statistics", trained, "--input", one, "-o", trained}).FailedWith(2));
}

}  // namespace
}  // namespace pleat::tools
