// The verbs of the command. Each puts its flags on a CLI11 subcommand, and leaves in
// Command::run what is to be done once they are parsed.
#ifndef PLEAT_TOOLS_VERB_H_
#define PLEAT_TOOLS_VERB_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "converter/convert.h"
#include "runtime/session.h"
#include "tools/inputs.h"

namespace pleat::tools {

struct Command {
  bool json = false;
  bool quiet = false;
  bool verbose = false;
  std::function<runtime::Status()> run;
};

void AddConvert(CLI::App& app, Command& command);
void AddEmbed(CLI::App& app, Command& command);
void AddExplain(CLI::App& app, Command& command);
void AddInspect(CLI::App& app, Command& command);
void AddRun(CLI::App& app, Command& command);
void AddVerify(CLI::App& app, Command& command);
void AddStatistics(CLI::App& app, Command& command);
void AddBench(CLI::App& app, Command& command);
void AddConformance(CLI::App& app, Command& command);
void AddOperators(CLI::App& app, Command& command);

// A subcommand with --json, -v and -q.
CLI::App* AddVerb(CLI::App& app, Command& command, const std::string& name,
                  const std::string& description, const std::string& examples);

// A file to read, required, as an argument without a flag; "-" stands for stdin.
CLI::Option* AddFile(CLI::App* verb, const std::string& name, std::string& path,
                     const std::string& description);

// --threads, --kernels and --exact.
struct SessionFlags {
  int threads = 1;
  bool exact = false;
  std::string kernels;

  runtime::Session::Options Options() const;
  // Fails when --kernels names one that no step of the plan uses.
  runtime::Status Check(const runtime::Plan& plan) const;
};
void AddSessionFlags(CLI::App* verb, SessionFlags& flags);

// --input, --mean, --std, --resize and --layout.
struct InputFlags {
  std::vector<std::string> inputs;
  PictureOptions picture;
};
void AddInputFlags(CLI::App* verb, InputFlags& flags);

// --bn-training.
void AddTrainingFlag(CLI::App* verb, converter::TrainingMode& training);

// --input-shape, to be read by ParseShapes.
void AddShapeFlag(CLI::App* verb, std::vector<std::string>& flags);

}  // namespace pleat::tools

#endif  // PLEAT_TOOLS_VERB_H_
