// SPDX-License-Identifier: BSD-3-Clause
// A build for a newer processor says so before it dies of an illegal instruction. This file alone is compiled
// for the oldest processor (mk/build.mk), runs before everything else, and uses nothing but libc: what it
// would share with other files could be their code.
#if defined(__x86_64__)
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

// The linker takes it by this name (mk/flags.mk).
extern "C" __attribute__((constructor(101))) void lockstep_check_processor() {
  __builtin_cpu_init();
  const struct {
    const char* name;  // as in the compiler's macros, between blanks
    int here;
  } sets[] = {{" SSE3 ", __builtin_cpu_supports("sse3")},
              {" SSSE3 ", __builtin_cpu_supports("ssse3")},
              {" SSE4_1 ", __builtin_cpu_supports("sse4.1")},
              {" SSE4_2 ", __builtin_cpu_supports("sse4.2")},
              {" POPCNT ", __builtin_cpu_supports("popcnt")},
              {" AVX ", __builtin_cpu_supports("avx")},
              {" FMA ", __builtin_cpu_supports("fma")},
              {" AVX2 ", __builtin_cpu_supports("avx2")},
              {" BMI ", __builtin_cpu_supports("bmi")},
              {" BMI2 ", __builtin_cpu_supports("bmi2")},
              {" FMA4 ", __builtin_cpu_supports("fma4")},
              {" XOP ", __builtin_cpu_supports("xop")},
              {" AVX512F ", __builtin_cpu_supports("avx512f")},
              {" AVX512CD ", __builtin_cpu_supports("avx512cd")},
              {" AVX512BW ", __builtin_cpu_supports("avx512bw")},
              {" AVX512DQ ", __builtin_cpu_supports("avx512dq")},
              {" AVX512VL ", __builtin_cpu_supports("avx512vl")},
              {" AVX512VNNI ", __builtin_cpu_supports("avx512vnni")},
              {" AVX512BF16 ", __builtin_cpu_supports("avx512bf16")}};
  char missing[400] = "";
  for (const auto& set : sets)
    if (set.here == 0 && std::strstr(LOCKSTEP_INSTRUCTION_SETS, set.name) != nullptr)
      std::strncat(missing, set.name + 1, sizeof missing - 1 - std::strlen(missing));
  if (missing[0] == '\0') return;
  const char* rank = std::getenv("OMPI_COMM_WORLD_LOCAL_RANK");
  if (rank == nullptr) rank = std::getenv("SLURM_LOCALID");
  if (rank == nullptr || std::strcmp(rank, "0") == 0) {  // one of a node says it
    char host[256] = "this host";
    (void)gethostname(host, sizeof host - 1);
    std::fprintf(stderr,
                 "error: this build needs a newer processor\n  expected:%s\n  got:      a processor without "
                 "%son %s\n  hint:     build with the ARCH of the compute nodes: make ARCH=x86-64-v3, or "
                 "ARCH=x86-64 for all\n",
                 LOCKSTEP_INSTRUCTION_SETS, missing, host);
  }
  std::fflush(stderr);
  _exit(2);
}
#endif
