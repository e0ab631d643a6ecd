// The body of the GPU's kernel on a host, one net after the other, for tests: it must give the same digits as the engine.
#include "engine.hpp"
#include "one_net.hpp"

namespace one_net {

void run(const Population& population, std::int64_t net_steps, int needs) {
    for (std::int64_t r = 0; r < population.replicas; ++r) {
        if (population.state.verdict[r] != static_cast<std::int64_t>(Verdict::RUNNING)) continue;
        switch (needs | timing_tasks::needs(population.conditions[population.keys[r].condition])) {
#define TIMING_TASKS_CASE(NEEDS) \
    case NEEDS: advance_net<NEEDS>(population, r, net_steps); break
            TIMING_TASKS_CASE(0);
            TIMING_TASKS_CASE(1);
            TIMING_TASKS_CASE(2);
            TIMING_TASKS_CASE(3);
            TIMING_TASKS_CASE(4);
            TIMING_TASKS_CASE(5);
            TIMING_TASKS_CASE(6);
            TIMING_TASKS_CASE(7);
            default: advance_net<EVERYTHING>(population, r, net_steps);
#undef TIMING_TASKS_CASE
        }
    }
}

}  // namespace one_net
