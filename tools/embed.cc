#include <elf.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>

#include "runtime/model_file.h"
#include "tools/console.h"
#include "tools/object_file.h"
#include "tools/verb.h"

namespace pleat::tools {
namespace {

using runtime::InvalidArgument;
using runtime::Result;
using runtime::Status;

struct Flags {
  std::string input, output, name, machine;
};

// "digits-v2.pleat" -> "digits_v2_pleat".
std::string NameOf(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) name = "_" + name;
  return name;
}

bool IsIdentifier(const std::string& name) { return !name.empty() && NameOf(name) == name; }

std::string HeaderText(const std::string& name) {
  return fmt::format(
      "/* A network inside the program; made by `pleat embed`.\n"
      " *   pleat_model_load_memory({0}, {0}_size, PLEAT_BORROW, &model);\n"
      " */\n"
      "#include <stdint.h>\n"
      "#ifdef __cplusplus\n"
      "extern \"C\" {{\n"
      "#endif\n"
      "extern const unsigned char {0}[];\n"
      "extern const uint64_t {0}_size;\n"
      "#ifdef __cplusplus\n"
      "}}\n"
      "#endif\n",
      name);
}

std::string SourceText(std::span<const std::byte> bytes, const std::string& name) {
  std::string text = fmt::format(
      "/* Made by `pleat embed`. */\n"
      "#include <stdint.h>\n"
      "const uint64_t {0}_size = {1}u;\n"
      "__attribute__((aligned(64))) const unsigned char {0}[{1}] = {{",
      name, bytes.size());
  text.reserve(text.size() + bytes.size() * 4);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i % 24 == 0) text += '\n';
    text += std::to_string(static_cast<unsigned>(bytes[i]));
    text += ',';
  }
  return text + "\n};\n";
}

Result<uint16_t> MachineOf(const std::string& name) {
  if (name.empty()) return OwnMachine();
  if (name == "x86-64") return uint16_t{EM_X86_64};
  if (name == "aarch64") return uint16_t{EM_AARCH64};
  return InvalidArgument("--machine " + name + ": expected x86-64 or aarch64");
}

Status Embed(const Flags& flags, const Command& command) {
  const std::filesystem::path output = flags.output;
  const std::string ending = output.extension().string();
  if (ending != ".o" && ending != ".c") {
    return InvalidArgument(flags.output + ": expected a name that ends in .o or .c");
  }
  const std::string name = flags.name.empty() ? NameOf(flags.input) : flags.name;
  if (!IsIdentifier(name)) return InvalidArgument("--name " + name + ": not a name in C");
  PLEAT_ASSIGN_OR_RETURN(const uint16_t machine, MachineOf(flags.machine));
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(flags.input));
  PLEAT_RETURN_IF_ERROR(runtime::ParseGraph(file.bytes, file.owner).status().In(flags.input));

  const std::string content =
      ending == ".o" ? ObjectFile(file.bytes, name, machine) : SourceText(file.bytes, name);
  std::filesystem::path header = output;
  header.replace_extension(".h");
  const std::string declarations = HeaderText(name);
  PLEAT_RETURN_IF_ERROR(
      runtime::WriteFileAtomically(header, std::as_bytes(std::span(declarations))));
  if (Status status = runtime::WriteFileAtomically(output, std::as_bytes(std::span(content)));
      !status.ok()) {
    unlink(header.c_str());
    return status;
  }
  if (command.json) {
    PrintJson({{"version", 1},
               {"output", flags.output},
               {"header", header.string()},
               {"name", name},
               {"bytes", file.bytes.size()}});
  } else if (!command.quiet) {
    fmt::print("{}: {} bytes as {}, declared in {}\n", Printable(flags.output), file.bytes.size(),
               name, Printable(header.string()));
  }
  return Status::Ok();
}

}  // namespace

void AddEmbed(CLI::App& app, Command& command) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = AddVerb(
      app, command, "embed", "Turn a .pleat file into a part of a program",
      "  pleat embed digits.pleat -o digits.o      # and digits.h; link it, load from memory\n"
      "  pleat embed digits.pleat -o digits.c --name digits\n"
      "  pleat embed digits.pleat -o digits.o --machine aarch64");
  AddFile(verb, "FILE", flags->input, "The .pleat file");
  verb->add_option("-o,--output", flags->output,
                   "The object (.o) or C source (.c) to write; a header (.h) goes beside it")
      ->required();
  verb->add_option("--name", flags->name, "The array's name in C; default: from the file's name");
  verb->add_option("--machine", flags->machine,
                   "Of an object: x86-64 or aarch64; default: this machine");
  verb->callback([=, &command] { command.run = [=, &command] { return Embed(*flags, command); }; });
}

}  // namespace pleat::tools
