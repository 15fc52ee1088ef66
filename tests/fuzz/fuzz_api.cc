// Any sequence of C API calls, right ones and nearly right ones: every call ends in a code it may
// give, says why when it fails, and outputs are as long as their shapes say. The bytes choose the
// calls; memory given to Pleat is exactly as long as it is told.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <span>
#include <vector>

#include "tests/api/support.h"

namespace pleat::tests {
namespace {

struct Counts {
  int64_t calls = 0, failed = 0, runs = 0;
  ~Counts() {
    std::printf("%lld calls, of which %lld failed; %lld runs\n", static_cast<long long>(calls),
                static_cast<long long>(failed), static_cast<long long>(runs));
  }
} counts;

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s; last error: %s\n", what, pleat_last_error()->message);
  std::abort();
}

// A call's code, checked: one of those the header lists but INTERNAL, and explained.
pleat_code Checked(pleat_code code) {
  ++counts.calls;
  if (code == PLEAT_OK) return code;
  ++counts.failed;
  const bool known = (code >= PLEAT_INVALID_ARGUMENT && code <= PLEAT_LIMIT_EXCEEDED) ||
                     (code >= PLEAT_OUT_OF_MEMORY && code <= PLEAT_DEADLINE_EXCEEDED);
  Require(known, "a code that no call may give");
  const pleat_error* error = pleat_last_error();
  Require(error->code == code && *error->rule != 0 && *error->message != 0, "not explained");
  return code;
}

class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : left_(data, size) {}
  bool empty() const { return left_.empty(); }
  size_t Below(size_t limit) {
    if (left_.empty()) return 0;
    const uint8_t byte = left_.front();
    left_ = left_.subspan(1);
    return byte % limit;
  }
  bool Rarely() { return Below(8) == 7; }

 private:
  std::span<const uint8_t> left_;
};

constexpr int64_t kOddSizes[] = {0, -1, 1, 7, 70000, int64_t{1} << 40, INT64_MAX, INT64_MIN};

void InTurn(void*, size_t count, pleat_task task, void* argument) {
  for (size_t i = count; i-- > 0;) task(argument, i);
}

// Refuses every fourth request.
void* Allocate(void* context, size_t bytes, size_t alignment) {
  if (++*static_cast<int*>(context) % 4 == 0) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}
void Deallocate(void*, void* memory, size_t) { std::free(memory); }

class Program {
 public:
  explicit Program(Choices choices) : choices_(choices) {}

  void Run() {
    constexpr int kMaxCalls = 200;
    for (int call = 0; call < kMaxCalls && !choices_.empty(); ++call) Call();
  }

 private:
  void Call() {
    const size_t kind = choices_.Below(16);
    if (model_ == nullptr || kind == 0) return LoadModel();
    if (kind == 1) return LookAtModel();
    if (session_ == nullptr || kind == 2) return CreateSession();
    switch (kind) {
      case 3:
        return choices_.Rarely() ? session_.reset() : model_.reset();
      case 4:
      case 5:
      case 6:
      case 7:
        return SetInput();
      case 8:
        return SetOutput();
      case 9:
        return void(Checked(pleat_prepare(session_.get())));
      case 10: {
        auto info = Sized<pleat_session_info>();
        if (Checked(pleat_session_get_info(session_.get(), &info)) == PLEAT_OK) {
          Require(info.threads >= 1 && info.multiply_adds >= 0, "a session's figures");
        }
        return;
      }
      case 11:
        return void(Checked(pleat_cancel(session_.get())));
      case 12:
        return GetOutput();
      default:
        return RunSession();
    }
  }

  void LoadModel() {
    const std::string* models[] = {&OpenModel(), &ConvModel(), &IntegerModel(), &OpenPairModel(),
                                   &WinogradModel()};
    const std::string& bytes = *models[choices_.Below(std::size(models))];
    const size_t size = choices_.Rarely() ? bytes.size() * choices_.Below(256) / 256 : bytes.size();
    pleat_model* model = nullptr;
    const auto ownership = static_cast<pleat_ownership>(choices_.Below(choices_.Rarely() ? 8 : 2));
    const pleat_code code =
        Checked(pleat_model_load_memory(bytes.data(), size, ownership, &model));
    Require((code == PLEAT_OK) == (model != nullptr), "a model when there is no error");
    if (model != nullptr) model_.reset(model);
  }

