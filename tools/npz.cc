#include "tools/npz.h"

#include <zlib.h>

#include <memory>
#include <set>

#include "runtime/checked.h"
#include "runtime/model_file.h"
#include "tools/npy.h"

namespace pleat::tools {
namespace {

using runtime::InvalidArgument;
using runtime::Result;
using runtime::Status;

using Bytes = std::span<const std::byte>;

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22;
constexpr uint32_t kStored = 0, kDeflated = 8;
constexpr uint32_t kInZip64 = 0xffffffff;
// Deflate makes at most 1032 bytes of one.
constexpr uint64_t kMostInflated = 1032;

uint32_t Field(Bytes bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}
uint32_t Half(Bytes bytes, size_t at) { return Field(bytes, at, 2); }
uint32_t Word(Bytes bytes, size_t at) { return Field(bytes, at, 4); }

Status Damaged(const std::string& what) { return InvalidArgument("damaged .npz file: " + what); }

// The record that ends the file, behind which a comment may follow.
Result<Bytes> FindEnd(Bytes bytes) {
  constexpr size_t kLongestComment = 0xffff;
  for (size_t back = kEndBytes; back <= bytes.size() && back <= kEndBytes + kLongestComment;
       ++back) {
    const Bytes end = bytes.last(back);
    if (Word(end, 0) == kEnd && Half(end, 20) == back - kEndBytes) return end;
  }
  return InvalidArgument("not a .npz file, or one that is cut off");
}

struct Member {
  std::string name;
  uint32_t flags, method, checksum, packed_bytes, bytes, offset;
};

// Takes one entry off the front of the directory.
Result<Member> TakeMember(Bytes& directory) {
  if (directory.size() < kCentralBytes || Word(directory, 0) != kCentral) {
    return Damaged("its directory ends early");
  }
  const size_t name = Half(directory, 28);
  const size_t all = kCentralBytes + name + Half(directory, 30) + Half(directory, 32);
  if (directory.size() < all) return Damaged("its directory ends early");
  Member member{{reinterpret_cast<const char*>(directory.data()) + kCentralBytes, name},
                Half(directory, 8),
                Half(directory, 10),
                Word(directory, 16),
                Word(directory, 20),
                Word(directory, 24),
                Word(directory, 42)};
  directory = directory.subspan(all);
  return member;
}

Result<Bytes> PackedBytes(Bytes bytes, const Member& member) {
  const auto local = runtime::SubSpan(bytes, member.offset, kLocalBytes);
  if (!local || Word(*local, 0) != kLocal) return Damaged("a member is not where it should be");
  const uint64_t begin =
      uint64_t{member.offset} + kLocalBytes + Half(*local, 26) + Half(*local, 28);
  const auto packed = runtime::SubSpan(bytes, begin, member.packed_bytes);
  if (!packed) return Damaged("a member ends early");
  return *packed;
}

Result<std::vector<std::byte>> Inflate(Bytes packed, uint64_t bytes) {
  if (bytes > packed.size() * kMostInflated) return Damaged("a member cannot be that large");
  std::vector<std::byte> result(bytes);
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return runtime::LimitExceeded("out of memory");
  const std::unique_ptr<z_stream, int (*)(z_stream*)> ends(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(bytes);
  const int code = inflate(&stream, Z_FINISH);
  if (code != Z_STREAM_END || stream.total_out != bytes || stream.avail_in != 0) {
    return Damaged("a member does not inflate to its size");
  }
  return result;
}

uint32_t Checksum(Bytes bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Result<runtime::Tensor> ReadMember(Bytes bytes, const Member& member) {
  if ((member.flags & 1) != 0) return InvalidArgument("is encrypted");
  if (member.method != kStored && member.method != kDeflated) {
    return InvalidArgument("is compressed by method " + std::to_string(member.method) +
                           ", of which only 0 (stored) and 8 (deflated) are read");
  }
  if (member.bytes == kInZip64 || member.packed_bytes == kInZip64 || member.offset == kInZip64) {
    return InvalidArgument("lies in a ZIP64 archive, which is not read; save it as .npy");
  }
  PLEAT_ASSIGN_OR_RETURN(Bytes data, PackedBytes(bytes, member));
  std::vector<std::byte> inflated;
  if (member.method == kDeflated) {
    PLEAT_ASSIGN_OR_RETURN(inflated, Inflate(data, member.bytes));
    data = inflated;
  }
  if (data.size() != member.bytes) return Damaged("a stored member has two sizes");
  if (Checksum(data) != member.checksum) return Damaged("the checksum does not match");
  return ParseNpy(data);
}

std::string Packed(std::initializer_list<std::pair<uint32_t, int>> fields) {
  std::string bytes;
  for (auto [value, size] : fields) {
    for (; size > 0; --size, value >>= 8) bytes += static_cast<char>(value & 0xff);
  }
  return bytes;
}

}  // namespace

Result<std::vector<NamedArray>> ParseNpz(Bytes bytes) {
  PLEAT_ASSIGN_OR_RETURN(const Bytes end, FindEnd(bytes));
  auto directory = runtime::SubSpan(bytes, Word(end, 16), Word(end, 12));
  if (!directory) return Damaged("its directory is not where it should be");
  std::vector<NamedArray> arrays;
  std::set<std::string> names;
  for (uint32_t left = Half(end, 10); left > 0; --left) {
    PLEAT_ASSIGN_OR_RETURN(const Member member, TakeMember(*directory));
    if (!names.insert(member.name).second) {
      return InvalidArgument("'" + member.name + "' is there twice");
    }
    Result<runtime::Tensor> tensor = ReadMember(bytes, member);
    if (!tensor.ok()) return tensor.status().In(member.name);
    std::string name = member.name;
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    arrays.push_back({std::move(name), *std::move(tensor)});
  }
  return arrays;
}

Result<std::vector<NamedArray>> ReadNpz(const std::string& path) {
  PLEAT_ASSIGN_OR_RETURN(const runtime::MappedFile file, runtime::MapFile(path));
  Result<std::vector<NamedArray>> arrays = ParseNpz(file.bytes);
  if (!arrays.ok()) return arrays.status().In(path);
  return arrays;
}

Result<std::string> SerializeNpz(const std::vector<NamedArray>& arrays) {
  constexpr uint32_t kVersion = 20, kFirstOfJanuary1980 = 0x21, kUtf8 = 1 << 11;
  std::string bytes, directory;
  for (const NamedArray& array : arrays) {
    const std::string name = array.name + ".npy", data = SerializeNpy(array.tensor);
    if (name.size() > 0xffff || bytes.size() + directory.size() + data.size() >= kInZip64 ||
        arrays.size() >= 0xffff) {
      return runtime::LimitExceeded("an archive of 4 GiB or more; write .npy files");
    }
    const auto size = static_cast<uint32_t>(data.size());
    const std::string common = Packed({{kVersion, 2},
                                       {kUtf8, 2},
                                       {kStored, 2},
                                       {0, 2},
                                       {kFirstOfJanuary1980, 2},
                                       {Checksum(std::as_bytes(std::span(data))), 4},
                                       {size, 4},
                                       {size, 4},
                                       {static_cast<uint32_t>(name.size()), 2},
                                       {0, 2}});
    directory += Packed({{kCentral, 4}, {kVersion, 2}}) + common +
                 Packed({{0, 2}, {0, 2}, {0, 2}, {0, 4}, {static_cast<uint32_t>(bytes.size()), 4}}) +
                 name;
    bytes += Packed({{kLocal, 4}}) + common + name + data;
  }
  const auto count = static_cast<uint32_t>(arrays.size());
  return bytes + directory +
         Packed({{kEnd, 4},
                 {0, 2},
                 {0, 2},
                 {count, 2},
                 {count, 2},
                 {static_cast<uint32_t>(directory.size()), 4},
                 {static_cast<uint32_t>(bytes.size()), 4},
                 {0, 2}});
}

}  // namespace pleat::tools
