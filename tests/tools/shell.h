// Scripts around the built command.
#ifndef PLEAT_TESTS_TOOLS_SHELL_H_
#define PLEAT_TESTS_TOOLS_SHELL_H_

#include <string>

#include "tests/tools/command.h"

namespace pleat::tools {

// Runs a script in `folder`; the command is $pleat, its directory of networks $models.
inline Outcome Shell(const TempFolder& folder, const std::string& script) {
  folder.Write("script", "set -euo pipefail; cd '" + folder.path().string() +
                             "'; pleat='" PLEAT_BINARY "'; models='" PLEAT_SOURCE_DIR
                             "/models'\n" + script);
  const int status = std::system(("bash '" + folder / "script" + "' >'" + folder / "stdout" + "' 2>'" +
                                  folder / "stderr" + "' </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, ReadText(folder / "stdout"),
          ReadText(folder / "stderr")};
}

}  // namespace pleat::tools

#endif  // PLEAT_TESTS_TOOLS_SHELL_H_
