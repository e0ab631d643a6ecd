// A layer of peephole LSTM cells: what its two passes read and write, and the passes, one pair for each instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace timing_tasks {

// Of the cell input and of the cell output; centred_logistic is 2 * logistic(x) - 1 = tanh(x / 2).
enum class Activation { identity, tanh, centred_logistic };

// R replicas, T steps, N rows of the batch, I inputs, H cells. Arrays are contiguous; those over time are [R, T, N, ...], or
// [R, N, T, ...] with batch_first. The rows of weights and biases are in the order i, f, g, o.
template <class T>
struct Layer {
    std::int64_t replicas, steps, batch, inputs, hidden;
    Activation cell_input, cell_output;
    bool truncated, batch_first;
    const T* x;            // [R, T, N, I]
    const T *h0, *c0;      // [R, N, H]
    const T* weight_ih;    // [R, 4H, I]
    const T* weight_hh;    // [R, 4H, H]
    const T* bias;         // [R, 4H], or none
    const T* peephole;     // [R, 3, H], or none
    T* out;                // [R, T, N, H]: h of every step
    T *h_last, *c_last;    // [R, N, H]
    T* tape;               // what the backward pass needs, tape_size() numbers; or none
    // Backward: gradients in, each or none for zeros ...
    const T* dout;             // [R, T, N, H]
    const T *dh_last, *dc_last;  // [R, N, H]
    // ... and gradients out, of the shapes above; dx, dbias and dpeephole, or none.
    T *dx, *dh0, *dc0, *dweight_ih, *dweight_hh, *dbias, *dpeephole;

    // Numbers from a step to the next, and from a row of the batch to the next, in an array of so many features.
    std::int64_t time_stride(std::int64_t features) const { return features * (batch_first ? 1 : batch); }
    std::int64_t row_stride(std::int64_t features) const { return features * (batch_first ? steps : 1); }
};

// Two ways to fill a vector register. Small cells: its lanes are rows of the batch, of one replica or several, each with its weights
// in its lane. Others: its lanes are cells, in panels of 64 bytes, or of 32 where half of one holds them all.
constexpr std::int64_t SMALL_HIDDEN = 4, SMALL_INPUTS = 16;
// What a step of a cell keeps for the backward pass: the activations of i, f, g, o, the state c, and c squashed.
constexpr std::int64_t KEPT = 6;

template <class T>
constexpr std::int64_t LANES = 128 / sizeof(T);

inline bool is_small(std::int64_t inputs, std::int64_t hidden) { return hidden <= SMALL_HIDDEN && inputs <= SMALL_INPUTS; }

template <class T>
std::int64_t panel(std::int64_t hidden) {
    const std::int64_t whole = 64 / sizeof(T);
    return hidden <= whole / 2 ? whole / 2 : whole;
}

// How the lanes of small cells are dealt out: blocks of LANES, each of whole replicas, or of part of one.
template <class T>
struct Blocks {
    std::int64_t replicas;  // in a block
    std::int64_t parts;     // blocks of one replica
    std::int64_t count;

    Blocks(std::int64_t all, std::int64_t batch)
        : replicas(batch < LANES<T> ? LANES<T> / batch : 1),
          parts((batch + LANES<T> - 1) / LANES<T>),
          count(parts > 1 ? all * parts : (all + replicas - 1) / replicas) {}
};

template <class T>
std::int64_t tape_size(std::int64_t replicas, std::int64_t steps, std::int64_t batch, std::int64_t inputs, std::int64_t hidden) {
    if (is_small(inputs, hidden)) return Blocks<T>(replicas, batch).count * steps * KEPT * hidden * LANES<T>;
    const std::int64_t width = panel<T>(hidden);
    return replicas * steps * batch * KEPT * ((hidden + width - 1) / width * width);
}

}  // namespace timing_tasks

#define TIMING_TASKS_LAYER(isa)                                                 \
    namespace isa {                                                             \
    template <class T>                                                          \
    void layer_forward(const timing_tasks::Layer<T>& layer, int threads);       \
    template <class T>                                                          \
    void layer_backward(const timing_tasks::Layer<T>& layer, int threads);      \
    }
TIMING_TASKS_LAYER(portable)
#if defined(TIMING_TASKS_X86)
TIMING_TASKS_LAYER(avx2)
TIMING_TASKS_LAYER(avx512)
#endif
#undef TIMING_TASKS_LAYER