  void LookAtModel() {
    auto info = Sized<pleat_model_info>();
    Require(Checked(pleat_model_get_info(model_.get(), &info)) == PLEAT_OK, "a model's figures");
    const size_t index = choices_.Below(5);
    auto value = Sized<pleat_value_info>();
    const bool known = Checked(pleat_model_get_input(model_.get(), index, &value)) == PLEAT_OK;
    Require(known == (index < info.inputs), "an input that is there");
    size_t found = 0;
    if (known) {
      Require(Checked(pleat_model_find_input(model_.get(), value.name, &found)) == PLEAT_OK &&
                  found == index,
              "an input found by its name");
    }
    const bool output = Checked(pleat_model_get_output(model_.get(), index, &value)) == PLEAT_OK;
    Require(output == (index < info.outputs), "an output that is there");
    Checked(pleat_model_find_output(model_.get(), choices_.Rarely() ? nullptr : "sum", &found));
  }

  void CreateSession() {
    auto options = Sized<pleat_options>();
    options.threads = static_cast<int>(choices_.Below(4));
    options.memory = static_cast<pleat_memory>(choices_.Below(choices_.Rarely() ? 9 : 2));
    options.exact = static_cast<int>(choices_.Below(2));
    options.max_plans = choices_.Below(3);
    if (choices_.Below(3) == 0) options.parallel_for = InTurn;
    if (choices_.Below(3) == 0) options.allocate = Allocate, options.deallocate = Deallocate;
    if (choices_.Rarely()) options.deallocate = nullptr;
    options.allocator = &allocations_;
    if (choices_.Rarely()) options.max_arena_bytes = choices_.Below(256) * 64;
    if (choices_.Rarely()) options.threads = -1;
    if (choices_.Rarely()) options.expected_runs = 1 + choices_.Below(3);
    if (choices_.Rarely()) options.struct_size = choices_.Below(sizeof options + 1);
    pleat_session* session = nullptr;
    const pleat_code code = Checked(
        pleat_session_create(model_.get(), choices_.Rarely() ? nullptr : &options, &session));
    Require((code == PLEAT_OK) == (session != nullptr), "a session when there is no error");
    if (session != nullptr) session_.reset(session);
  }

  // Memory that stays for the rest of the program.
  std::byte* Memory(size_t bytes) {
    std::vector<std::byte>& memory = memory_.emplace_back(bytes);
    for (size_t i = 0; i < bytes; ++i) memory[i] = static_cast<std::byte>(i * 37);
    return memory.data();
  }

