/*
 * A stand-in for libcuda.so.1: device memory is malloc'd, two kernels run on the CPU, everything is counted.
 * It shows that the bindings pass what the driver expects and that nothing leaks; it says nothing about a GPU.
 * FAKE_CUDA_FAIL=function:status makes that function fail; FAKE_CUDA_ANY=1 accepts every kernel and runs none.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static long live_memory, live_streams, live_events, live_graphs, live_execs, live_modules, live_contexts, launches, early;
static int capturing, captured;

struct function { char name[64]; int shared; };
struct event { long at; };
struct graph { int nodes; };

static int failing(const char *name) {
  const char *plan = getenv("FAKE_CUDA_FAIL");
  if (!plan) return 0;
  size_t n = strlen(name);
  return strncmp(plan, name, n) == 0 && plan[n] == ':' ? atoi(plan + n + 1) : 0;
}
#define ENTER(name) do { int status = failing(name); if (status) return status; } while (0)

/* How many things of each kind are alive, and how many kernels ran. */
void fakeCounts(long *out) {
  long counts[9] = {live_memory, live_streams, live_events, live_graphs, live_execs, live_modules, live_contexts, launches, early};
  memcpy(out, counts, sizeof counts);
}

int cuInit(unsigned flags) { ENTER("cuInit"); return flags == 0 ? 0 : 1; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuGetErrorName(int error, const char **text) {
  *text = error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : error == 100 ? "CUDA_ERROR_NO_DEVICE" : NULL;
  return *text ? 0 : 1;
}
int cuGetErrorString(int error, const char **text) { *text = error == 2 ? "out of memory" : "what went wrong"; return 0; }
int cuDeviceGetCount(int *count) { ENTER("cuDeviceGetCount"); *count = 1; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 40 + ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "Fake GPU %d", device); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  switch (attribute) {
    case 1: *value = 1024; break;
    case 16: *value = 4; break;
    case 38: *value = 1 << 16; break;
    case 75: *value = getenv("FAKE_CUDA_MAJOR") ? atoi(getenv("FAKE_CUDA_MAJOR")) : 9; break;
    case 76: *value = 0; break;
    case 97: *value = 227 * 1024; break;
    default: return 1;
  }
  return 0;
}
int cuDeviceTotalMem_v2(size_t *bytes, int device) { (void)device; *bytes = (size_t)80 << 30; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { live_contexts++; *context = (void *)(uintptr_t)(0x1000 + device); return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { (void)device; live_contexts--; return 0; }
int cuCtxSetCurrent(void *context) { return context == (void *)(uintptr_t)(0x1000 + 40) ? 0 : 201; }
int cuCtxSynchronize(void) { return 0; }

int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
  ENTER("cuMemAlloc");
  void *p = malloc(bytes);
  memset(p, 0x5a, bytes);
  live_memory++;
  *address = (uint64_t)(uintptr_t)p;
  return 0;
}
int cuMemFree_v2(uint64_t address) { live_memory--; free((void *)(uintptr_t)address); return 0; }
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) { memcpy((void *)(uintptr_t)to, from, bytes); return 0; }
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) { memcpy(to, (void *)(uintptr_t)from, bytes); return 0; }
int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) { memcpy((void *)(uintptr_t)to, (void *)(uintptr_t)from, bytes); return 0; }
int cuMemsetD8_v2(uint64_t address, unsigned char value, size_t count) { memset((void *)(uintptr_t)address, value, count); return 0; }
int cuMemsetD8Async(uint64_t address, unsigned char value, size_t count, void *stream) {
  if (!stream) return 400;
  return cuMemsetD8_v2(address, value, count);
}

int cuModuleLoadData(void **module, const void *image) {
  ENTER("cuModuleLoadData");
  if (strncmp(image, "fake cubin", 10) != 0 && !getenv("FAKE_CUDA_ANY")) return 200;
  live_modules++;
  *module = malloc(1);
  return 0;
}
int cuModuleUnload(void *module) { live_modules--; free(module); return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  (void)module;
  static struct function functions[64];
  static int used;
  struct function *f = &functions[used++ % 64];
  snprintf(f->name, sizeof f->name, "%s", name);
  f->shared = 48 * 1024;
  *function = f;
  return 0;
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
  if (attribute != 8 || value > 227 * 1024) return 1;
  ((struct function *)function)->shared = value;
  return 0;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *function, int threads, size_t shared) {
  (void)function;
  *blocks = shared > 100 * 1024 ? 1 : 2048 / threads;
  return 0;
}

