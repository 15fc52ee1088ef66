// The command: parses, runs the verb, turns its Status into one line and an exit code.
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

#include "tools/console.h"
#include "tools/suggest.h"
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
  fmt::print(stderr, "pleat: {} {}", Coloured("error:", Colour::kRed, WantsColour(stderr)),
             Lines(status.message()));
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

// What CLI11 found wrong with the command line, naming the word that nothing is known by.
std::string UsageMessage(const CLI::App& app, const std::vector<std::string>& words,
                         const CLI::ParseError& error) {
  const auto parsed = app.get_subcommands();
  if (parsed.empty()) {
    std::vector<std::string> verbs;
    std::string list;
    for (const CLI::App* verb : app.get_subcommands({})) {
      verbs.push_back(verb->get_name());
      list += (list.empty() ? "" : ", ") + verb->get_name();
    }
    if (words.empty() || words[0].starts_with("-")) return "expected a verb: " + list;
    const std::string meant = DidYouMean(words[0], verbs);
    return "there is no verb '" + words[0] + "'" + (meant.empty() ? "; there are: " + list : meant);
  }
  const CLI::App& verb = *parsed.front();
  std::vector<std::string> options;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
  }
  for (const std::string& word : words) {
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || name == "--" || verb.get_option_no_throw(name) != nullptr) {
      continue;
    }
    return "'" + verb.get_name() + "' has no option '" + name + "'" + DidYouMean(name, options);
  }
  return error.what();
}

// A stream that the caller closed must not be the number of a file that is opened later, or what is
// printed would go into that.
void OpenClosedStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) std::_Exit(5);
  }
}

int Main(int argc, char** argv) {
  OpenClosedStreams();
  std::signal(SIGXFSZ, SIG_IGN);  // a file above the limit is an error of the write
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
  AddStatistics(app, command);
  AddBench(app, command);
  AddConformance(app, command);
  AddOperators(app, command);
  if (argc == 1) {
    fmt::print(stderr, "{}", app.help());
    return static_cast<int>(StatusCode::kInvalidArgument);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return Exit(runtime::InvalidArgument(UsageMessage(app, {argv + 1, argv + argc}, error)),
                command.json);
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
