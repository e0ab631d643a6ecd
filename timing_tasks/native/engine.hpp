// The entry points of the engine, one for each instruction set that was compiled in.
#pragma once

#include <array>
#include <cstdint>

#include "population.hpp"

namespace portable {
void run(const timing_tasks::Population& population, std::int64_t net_steps, int threads);
std::array<double, 3> throughput();
}
#if defined(TIMING_TASKS_X86)
namespace avx2 {
void run(const timing_tasks::Population& population, std::int64_t net_steps, int threads);
std::array<double, 3> throughput();
}
namespace avx512 {
void run(const timing_tasks::Population& population, std::int64_t net_steps, int threads);
std::array<double, 3> throughput();
}
#endif
// The same work, one net at a time in plain scalar code: what the benchmark compares with.
namespace scalar {
void run(const timing_tasks::Population& population, std::int64_t net_steps);
}
