/* Pleat's C API: load a .pleat file, give it inputs, run it, read outputs.
 *
 *   pleat_model* model;
 *   pleat_session* session;
 *   pleat_model_load("digits.pleat", &model);
 *   pleat_session_create(model, NULL, &session);
 *   pleat_set_input(session, 0, &picture);
 *   pleat_run(session, NULL);
 *   pleat_get_output(session, 0, &scores);
 *
 * Functions that can fail return a pleat_code; pleat_last_error() has the rest. A failed call
 * changes nothing the caller can see, and leaves its handles usable. Structs begin with
 * `struct_size`, which the caller sets to sizeof(the struct); all other fields may be zero. Text is
 * UTF-8. No function throws, and none may be given a callback that throws. Kinds are plain int32_t
 * with named values, so that any value a caller passes is an error at worst.
 *
 * Threads: a model is immutable; any number of threads may use one. A session serves one call at a
 * time: a second one that meets it at work gets PLEAT_BUSY and changes nothing. Handles may be
 * destroyed in any order, each once, when no call is using them. Different handles may be created
 * and destroyed at the same time.
 */
#ifndef PLEAT_PLEAT_H_
#define PLEAT_PLEAT_H_

#include <stddef.h>
#include <stdint.h>

#define PLEAT_VERSION "0.1.0"

#if defined(__GNUC__)
#define PLEAT_API __attribute__((visibility("default")))
#else
#define PLEAT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pleat_model pleat_model;
typedef struct pleat_session pleat_session;

/* Values are stable, and the exit codes of the `pleat` command where it has them. */
typedef int32_t pleat_code;
enum {
  PLEAT_OK = 0,
  PLEAT_INVALID_ARGUMENT = 2, /* the call is wrong: a null, a name, a shape, a size */
  PLEAT_INVALID_MODEL = 3,    /* not a .pleat file, or a damaged one */
  PLEAT_UNSUPPORTED = 4,      /* valid, but not something this version does */
  PLEAT_IO = 5,
  PLEAT_LIMIT_EXCEEDED = 6,
  PLEAT_OUT_OF_MEMORY = 8,
  PLEAT_BUSY = 9, /* another call is using the session */
  PLEAT_CANCELLED = 10,
  PLEAT_DEADLINE_EXCEEDED = 11,
  PLEAT_INTERNAL = 70 /* a bug in Pleat */
};

/* What went wrong. `rule` is a stable word for programs ("BUFFER_TOO_SMALL"), `message` a sentence
 * for people that names the place, what was expected and what was there. */
typedef struct pleat_error {
  pleat_code code;
  const char* rule;
  const char* message;
} pleat_error;

typedef int32_t pleat_element;
enum {
  PLEAT_FLOAT32 = 0,
  PLEAT_FLOAT64 = 1,
  PLEAT_INT64 = 2,
  PLEAT_INT32 = 3,
  PLEAT_INT16 = 4,
  PLEAT_INT8 = 5,
  PLEAT_UINT8 = 6,
  PLEAT_UINT16 = 7,
  PLEAT_UINT32 = 8,
  PLEAT_UINT64 = 9,
  PLEAT_BOOL = 10, /* one byte, 0 or 1 */
  PLEAT_FLOAT16 = 11,
  PLEAT_BFLOAT16 = 12
};

#define PLEAT_MAX_RANK 8
#define PLEAT_UNKNOWN ((int64_t)-1) /* a size that each run chooses */
#define PLEAT_UNRANKED ((size_t)-1) /* not even the number of sizes is fixed */

/* What the caller says about a tensor's order in memory. */
typedef int32_t pleat_layout;
enum {
  PLEAT_AS_MODEL = 0,     /* the axes of the model's input: for pictures mostly N,C,H,W */
  PLEAT_CHANNELS_LAST = 1 /* N,H,W,C in memory for a model's N,C,H,W; Pleat turns it */
};

/* A tensor in memory that is not Pleat's, when it is an input; in Pleat's memory or in the
 * caller's, when it is an output. */
