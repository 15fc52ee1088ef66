// Pleat on the application's own threads: one callback, and no thread of Pleat's is ever made.
//   own_pool digits.pleat
#include <pleat/pleat.hpp>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

// A pool as an application might have: workers wait for a loop and take part in it.
class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { Work(); });
  }
  ~Pool() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // The signature is pleat_parallel_for.
  static void ParallelFor(void* self, size_t count, pleat_task task, void* argument) {
    static_cast<Pool*>(self)->Run(count, task, argument);
  }

 private:
  void Run(size_t count, pleat_task task, void* argument) {
    std::unique_lock lock(mutex_);
    task_ = task, argument_ = argument, next_ = 0, count_ = count, left_ = count;
    wake_.notify_all();
    TakePart(lock);
    done_.wait(lock, [this] { return left_ == 0; });
  }
  void TakePart(std::unique_lock<std::mutex>& lock) {
    while (next_ < count_) {
      const size_t index = next_++;
      const pleat_task task = task_;
      void* const argument = argument_;
      lock.unlock();
      task(argument, index);
      lock.lock();
      if (--left_ == 0) done_.notify_one();
    }
  }
  void Work() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      TakePart(lock);
      wake_.wait(lock, [this] { return stop_ || next_ < count_; });
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  pleat_task task_ = nullptr;
  void* argument_ = nullptr;
  size_t next_ = 0, count_ = 0, left_ = 0;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

int main(int, char** arguments) {
  const pleat::Model model = pleat::Model::Load(arguments[1]);
  const std::vector<float> picture(28 * 28, 0.5f);
  Pool pool(2);
  pleat::Session ours(model, {.threads = 3, .parallel_for = Pool::ParallelFor, .pool = &pool});
  pleat::Session alone(model, {.threads = 1});
  const pleat::Tensor a = ours.Run(picture), b = alone.Run(picture);
  int different = 0;
  for (size_t i = 0; i < 10; ++i) different += a[i] != b[i];
  std::printf("on the application's pool: %d numbers differ\n", different);
  return different == 0 ? 0 : 1;
}
