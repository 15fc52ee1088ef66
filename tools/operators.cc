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
    list.push_back({{"name", op.name}, {"since", op.since}, {"until", op.until}});
  }
  Json refused = Json::array();
  for (const converter::RefusedOperator& op : converter::RefusedOperators()) {
    refused.push_back({{"domain", op.domain}, {"name", op.name}, {"reason", op.reason}});
  }
  return {{"version", 1}, {"operators", std::move(list)}, {"refused", std::move(refused)}};
}

std::string OperatorTable(const std::vector<SupportedOperator>& operators) {
  std::string text =
      "# ONNX operators\n\nWhat `pleat operators --table` prints; a test compares the two.\n\n"
      "| operator | operator sets read |\n|---|---|\n";
  for (const SupportedOperator& op : operators) {
    text += fmt::format("| {} | {} to {} |\n", op.name, op.since, op.until);
  }
  text += "\n## Refused on purpose\n\n| domain | operator | it ... |\n|---|---|---|\n";
  for (const converter::RefusedOperator& op : converter::RefusedOperators()) {
    const std::string name = op.name == "*" ? "all" : op.name;
    text += fmt::format("| {} | {} | {} |\n", op.domain, name, op.reason);
  }
  return text;
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

runtime::Status ListOperators(bool markdown, bool table, const Command& command) {
  const std::vector<SupportedOperator> operators = converter::SupportedOperators();
  if (command.json) {
    PrintJson(OperatorsJson(operators));
  } else if (table) {
    fmt::print("{}", OperatorTable(operators));
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
  auto table = std::make_shared<bool>(false);
  CLI::App* verb = AddVerb(app, command, "operators", "List the ONNX operators that are read",
                           "  pleat operators\n"
                           "  pleat operators --table\n"
                           "  pleat operators --markdown");
  verb->add_flag("--markdown", *markdown, "As the table of the README");
  verb->add_flag("--table", *table,
                 "With the operator sets of each, and what is refused on purpose, in Markdown");
  verb->callback([=, &command] {
    command.run = [=, &command] { return ListOperators(*markdown, *table, command); };
  });
}

}  // namespace pleat::tools
