// The kernel of the cuda engine, for NVRTC: thread after thread advances one net. TIMING_TASKS_NEEDS says what the nets need.
#define TIMING_TASKS_ISA cuda
#include "one_net.hpp"

// population: the record's numbers as 64-bit words, in device memory. order: the replicas to advance. lanes: how many threads of
// each warp have a net.
extern "C" __global__ void __launch_bounds__(64)
    advance(const timing_tasks::Population* population, const std::int64_t* order, std::int64_t count, std::int64_t net_steps, int lanes) {
    const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
    const std::int64_t place = thread / 32 * lanes + thread % 32;
    if (thread % 32 < lanes && place < count) cuda::advance_net<TIMING_TASKS_NEEDS>(*population, order[place], net_steps);
}
