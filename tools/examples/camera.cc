// A camera-like loop: frames land in one buffer, answers in another, and after the start nothing is
// allocated, which this program proves by counting. camera digits.pleat
#include <pleat/pleat.hpp>

#include <cstdio>
#include <cstdlib>
#include <new>

static long allocations = 0;

extern "C" void* __libc_malloc(size_t bytes);
extern "C" void* malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = __libc_malloc(bytes)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

int main(int, char** arguments) {
  static unsigned char frame[28 * 28];
  static float logits[10];
  const float mean[] = {255 * 0.1307f}, scale[] = {1 / (255 * 0.3081f)};

  const pleat::Model model = pleat::Model::Load(arguments[1]);
  pleat::Session session(model, {.threads = 1});
  session.Set(size_t{0}, pleat::Tensor::Picture(frame, 28, 28, 1).Normalized(mean, scale));
  session.SetOutput(0, logits, 10);
  session.Run();

  const long before = allocations;
  float sum = 0;
  for (int t = 0; t < 200; ++t) {
    for (int i = 0; i < 28 * 28; ++i) frame[i] = static_cast<unsigned char>((i * t) % 256);
    session.Run();
    sum += logits[t % 10];
  }
  const long during = allocations - before;
  std::printf("%ld allocations in 200 frames (checksum %g)\n", during, static_cast<double>(sum));
  return during == 0 ? 0 : 1;
}
