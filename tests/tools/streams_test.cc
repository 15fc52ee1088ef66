// "-" for stdin and stdout, colours and progress, as a shell and a terminal see them.
#include <gtest/gtest.h>

#include "tests/tools/shell.h"
#include "tools/npy.h"
#include "tools/npz.h"

namespace pleat::tools {
namespace {

using runtime::Tensor;

TEST(StreamsTest, NetworksGoThroughPipes) {
  const TempFolder folder;
  const Outcome outcome = Shell(folder, R"(
      $pleat convert $models/digits_mlp/model.onnx -o a.pleat -q
      cat $models/digits_mlp/model.onnx | $pleat convert - -o - > b.pleat
      $pleat convert - -o - < $models/digits_mlp/model.onnx > c.pleat 2> said
      $pleat convert - -o d.pleat --emit-onnx - < $models/digits_mlp/model.onnx -q > folded.onnx
      cmp a.pleat b.pleat; cmp a.pleat c.pleat; cmp a.pleat d.pleat
      grep -q "3 of 3 batch norms folded" said
      cat folded.onnx | $pleat inspect - | grep -q Gemm
      cat b.pleat | $pleat explain - | grep -q "3 folded, 0 kept"
      cat b.pleat | $pleat bench - --min-time 0 | grep -q median
      cat b.pleat | $pleat embed - -o e.o --name net -q
      cat b.pleat | $pleat inspect - --html - | tail -n 1)");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "</body></html>\n");
}

TEST(StreamsTest, TheFileThatIsStdoutStaysIt) {
  const TempFolder folder;
  const Outcome outcome = Shell(folder, R"sh(
      before=$(readlink /dev/stdout)
      $pleat convert $models/digits_mlp/model.onnx -o a.pleat -q
      $pleat convert $models/digits_mlp/model.onnx -o /dev/stdout -q > b.pleat
      $pleat convert $models/digits_mlp/model.onnx -o /dev/stdout -q | cmp - a.pleat
      cmp a.pleat b.pleat
      [ "$before" = "$(readlink /dev/stdout)" ]
      ls /dev | grep stdout.. && exit 1
      ln -s a.pleat link; : > a.pleat
      $pleat convert $models/digits_mlp/model.onnx -o link -q
      [ -L link ]; cmp a.pleat b.pleat
      ln -s nowhere dangling
      if $pleat convert $models/digits_mlp/model.onnx -o dangling -q 2> said; then exit 1; fi
      [ -L dangling ]; [ ! -e nowhere ])sh");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST(StreamsTest, TensorsGoThroughPipes) {
  const TempFolder folder;
  const Outcome outcome = Shell(folder, R"(
      net=$models/digits_cnn/model.onnx picture=$models/digits_cnn/samples/7_0.png
      run="$pleat run $net --mean 0.1307 --std 0.3081"
      $run --input $picture -o a.npy -q
      cat $picture | $run --input - -o - > b.npy 2> table
      cat $picture | $run --input image=- -o c.npz -q
      cmp a.npy b.npy
      grep -q float32 table
      cat $models/digits_cnn/test_data_set_0/input_0.pb | $pleat run $net --input - -o d.npy -q
      cat $net | $pleat run - --input image=$models/digits_cnn/test_data_set_0/input_0.pb -o e.npy -q
      cmp d.npy e.npy)");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto alone = ReadNpy(folder / "a.npy");
  const auto archive = ReadNpz(folder / "c.npz");
  ASSERT_TRUE(alone.ok() && archive.ok()) << archive.status().message();
  ASSERT_EQ(archive->size(), 1u);
  EXPECT_EQ(SerializeNpy((*archive)[0].tensor), SerializeNpy(*alone));
}

TEST(StreamsTest, WrongUseIsTold) {
  const TempFolder folder;
  const std::string network = ModelPath("digits_mlp/model.onnx");
  EXPECT_TRUE(Pleat({"convert", network, "-o", "-", "--json"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"convert", network, "-o", "-", "--report", "-"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"inspect", network, "--html", "-", "--json"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"run", network, "--input", "x.npy", "-o", "y.txt"}).FailedWith(5));
  EXPECT_TRUE(Pleat({"run", network, "--test-data", ModelPath("digits_mlp"), "-o", "y.npy"})
                  .FailedWith(2));
  EXPECT_TRUE(Pleat({"explain", "-"}).FailedWith(3)) << "stdin is empty";
  const Outcome twice = Shell(folder, "cat $models/digits_mlp/model.onnx | "
                                      "$pleat run - --input - -o y.npy");
  EXPECT_TRUE(twice.FailedWith(2));
  EXPECT_NE(twice.err.find("stdin can be read once"), std::string::npos) << twice.err;
  const Outcome full = Shell(folder, "$pleat convert $models/digits_mlp/model.onnx -o - "
                                     "--report r.json -q > /dev/full || { e=$?; test ! -e r.json; exit $e; }");
  EXPECT_EQ(full.code, 5) << full.err;
  EXPECT_EQ(full.out, "") << "the report is taken back";
}

// `script` gives the command a terminal.
TEST(StreamsTest, ColoursAndProgressAreForTerminals) {
  const TempFolder folder;
  if (std::system("command -v script >/dev/null") != 0) GTEST_SKIP() << "needs script";
  const auto typed = [&](const std::string& variables, const std::string& words) {
    const Outcome outcome =
        Shell(folder, "env " + variables + " script -qec \"'$pleat' " + words + "\" typescript");
    return outcome.out;
  };
  const std::string explain = "explain $models/digits_mlp/model.onnx", missing = "explain none.onnx";
  const std::string verify = "convert $models/digits_mlp/model.onnx -o x.pleat --verify";
  EXPECT_NE(typed("-u NO_COLOR TERM=xterm", explain).find("\x1b[32mFOLDED\x1b[0m"),
            std::string::npos);
  EXPECT_NE(typed("-u NO_COLOR TERM=xterm", missing).find("\x1b[31merror:\x1b[0m none.onnx"),
            std::string::npos);
  EXPECT_NE(typed("NO_COLOR= TERM=xterm", explain).find("\x1b["), std::string::npos)
      << "an empty NO_COLOR is none";
  for (const char* variables : {"NO_COLOR=1 TERM=xterm", "-u NO_COLOR TERM=dumb"}) {
    EXPECT_EQ(typed(variables, explain).find('\x1b'), std::string::npos) << variables;
    EXPECT_EQ(typed(variables, missing).find('\x1b'), std::string::npos) << variables;
  }
  EXPECT_NE(typed("NO_COLOR=1 TERM=xterm", verify).find("verifying"), std::string::npos);
  EXPECT_EQ(typed("NO_COLOR=1 TERM=xterm", verify).find("\x1b[3"), std::string::npos);
  EXPECT_EQ(typed("TERM=dumb", verify).find("verifying"), std::string::npos);
  EXPECT_EQ(typed("TERM=xterm", verify + " -q").find("verifying"), std::string::npos);
  EXPECT_EQ(typed("TERM=xterm", "convert $models/digits_mlp/model.onnx -o -").find("\x89PLEAT"),
            std::string::npos)
      << "no binary data on a terminal";
  EXPECT_EQ(Shell(folder, "$pleat " + explain).out.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace pleat::tools
