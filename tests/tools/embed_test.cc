// `pleat embed`: what it writes is linked by a compiler and holds the file's bytes.
#include <gtest/gtest.h>

#include "tests/tools/command.h"
#include "tools/object_file.h"

namespace pleat::tools {
namespace {

// Compiles a program that writes the array to stdout; its output.
std::string BytesInProgram(const TempFolder& folder, const std::string& part,
                           const std::string& name) {
  const std::string text =
      "#include <stdio.h>\n"
      "#include \"net.h\"\n"
      "int main(void) {\n"
      "  if ((uintptr_t)ARRAY % 64 != 0) return 1;\n"
      "  return fwrite(ARRAY, 1, SIZE, stdout) == SIZE ? 0 : 1;\n"
      "}\n";
  const std::string program = folder / "program", bytes = folder / "bytes";
  const std::string build = "cc -DARRAY=" + name + " -DSIZE=" + name + "_size -I'" + folder / "" +
                            "' '" + folder.Write("main.c", text) + "' '" + part + "' -o '" +
                            program + "' -Wl,--fatal-warnings";
  if (std::system(build.c_str()) != 0) return "does not build";
  if (std::system(("'" + program + "' >'" + bytes + "'").c_str()) != 0) return "fails";
  return ReadText(folder / "bytes");
}

TEST(Embed, ObjectsAndSourcesHoldTheFile) {
  const std::string model = Converted("digits_mlp");
  for (const char* file : {"net.o", "net.c"}) {
    const TempFolder folder;
    const Outcome outcome =
        Pleat({"embed", model, "-o", folder / file, "--name", "network", "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.Json()["name"], "network");
    EXPECT_EQ(BytesInProgram(folder, folder / file, "network"), ReadText(model)) << file;
  }
}

TEST(Embed, RefusesWithoutLeavingAnything) {
  const TempFolder folder;
  const std::string model = Converted("digits_mlp");
  EXPECT_TRUE(Pleat({"embed", model, "-o", folder / "net.obj"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"embed", model, "-o", folder / "net.o", "--name", "1x"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"embed", model, "-o", folder / "net.o", "--machine", "m68k"}).FailedWith(2));
  EXPECT_TRUE(Pleat({"embed", folder / "absent", "-o", folder / "net.o"}).FailedWith(5));
  EXPECT_TRUE(
      Pleat({"embed", ModelPath("digits_mlp/model.onnx"), "-o", folder / "net.o"}).FailedWith(3));
  EXPECT_EQ(folder.Files(), "");
}

}  // namespace
}  // namespace pleat::tools