typedef struct pleat_tensor {
  size_t struct_size;
  const void* data; /* any alignment */
  size_t bytes;     /* length of the memory at `data`; may be more than is needed */
  pleat_element element;
  pleat_layout layout;
  size_t rank;            /* at most PLEAT_MAX_RANK */
  const int64_t* shape;   /* `rank` sizes, in the order of `layout` */
  const int64_t* strides; /* `rank` steps in elements, none negative; NULL: dense, last fastest */
  /* Of inputs only. When either is given, each number becomes (number - mean[c]) * scale[c] in
   * float32 while it is read, c being its channel; as many entries as channels, NULL for all 0 and
   * all 1. The element type must then be PLEAT_UINT8 or PLEAT_FLOAT32 and the model's input
   * PLEAT_FLOAT32. PLEAT_UINT8 for a PLEAT_FLOAT32 input is converted even without them. */
  const float* mean;
  const float* scale;
} pleat_tensor;

/* An input or output of a model. The pointers live as long as the model's handle. */
typedef struct pleat_value_info {
  size_t struct_size;
  const char* name;
  pleat_element element;
  size_t rank;                /* or PLEAT_UNRANKED */
  const int64_t* shape;       /* `rank` sizes, PLEAT_UNKNOWN where a run chooses */
  const char* const* symbols; /* `rank` names of unknown sizes ("batch"), "" where there is none */
} pleat_value_info;

typedef struct pleat_model_info {
  size_t struct_size;
  const char* name;     /* of the network; lives as long as the handle, as does `producer` */
  const char* producer; /* what exported it */
  size_t inputs;
  size_t outputs;
  size_t nodes;
  size_t weight_bytes;
  size_t batch_norms;        /* of the network as it was trained */
  size_t batch_norms_folded; /* that are gone */
} pleat_model_info;

/* What running costs, for the shapes the session is prepared for. */
typedef struct pleat_session_info {
  size_t struct_size;
  int threads;
  size_t arena_bytes;   /* memory for intermediate results; after a run, with what that run needed
                           where sizes depended on numbers */
  size_t packed_bytes;  /* weights rearranged for this CPU, beside the model's own */
  double multiply_adds; /* of one run */
} pleat_session_info;

/* Calls task(argument, i) once for every i in [0, count), on any threads, at once or in turn, and
 * returns when all calls have. `count` is at most the session's number of threads. */
typedef void (*pleat_task)(void* argument, size_t index);
typedef void (*pleat_parallel_for)(void* pool, size_t count, pleat_task task, void* argument);

typedef int32_t pleat_memory;
enum {
  PLEAT_MEMORY_FAST = 0, /* weights may be copied into the form that runs fastest */
  PLEAT_MEMORY_LOW = 1   /* kernels that use the weights where they lie are preferred */
};

/* All zero: every CPU this process may use, Pleat's own threads, the system's memory. */
typedef struct pleat_options {
  size_t struct_size;
  /* 0: as many as the process may use. 1: the calling thread alone, and no other is ever made.
   * Results are the same to the bit for any number. At most 1024. */
  int threads;
  pleat_memory memory;
  /* Not 0: the smallest errors. No method that rearranges a convolution's sum (Winograd), and short
   * partial sums. */
  int exact;
  /* The caller's threads, used instead of Pleat's own when set. */
  pleat_parallel_for parallel_for;
  void* pool; /* its first argument */
  /* The caller's memory for intermediate results: both or neither. `allocate` returns `bytes` bytes
   * at a multiple of `alignment` (64), or NULL. */
  void* (*allocate)(void* context, size_t bytes, size_t alignment);
  void (*deallocate)(void* context, void* memory, size_t bytes);
  void* allocator;        /* their first argument */
  size_t max_arena_bytes; /* 0: 4 GiB */
  size_t max_plans;       /* combinations of input shapes remembered; 0: 8 */
  /* How often a combination of input shapes will run, about; 0: many times. For few runs kernels
   * are chosen that take less time to prepare, so that the first result comes sooner; they round
   * as PLEAT_MEMORY_LOW's do. */
  size_t expected_runs;
} pleat_options;

typedef struct pleat_run_options {
  size_t struct_size;
  int64_t timeout_ns; /* 0: none. Looked at between steps. */
} pleat_run_options;

typedef int32_t pleat_ownership;
enum {
  PLEAT_COPY = 0,  /* the bytes may go when the call returns */
  PLEAT_BORROW = 1 /* the bytes stay, unchanged, until the model and its sessions are destroyed */
};

/* The library's version, "major.minor.patch". Any thread. */
PLEAT_API const char* pleat_version(void);

/* The last failure of a call made by this thread; never NULL. It and its text stay until this
 * thread's next failure. Any thread. */
PLEAT_API const pleat_error* pleat_last_error(void);

