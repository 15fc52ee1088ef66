#include "converter/operators.h"

#include <fmt/core.h>

#include "tools/console.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using converter::SupportedOperator;

Json OperatorsJson(const std::vector<SupportedOperator>& operators) {
  Json list = Json::array();
  for (const SupportedOperator& op : operators) {
    list.push_back({{"name", op.name}, {"since", op.since}});
  }
  return {{"version", 1}, {"operators", std::move(list)}};
}

// Initials down the left, so that the table stays short.
std::string OperatorsMarkdown(const std::vector<SupportedOperator>& operators) {
  std::string text = "| | ONNX operators read |\n|---|---|\n";
  for (size_t i = 0; i < operators.size();) {
    const char initial = operators[i].name[0];
    std::string names;
    for (; i < operators.size() && operators[i].name[0] == initial; ++i) {
      names += (names.empty() ? "" : ", ") + operators[i].name;
    }
    text += fmt::format("| {} | {} |\n", initial, names);
  }
  return text + fmt::format("\n{} operators.\n", operators.size());
}

runtime::Status ListOperators(bool markdown, const Command& command) {
  const std::vector<SupportedOperator> operators = converter::SupportedOperators();
  if (command.json) {
    PrintJson(OperatorsJson(operators));
  } else if (markdown) {
    fmt::print("{}", OperatorsMarkdown(operators));
  } else {
    for (const SupportedOperator& op : operators) fmt::print("{}\n", op.name);
  }
  return runtime::Status::Ok();
}

}  // namespace

void AddOperators(CLI::App& app, Command& command) {
  auto markdown = std::make_shared<bool>(false);
  CLI::App* verb = AddVerb(app, command, "operators", "List the ONNX operators that are read",
                           "  pleat operators\n"
                           "  pleat operators --markdown");
  verb->add_flag("--markdown", *markdown, "As the table of the README");
  verb->callback(
      [=, &command] { command.run = [=, &command] { return ListOperators(*markdown, command); }; });
}

}  // namespace pleat::tools
