// pleat.Model over the C API: sessions for as many calls as there are at once.
#ifndef PLEAT_TOOLS_PYTHON_MODEL_H_
#define PLEAT_TOOLS_PYTHON_MODEL_H_

#include <pybind11/pybind11.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pleat/pleat.h"

namespace pleat::python {

// Leaves C++ as the exception class of `code`.
struct Failure {
  int code;
  std::string rule, message;
};

// Text of a file, whatever its bytes.
pybind11::str Text(const std::string& text);

class Model {
 public:
  // `network`: a path, or the bytes of a .pleat file. Called without the GIL.
  Model(const std::string& network, bool is_bytes, const pleat_options& options);

  pybind11::str name() const;
  // (name, element, sizes) of each; sizes are numbers, names or None.
  pybind11::list Inputs() const;
  pybind11::list Outputs() const;

  // Runs on (array, element, channels_last, mean, scale) for each input; an array for each output.
  // Any number of threads at once; the GIL is given up while it plans and runs.
  pybind11::list Run(const pybind11::list& arguments, int64_t timeout_ns);

 private:
  struct Destroy {
    void operator()(pleat_model* model) const { pleat_model_destroy(model); }
    void operator()(pleat_session* session) const { pleat_session_destroy(session); }
  };
  using Session = std::unique_ptr<pleat_session, Destroy>;
  // A session for one call, which goes back in the end.
  struct Lease {
    Model& model;
    Session session = model.Take();
    ~Lease();
  };

  Session Take();

  std::unique_ptr<pleat_model, Destroy> model_;
  pleat_options options_;
  pleat_model_info info_{};
  std::mutex mutex_;  // of idle_
  std::vector<Session> idle_;
};

}  // namespace pleat::python

#endif  // PLEAT_TOOLS_PYTHON_MODEL_H_
