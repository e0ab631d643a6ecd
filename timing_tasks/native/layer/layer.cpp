// A layer over a sequence, forward and backward, for one instruction set: this file is compiled once for each, under another
// namespace and other flags.
#include "layer.hpp"

#include <system_error>
#include <thread>
#include <vector>

#include "cells.hpp"
#include "cells_backward.hpp"
#include "small.hpp"

namespace TIMING_TASKS_ISA {

namespace {

// Calls work(begin, end) for parts of 0 .. count, on as many threads.
template <class Work>
void in_parallel(std::int64_t count, int threads, const Work& work) {
    const std::int64_t parts = std::max<std::int64_t>(1, std::min<std::int64_t>(threads, count));
    std::vector<std::thread> others;
    try {
        for (std::int64_t p = parts - 1; p >= 1; --p) others.emplace_back([=, &work] { work(count * p / parts, count * (p + 1) / parts); });
    } catch (const std::system_error&) {
        // No more threads to be had: this one does the rest.
    }
    work(0, count * (parts - static_cast<std::int64_t>(others.size())) / parts);
    for (std::thread& other : others) other.join();
}

// The rows of a replica's batch in groups: enough for a thread each, and few enough to add up.
struct Groups {
    std::int64_t of_a_replica, rows;  // rows: at most so many in each
    std::int64_t batch;

    explicit Groups(std::int64_t batch) : of_a_replica(std::max<std::int64_t>(1, std::min<std::int64_t>((batch + 15) / 16, 64))), batch(batch) {
        rows = (batch + of_a_replica - 1) / of_a_replica;
    }
    std::int64_t begin(std::int64_t group) const { return batch * group / of_a_replica; }
};

// Calls use(W) with the width of the registers that a panel fills.
template <class T, class Use>
void with_width(std::int64_t hidden, const Use& use) {
    constexpr int WIDEST = REGISTER / sizeof(T);
    if constexpr (REGISTER == 64)
        if (timing_tasks::panel<T>(hidden) < WIDEST) return use(Number<WIDEST / 2>{});
    use(Number<WIDEST>{});
}

}  // namespace

template <class T>
void layer_forward(const Layer<T>& l, int threads) {
    if (timing_tasks::is_small(l.inputs, l.hidden))
        return in_parallel(timing_tasks::Blocks<T>(l.replicas, l.batch).count, threads, [&](std::int64_t begin, std::int64_t end) {
            Small<T> small(l);
            for (std::int64_t block = begin; block < end; ++block) small.forward(block);
        });
    const Groups groups(l.batch);
    with_width<T>(l.hidden, [&](auto width) {
        in_parallel(l.replicas * groups.of_a_replica, threads, [&](std::int64_t begin, std::int64_t end) {
            CellsForward<T, width.value> cells(l);
            while (begin < end) {  // neighbouring groups of a replica in one
                const std::int64_t r = begin / groups.of_a_replica, first = begin % groups.of_a_replica;
                const std::int64_t past = std::min(groups.of_a_replica, first + end - begin);
                cells.run(r, groups.begin(first), groups.begin(past));
                begin += past - first;
            }
        });
    });
}

template <class T>
void layer_backward(const Layer<T>& l, int threads) {
    if (timing_tasks::is_small(l.inputs, l.hidden)) {
        const timing_tasks::Blocks<T> blocks(l.replicas, l.batch);
        const SharedGradients<T> gradients(l, blocks.parts);
        in_parallel(blocks.count, threads, [&](std::int64_t begin, std::int64_t end) {
            Small<T> small(l);
            for (std::int64_t block = begin; block < end; ++block) small.backward(block, gradients);
        });
        return gradients.add_up();
    }
    const Groups groups(l.batch);
    const SharedGradients<T> gradients(l, groups.of_a_replica);
    with_width<T>(l.hidden, [&](auto width) {
        in_parallel(l.replicas * groups.of_a_replica, threads, [&](std::int64_t begin, std::int64_t end) {
            CellsBackward<T, width.value> cells(l, groups.rows);
            for (std::int64_t task = begin; task < end; ++task) {
                const std::int64_t r = task / groups.of_a_replica, group = task % groups.of_a_replica;
                cells.run(r, groups.begin(group), groups.begin(group + 1), gradients.of(r, group));
            }
        });
    });
    gradients.add_up();
}

template void layer_forward<float>(const Layer<float>&, int);
template void layer_forward<double>(const Layer<double>&, int);
template void layer_backward<float>(const Layer<float>&, int);
template void layer_backward<double>(const Layer<double>&, int);

}  // namespace TIMING_TASKS_ISA
