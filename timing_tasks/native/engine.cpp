// The engine for one instruction set: this file is compiled once for each, under another namespace and other flags.
#include "engine.hpp"

#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include "throughput.hpp"
#include "worker.hpp"

namespace TIMING_TASKS_ISA {

#if defined(__AVX512F__)
constexpr int WIDTH = 8;
#elif defined(__AVX2__)
constexpr int WIDTH = 4;
#else
constexpr int WIDTH = 2;
#endif

void run(const Population& population, std::int64_t net_steps, int threads) {
    Queue queue(population, net_steps);
    const int replicas = static_cast<int>(std::min<std::size_t>(queue.waiting(), 1 << 20));
    const int workers = std::max(1, std::min(threads, replicas));
    const int capacity = (replicas + workers - 1) / workers;
    // Few replicas do not fill two registers a pack; then one is faster.
    const auto work = [&] {
        if (capacity <= 2 * WIDTH) std::make_unique<Worker<WIDTH, 1>>(population, queue, capacity)->run();
        else std::make_unique<Worker<WIDTH, 2>>(population, queue, capacity)->run();
    };
    std::vector<std::thread> others;
    try {
        for (int t = 1; t < workers; ++t) others.emplace_back(work);
    } catch (const std::system_error&) {
        // No more threads to be had: those that there are do the work.
    }
    work();
    for (std::thread& other : others) other.join();
}

std::array<double, 3> throughput() { return measure_throughput<WIDTH>(); }

}  // namespace TIMING_TASKS_ISA
