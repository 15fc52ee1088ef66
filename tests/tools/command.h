// The built command, run as a user would.
#ifndef PLEAT_TESTS_TOOLS_COMMAND_H_
#define PLEAT_TESTS_TOOLS_COMMAND_H_

#include <sys/wait.h>

#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/tools/temp_folder.h"

namespace pleat::tools {

struct Outcome {
  int code = -1;
  std::string out, err;

  nlohmann::json Json() const { return nlohmann::json::parse(out, nullptr, false); }
  // Exit code `code` and one line on stderr that says why.
  testing::AssertionResult FailedWith(int expected) const {
    if (code != expected) {
      return testing::AssertionFailure() << "exit code " << code << ", stderr: " << err;
    }
    const bool one_line = err.starts_with("pleat: error: ") && err.find('\n') == err.size() - 1;
    if (!one_line) return testing::AssertionFailure() << "not one line of error: " << err;
    return testing::AssertionSuccess();
  }
};

inline std::string ModelPath(const std::string& name) {
  return std::string(PLEAT_SOURCE_DIR "/models/") + name;
}

inline Outcome Pleat(const std::vector<std::string>& arguments) {
  const TempFolder folder;
  std::string line = "'" PLEAT_BINARY "'";
  for (const std::string& argument : arguments) line += " '" + argument + "'";
  const int status =
      std::system((line + " >" + folder / "out" + " 2>" + folder / "err" + " </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadText(folder / "out"),
          ReadText(folder / "err")};
}

// Conversion of a model of models/, done once per test program.
inline std::string Converted(const std::string& name) {
  static const TempFolder folder;
  const std::string path = folder / (name + ".pleat");
  if (!std::filesystem::exists(path)) {
    const Outcome made = Pleat({"convert", ModelPath(name + "/model.onnx"), "-o", path});
    EXPECT_EQ(made.code, 0) << made.err;
  }
  return path;
}

}  // namespace pleat::tools

#endif  // PLEAT_TESTS_TOOLS_COMMAND_H_