  // What the model of now expects (the session may be of another), with something wrong at times.
  void SetInput() {
    const size_t index = choices_.Below(choices_.Rarely() ? 9 : 2);
    auto value = Sized<pleat_value_info>();
    std::vector<int64_t> shape{1, 3, 4, 5};
    auto tensor = Sized<pleat_tensor>();
    if (model_ != nullptr && pleat_model_get_input(model_.get(), index, &value) == PLEAT_OK) {
      shape.assign(value.shape, value.shape + value.rank);
      tensor.element = value.element;
    }
    for (int64_t& size : shape) {
      if (size < 0) size = static_cast<int64_t>(choices_.Below(10));
    }
    if (choices_.Rarely()) tensor.element = static_cast<pleat_element>(choices_.Below(16));
    if (choices_.Rarely()) tensor.element = PLEAT_UINT8;
    if (choices_.Rarely()) tensor.layout = static_cast<pleat_layout>(choices_.Below(3));
    if (tensor.layout == PLEAT_CHANNELS_LAST && shape.size() == 4) {
      std::rotate(shape.begin() + 1, shape.begin() + 2, shape.end());
    }
    if (choices_.Rarely() && !shape.empty()) {
      shape[choices_.Below(shape.size())] = kOddSizes[choices_.Below(std::size(kOddSizes))];
    }
    if (choices_.Rarely()) shape.resize(choices_.Below(11), 2);
    constexpr int64_t kMost = 100000;
    std::vector<int64_t> strides(shape.size());
    int64_t elements = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      strides[i] = std::max<int64_t>(elements, 0);
      elements = shape[i] < 0 || shape[i] > kMost ? 0 : std::min(elements * shape[i], kMost);
    }
    constexpr size_t kBytesOf[] = {4, 8, 8, 4, 2, 1, 1, 2, 4, 8, 1, 2, 2};
    const bool known = tensor.element >= 0 && tensor.element < std::ssize(kBytesOf);
    tensor.bytes = static_cast<size_t>(elements) * (known ? kBytesOf[tensor.element] : 1);
    if (choices_.Rarely()) tensor.bytes -= std::min<size_t>(tensor.bytes, 1 + choices_.Below(9));
    tensor.data = Memory(tensor.bytes);
    tensor.rank = shape.size();
    tensor.shape = shape.data();
    if (choices_.Below(4) == 0) {
      if (choices_.Rarely() && !strides.empty()) {
        strides[choices_.Below(strides.size())] = kOddSizes[choices_.Below(std::size(kOddSizes))];
      }
      tensor.strides = strides.data();
    }
    if (choices_.Rarely()) tensor.struct_size = choices_.Below(sizeof tensor + 1);
    const std::vector<float> factors(4, 0.5f);  // OpenModel's pictures have 3 channels, others none
    const bool picture =
        shape.size() == 4 && std::ranges::all_of(shape, [](int64_t n) { return n <= 4; });
    if (picture && choices_.Below(2) == 0) tensor.mean = factors.data();
    if (picture && choices_.Below(2) == 0) tensor.scale = factors.data();
    Checked(pleat_set_input(session_.get(), index, &tensor));
  }

  void SetOutput() {
    const size_t index = choices_.Below(4), bytes = choices_.Below(256) * choices_.Below(64);
    const bool back = choices_.Below(4) == 0;
    Checked(pleat_set_output(session_.get(), index, back ? nullptr : Memory(bytes), bytes));
  }

  void RunSession() {
    auto options = Sized<pleat_run_options>();
    if (choices_.Rarely()) {
      options.timeout_ns = static_cast<int64_t>(choices_.Below(256)) * 100 - 100;
    }
    const bool with = choices_.Below(2) == 0;
    if (Checked(pleat_run(session_.get(), with ? &options : nullptr)) != PLEAT_OK) return;
    ++counts.runs;
    for (int i = 0; i < 3; ++i) GetOutput();
  }

  void GetOutput() {
    auto tensor = Sized<pleat_tensor>();
    if (Checked(pleat_get_output(session_.get(), choices_.Below(4), &tensor)) != PLEAT_OK) return;
    Require(tensor.rank <= PLEAT_MAX_RANK, "an output's rank");
    size_t elements = 1;
    for (size_t i = 0; i < tensor.rank; ++i) elements *= static_cast<size_t>(tensor.shape[i]);
    const size_t width = tensor.element == PLEAT_INT64 ? 8 : 4;
    Require(tensor.data == nullptr || tensor.bytes == elements * width, "an output's length");
    const auto* bytes = static_cast<const unsigned char*>(tensor.data);
    for (size_t i = 0; bytes != nullptr && i < tensor.bytes; ++i) seen_ = seen_ + bytes[i];
  }

  Choices choices_;
  std::deque<std::vector<std::byte>> memory_;  // outlives the sessions that read it
  int allocations_ = 0;
  volatile unsigned seen_ = 0;
  ModelHandle model_;
  SessionHandle session_;
};

}  // namespace
}  // namespace pleat::tests

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  pleat::tests::Program(pleat::tests::Choices(data, size)).Run();
  return 0;
}
