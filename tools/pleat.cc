// The command: parses, runs the verb, turns its Status into one line and an exit code.
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

#include "tools/console.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using runtime::Status;
using runtime::StatusCode;

// A system without memory is a limit to the caller of a command.
int ExitCode(StatusCode code) {
  return static_cast<int>(code == StatusCode::kOutOfMemory ? StatusCode::kLimitExceeded : code);
}

// Line breaks stay: the list of what is unsupported has a line for each.
std::string Lines(const std::string& message) {
  std::string text;
  for (size_t begin = 0; begin <= message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    text += Printable(message.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return text;
}

int Exit(const Status& status, bool json) {
  if (status.ok()) return 0;
  fmt::print(stderr, "pleat: error: {}", Lines(status.message()));
  if (json && status.code() != StatusCode::kVerificationFailed) {
    PrintJson({{"version", 1},
               {"error",
                {{"rule", status.rule()},
                 {"exit_code", ExitCode(status.code())},
                 {"message", status.message()}}}});
  }
  return ExitCode(status.code());
}

Status RunVerb(const Command& command) {
  Status status = command.run();
  if (std::fflush(stdout) != 0 && status.ok()) status = runtime::IoError("cannot write to stdout");
  return status;
}

int Main(int argc, char** argv) {
  // A failed check of our own has said what is wrong and aborts.
  std::signal(SIGABRT, [](int) { std::_Exit(static_cast<int>(StatusCode::kInternal)); });
  CLI::App app("Converts trained ONNX networks, their batch norms folded away, and runs them.",
               "pleat");
  app.set_version_flag("--version", "pleat " PLEAT_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 ok, 2 usage, 3 invalid model, 4 unsupported, 5 input or output, 6 limit,\n"
      "7 verification failed, 70 internal error. `pleat VERB --help` says more.");
  Command command;
  AddConvert(app, command);
  AddEmbed(app, command);
  AddExplain(app, command);
  AddInspect(app, command);
  AddRun(app, command);
  AddVerify(app, command);
  AddBench(app, command);
  AddConformance(app, command);
  AddOperators(app, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return Exit(runtime::InvalidArgument(error.what()), command.json);
  }
  try {
    return Exit(RunVerb(command), command.json);
  } catch (const std::bad_alloc&) {
    return Exit(runtime::LimitExceeded("out of memory"), command.json);
  } catch (const std::system_error& error) {
    return Exit(runtime::IoError(error.what()), false);
  } catch (const std::exception& error) {
    return Exit(Status(StatusCode::kInternal, error.what()), false);
  }
}

}  // namespace
}  // namespace pleat::tools

int main(int argc, char** argv) { return pleat::tools::Main(argc, argv); }
