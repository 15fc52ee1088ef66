// One model, many threads, a session each: the weights are in memory once, and every thread gets
// the same answer to the bit. many_threads digits.pleat
#include <pleat/pleat.hpp>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

int main(int, char** arguments) {
  const pleat::Model model = pleat::Model::Load(arguments[1]);
  std::vector<float> picture(28 * 28);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<float>(i % 7) - 3;
  const std::vector<float> expected = model.Run(picture);

  std::atomic<int> runs{0}, different{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      pleat::Session session(model, {.threads = 1});
      for (int run = 0; run < 20; ++run) {
        const pleat::Tensor logits = session.Run(picture);
        for (size_t i = 0; i < expected.size(); ++i) different += logits[i] != expected[i];
        ++runs;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%d runs on 8 threads, %d numbers differ\n", runs.load(), different.load());
  return different == 0 ? 0 : 1;
}
