// What an engine is given: conditions, replicas and the state of each. The Python side of these records is population.py of
// the on-line recipe; when the module is imported, both sides' fields are compared by name, type and offset.
#pragma once

#include <array>
#include <cstdint>

#include "philox.hpp"

namespace timing_tasks {

// Weights by position: those with a trace ds/dw first, then the output gate, the output unit, and the initial state.
enum Weight {
    W_IX, W_IH, B_I, P_I,
    W_FX, W_FH, B_F, P_F,
    W_CX, W_CH, B_C,
    S_0, Y_0,
    W_OX, W_OH, B_O, P_O,
    W_KH, B_K,
    WEIGHTS
};
constexpr int GATE_TRACES = S_0;        // ds/dw of the weights into the input gate, forget gate and cell
constexpr int TRUNCATED_TRACES = W_OX;  // those, and ds/ds(0), ds/dy(0): all that the truncated gradient needs
constexpr int STATE_WEIGHTS = W_KH;     // the weights that the state depends on
constexpr int TRACES = 2 * STATE_WEIGHTS;  // the full gradient: ds/dw of each of them, then dy/dw of each of them

enum class Task : std::int64_t { NMSD, MSD, GTS, PFG };
enum class Phase : std::int64_t { TRAINING, TEST };
enum class Verdict : std::int64_t { RUNNING, SOLVED, UNSOLVED, DIVERGED };
// The last word of a Philox counter: what the numbers are drawn for.
enum class Purpose : std::uint32_t { TRAINING, TEST, WEIGHTS, INITIAL_STATE };

struct Condition {
    Task task;
    std::int64_t min_interval;
    std::int64_t first_offset, offsets;  // a slice of the table of all offsets
    std::int64_t first_target;           // PFG: where its min_interval targets start in the table of all targets
    std::int64_t peepholes, forget_gate, sigmoid_output, learn_cell_state, learn_cell_output;
    std::int64_t frozen_weights;  // gradients are summed up in `deltas`, the weights stay
    // Readings of the paper, see timing_tasks/conditions/condition.py.
    std::int64_t update_per_stream, update_without_target, update_when_wrong, momentum_carried_over, training_between_tests;
    std::int64_t state_carried_over, first_spike_later, input_at_start;
    std::int64_t centred_logistic;  // of the cell output: h(s) = 2 sigma(s) - 1 instead of the identity
    std::int64_t full_gradient;     // nothing is cut off from y(t-1) or a peephole
    std::int64_t training_periods, test_periods, test_streams;
    std::int64_t budget_training_streams, budget_net_steps;
    double learning_rate, momentum, tolerance;
    double initial_noise;  // half the width of the noise that is added to the initial state in training
};

// Whose streams: the key of the random numbers, and the condition.
struct Key {
    std::int64_t condition, seed, replica;
};

// Everything that changes, one entry a replica. [n] is the number of entries a replica has in the array.
struct State {
    double *weights, *deltas, *traces;                      // [WEIGHTS], [WEIGHTS], [TRACES]
    double *cell_output, *cell_state;                       // y(t), s(t)
    double *carried_output, *carried_state;                 // y and s at the end of the last training stream, if the next begins there
    double* squared_error;                                  // summed over the test streams since the last training stream
    std::int64_t *verdict, *phase;
    std::int64_t *training_streams;                         // finished ones
    std::int64_t *test_stream, *period, *step;              // finished ones: since training, in the stream, in the period
    std::int64_t *targets;                                  // met in finished test streams since the last training stream
    std::int64_t *training_size, *test_size;                // periods without a wrong prediction in the last such stream
    std::int64_t *net_steps;
};

struct Population {
    const Condition* conditions;
    const std::int64_t* offsets;
    const double* targets;
    const Key* keys;
    State state;
    std::int64_t replicas;
};

// Whether the learning rule and the streams are read as PAPER.md does, but for what a lane's own numbers can tell.
inline bool usual_readings(const Condition& c) {
    return !c.update_per_stream && c.update_without_target && c.update_when_wrong && c.momentum_carried_over &&
           !c.training_between_tests && !c.state_carried_over && !c.first_spike_later && !c.input_at_start && !c.full_gradient;
}

// What a condition needs beyond the plainest step, a bit each. A step that can do more is slower, but gives the others the same
// digits; only those with the full gradient keep to themselves, and their step can do everything.
enum Need { EXTENDED = 1, WAVEFORM = 2, SQUASHED = 4, FULL_GRADIENT = 8, EVERYTHING = 15 };
inline int needs(const Condition& c) {
    if (c.full_gradient) return EVERYTHING;
    return (c.learn_cell_state || c.learn_cell_output || !usual_readings(c) ? EXTENDED : 0) |
           (c.task == Task::PFG ? WAVEFORM : 0) | (c.centred_logistic ? SQUASHED : 0);
}

// Whether the streams of a condition have offsets that are drawn, and a single period: then four consecutive streams share a
// block of random words, which otherwise serves four consecutive periods of one stream.
inline bool single_period(const Condition& condition) { return condition.task == Task::NMSD; }

// The block of random words for a period of a stream; `period % 4`, or `stream % 4` where it is shared, tells the word.
inline std::array<std::uint32_t, 4> draw_block(const Condition& condition, const Key& key, Purpose purpose, std::int64_t stream,
                                               std::int64_t test_stream, std::int64_t period) {
    const bool shared = single_period(condition);
    return philox4x32({static_cast<std::uint32_t>(shared ? stream / 4 : period / 4),
                       static_cast<std::uint32_t>(shared ? 0 : stream), static_cast<std::uint32_t>(test_stream),
                       static_cast<std::uint32_t>(purpose)},
                      {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.replica)});
}

// Noise for the initial state of a training stream, uniform in (-1, 1): that of s(0), and that of y(0).
inline std::array<double, 2> draw_noise(const Key& key, std::int64_t stream) {
    const auto words = philox4x32({static_cast<std::uint32_t>(stream), 0, 0, static_cast<std::uint32_t>(Purpose::INITIAL_STATE)},
                                  {static_cast<std::uint32_t>(key.seed), static_cast<std::uint32_t>(key.replica)});
    const auto centred = [](std::uint32_t word) { return (2.0 * word + 1.0) * 0x1p-32 - 1.0; };
    return {centred(words[0]), centred(words[1])};
}

}  // namespace timing_tasks
