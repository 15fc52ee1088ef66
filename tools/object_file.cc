#include "tools/object_file.h"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace pleat::tools {
namespace {

constexpr uint64_t kAlignment = 64;

// Section contents and their headers, one after another behind the ELF header.
class Writer {
 public:
  explicit Writer(size_t reserve) {
    file_.reserve(reserve);
    file_.resize(sizeof(Elf64_Ehdr));
    sections_.emplace_back();
    names_ += '\0';
  }

  // Its index.
  uint32_t Add(const std::string& name, Elf64_Shdr header, std::span<const std::byte> content) {
    file_.resize((file_.size() + header.sh_addralign - 1) / header.sh_addralign *
                 header.sh_addralign);
    header.sh_name = static_cast<uint32_t>(names_.size());
    names_ += name + '\0';
    header.sh_offset = file_.size();
    header.sh_size = content.size();
    file_.append(reinterpret_cast<const char*>(content.data()), content.size());
    sections_.push_back(header);
    return static_cast<uint32_t>(sections_.size() - 1);
  }

  std::string Finish(uint16_t machine) && {
    const std::string names = names_ + ".shstrtab" + '\0';
    const uint32_t index = Add(".shstrtab", {.sh_type = SHT_STRTAB, .sh_addralign = 1},
                               std::as_bytes(std::span(names)));
    file_.resize((file_.size() + 7) / 8 * 8);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_REL;
    header.e_machine = machine;
    header.e_version = EV_CURRENT;
    header.e_shoff = file_.size();
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<uint16_t>(sections_.size());
    header.e_shstrndx = static_cast<uint16_t>(index);
    std::memcpy(file_.data(), &header, sizeof(header));
    file_.append(reinterpret_cast<const char*>(sections_.data()),
                 sections_.size() * sizeof(Elf64_Shdr));
    return std::move(file_);
  }

 private:
  std::string file_;
  std::string names_;
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace

runtime::Result<uint16_t> OwnMachine() {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  Elf64_Ehdr header{};
  if (!self.read(reinterpret_cast<char*>(&header), sizeof(header)) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return runtime::IoError("/proc/self/exe: cannot read which machine this is");
  }
  return uint16_t{header.e_machine};
}

std::string ObjectFile(std::span<const std::byte> bytes, const std::string& name,
                       uint16_t machine) {
  Writer writer(bytes.size() + 4096);
  const uint32_t data = writer.Add(
      ".rodata." + name,
      {.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addralign = kAlignment}, bytes);
  const uint64_t size = bytes.size();
  const uint32_t data_size =
      writer.Add(".rodata." + name + "_size",
                 {.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addralign = sizeof(size)},
                 std::as_bytes(std::span(&size, 1)));
  writer.Add(".note.GNU-stack", {.sh_type = SHT_PROGBITS, .sh_addralign = 1}, {});

  const std::string strings = std::string(1, '\0') + name + '\0' + name + "_size" + '\0';
  const uint8_t info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT);
  const Elf64_Sym symbols[] = {
      {},
      {.st_name = 1,
       .st_info = info,
       .st_other = STV_HIDDEN,
       .st_shndx = static_cast<uint16_t>(data),
       .st_value = 0,
       .st_size = size},
      {.st_name = static_cast<uint32_t>(name.size() + 2),
       .st_info = info,
       .st_other = STV_HIDDEN,
       .st_shndx = static_cast<uint16_t>(data_size),
       .st_value = 0,
       .st_size = sizeof(size)},
  };
  const uint32_t strtab = writer.Add(".strtab", {.sh_type = SHT_STRTAB, .sh_addralign = 1},
                                     std::as_bytes(std::span(strings)));
  writer.Add(".symtab",
             {.sh_type = SHT_SYMTAB,
              .sh_link = strtab,
              .sh_info = 1,
              .sh_addralign = alignof(Elf64_Sym),
              .sh_entsize = sizeof(Elf64_Sym)},
             std::as_bytes(std::span(symbols)));
  return std::move(writer).Finish(machine);
}

}  // namespace pleat::tools