/* ---- Models. All functions: any thread. ---- */

/* Maps the file and checks all of it. Weights are read from the mapping when needed: replace the
 * file by renaming another over it, never change it in place. The caller destroys `*model`.
 * Weights of some MiB are checked by up to 4 threads where the calling thread may use as many CPUs;
 * they take no signals and are gone when the call returns. */
PLEAT_API pleat_code pleat_model_load(const char* path, pleat_model** model);

/* The same of `size` bytes in memory. Borrowed bytes at a multiple of 64 are used where they lie.
 */
PLEAT_API pleat_code pleat_model_load_memory(const void* bytes, size_t size,
                                             pleat_ownership ownership, pleat_model** model);

/* The same of an open file, from its beginning. The descriptor stays the caller's. */
PLEAT_API pleat_code pleat_model_load_fd(int fd, pleat_model** model);

/* Gives the handle back; sessions keep what they need. NULL is fine. */
PLEAT_API void pleat_model_destroy(pleat_model* model);

PLEAT_API pleat_code pleat_model_get_info(const pleat_model* model, pleat_model_info* info);
PLEAT_API pleat_code pleat_model_get_input(const pleat_model* model, size_t index,
                                           pleat_value_info* info);
PLEAT_API pleat_code pleat_model_get_output(const pleat_model* model, size_t index,
                                            pleat_value_info* info);

/* The index of the input or output of that name. */
PLEAT_API pleat_code pleat_model_find_input(const pleat_model* model, const char* name,
                                            size_t* index);
PLEAT_API pleat_code pleat_model_find_output(const pleat_model* model, const char* name,
                                             size_t* index);

/* ---- Sessions. All functions but cancel and destroy: any thread, one at a time, else
 * PLEAT_BUSY. ---- */

/* Memory and threads for running a model. `options` may be NULL. The caller destroys `*session`. */
PLEAT_API pleat_code pleat_session_create(const pleat_model* model, const pleat_options* options,
                                          pleat_session** session);

/* NULL is fine. Not while another call uses the session. */
PLEAT_API void pleat_session_destroy(pleat_session* session);

/* Says where an input's numbers are. The struct and its arrays are copied; the numbers stay the
 * caller's and are read by every run from now on. Sizes that the model leaves open may be different
 * each time: the next run (or pleat_prepare) plans for them, and remembers. */
PLEAT_API pleat_code pleat_set_input(pleat_session* session, size_t index,
                                     const pleat_tensor* tensor);

/* Lets every run from now on write an output to the caller's memory: dense, in the model's order,
 * `bytes` long or a run fails with BUFFER_TOO_SMALL. It may overlap inputs, but not another output.
 * NULL: back to the session's own memory. */
PLEAT_API pleat_code pleat_set_output(pleat_session* session, size_t index, void* data,
                                      size_t bytes);

/* Plans for the inputs that are set (and for those not set whose sizes are all fixed) and reserves
 * memory, so that the next run is as fast as any, and output shapes are known. */
PLEAT_API pleat_code pleat_prepare(pleat_session* session);

/* What is prepared; prepares when nothing is. */
PLEAT_API pleat_code pleat_session_get_info(pleat_session* session, pleat_session_info* info);

/* Computes the outputs; `options` may be NULL. After the first run of a combination of shapes it
 * allocates nothing, but for steps whose sizes depend on the inputs' numbers, and takes no lock.
 * Threads of Pleat's own sleep when nothing came for some 50 microseconds: a run wakes them (by a
 * futex) and may sleep itself until the last is done. On one thread, or on the caller's, it never
 * waits. When it fails or is ended early, the contents of outputs are undefined. */
PLEAT_API pleat_code pleat_run(pleat_session* session, const pleat_run_options* options);

/* Ends a run in progress at its next step with PLEAT_CANCELLED; without one, does nothing. Any
 * thread, at any time, also while the session is busy; waits for nothing. */
PLEAT_API pleat_code pleat_cancel(pleat_session* session);

/* An output of the last run, dense; in the session's memory, or where pleat_set_output said. It and
 * its shape stay until the session's next call other than this one. After pleat_prepare and before
 * a run the shape is there and `data` is NULL; a shape that depends on the inputs' numbers is an
 * error (NOT_RUN) until there was a run. */
PLEAT_API pleat_code pleat_get_output(pleat_session* session, size_t index, pleat_tensor* tensor);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* PLEAT_PLEAT_H_ */