struct attribute { int id, padding, value, rest[15]; };
struct config {
  unsigned gx, gy, gz, bx, by, bz, shared;
  void *stream;
  const struct attribute *attributes;
  unsigned count;
};
int cuLaunchKernelEx(const struct config *c, void *function, void **params, void **extra) {
  struct function *f = function;
  ENTER("cuLaunchKernelEx");
  if (!c->stream) return 400;
  if (extra || c->gy != 1 || c->gz != 1 || c->by != 1 || c->bz != 1 || (int)c->shared > f->shared) return 1;
  // One attribute at most: programmatic stream serialisation, allowed.
  if (c->count > 1 || !c->attributes != !c->count) return 1;
  if (c->count && (c->attributes->id != 6 || c->attributes->value != 1)) return 1;
  early += c->count;
  if (capturing) { captured++; return 0; }
  launches++;
  if (strcmp(f->name, "vector_add") == 0) {
    const float *a = *(float **)params[0], *b = *(float **)params[1];
    float *out = *(float **)params[2];
    int n = *(int *)params[3];
    for (unsigned i = 0; i < c->gx * c->bx && (int)i < n; i++) out[i] = a[i] + b[i];
    return 0;
  }
  if (strcmp(f->name, "scalars") == 0) {
    float *out = *(float **)params[0];
    out[0] = *(float *)params[1];
    out[1] = (float)*(int *)params[2];
    out[2] = (float)*(unsigned *)params[3];
    out[3] = *(unsigned char *)params[4];
    return 0;
  }
  return getenv("FAKE_CUDA_ANY") ? 0 : 98;
}

int cuStreamCreate(void **stream, unsigned flags) { if (flags != 1) return 1; live_streams++; *stream = malloc(1); return 0; }
int cuStreamDestroy_v2(void *stream) { live_streams--; free(stream); return 0; }
int cuStreamSynchronize(void *stream) { ENTER("cuStreamSynchronize"); return stream ? 0 : 400; }
int cuStreamBeginCapture_v2(void *stream, int mode) { if (!stream || capturing || mode != 2) return 901; capturing = 1; captured = 0; return 0; }
int cuStreamEndCapture(void *stream, struct graph **graph) {
  if (!stream || !capturing) return 901;
  capturing = 0;
  live_graphs++;
  *graph = malloc(sizeof **graph);
  (*graph)->nodes = captured;
  return 0;
}
int cuGraphInstantiateWithFlags(void **executable, struct graph *graph, uint64_t flags) {
  if (flags != 0) return 1;
  ENTER("cuGraphInstantiate");
  live_execs++;
  struct graph *copy = malloc(sizeof *copy);
  *copy = *graph;
  *executable = copy;
  return 0;
}
int cuGraphLaunch(void *executable, void *stream) { if (!stream) return 400; launches += ((struct graph *)executable)->nodes; return 0; }
int cuGraphExecDestroy(void *executable) { live_execs--; free(executable); return 0; }
int cuGraphDestroy(void *graph) { live_graphs--; free(graph); return 0; }
int cuEventCreate(struct event **event, unsigned flags) { if (flags != 0) return 1; live_events++; *event = calloc(1, sizeof **event); return 0; }
int cuEventDestroy_v2(void *event) { live_events--; free(event); return 0; }
int cuEventRecord(struct event *event, void *stream) { if (!stream) return 400; event->at = launches; return 0; }
int cuEventSynchronize(void *event) { (void)event; return 0; }
/* A launched kernel takes 2 us, an empty interval 1 us. */
int cuEventElapsedTime(float *milliseconds, struct event *start, struct event *end) {
  *milliseconds = 0.001f + 0.002f * (float)(end->at - start->at);
  return 0;
}
