/* A stand-in for libnvrtc.so: "compiles" text to a cubin that repeats it, and fails where the text says #error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program { char *source; char log[512]; };
static long live;

long fakePrograms(void) { return live; }
int nvrtcVersion(int *major, int *minor) { *major = 99; *minor = 7; return 0; }
int nvrtcCreateProgram(struct program **out, const char *source, const char *name, int headers, void *texts, void *names) {
  if (strcmp(name, "kernel.cu") != 0 || headers != 0 || texts || names) return 3;
  struct program *p = calloc(1, sizeof *p);
  p->source = strdup(source);
  live++;
  *out = p;
  return 0;
}
int nvrtcDestroyProgram(struct program **p) { live--; free((*p)->source); free(*p); *p = NULL; return 0; }
int nvrtcCompileProgram(struct program *p, int count, const char **options) {
  if (count < 1 || strncmp(options[0], "--gpu-architecture=sm_", 22) != 0) return 5;
  if (strstr(p->source, "#error")) {
    snprintf(p->log, sizeof p->log, "kernel.cu(1): error: this is wrong\n1 error detected\n");
    return 6;
  }
  snprintf(p->log, sizeof p->log,
           "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n    0 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads\n"
           "ptxas info    : Used 33 registers\n");
  return 0;
}
int nvrtcGetProgramLogSize(struct program *p, size_t *bytes) { *bytes = strlen(p->log) + 1; return 0; }
int nvrtcGetProgramLog(struct program *p, char *text) { strcpy(text, p->log); return 0; }
int nvrtcGetCUBINSize(struct program *p, size_t *bytes) { *bytes = strlen(p->source); return 0; }
int nvrtcGetCUBIN(struct program *p, char *code) { memcpy(code, p->source, strlen(p->source)); return 0; }
