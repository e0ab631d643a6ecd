// The Python module _timing_tasks_native: arrays in, arrays changed in place.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "engine.hpp"
#include "layer/bindings.hpp"

namespace nb = nanobind;
using namespace timing_tasks;

namespace {

// A field of a dictionary of contiguous arrays, checked for type and size.
template <class T>
T* field(const nb::dict& arrays, const char* name, std::int64_t size) {
    if (!arrays.contains(name)) throw std::invalid_argument(std::string("no array named ") + name);
    using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
    Array array;
    if (!nb::try_cast<Array>(arrays[name], array, false))  // no conversion: a copy would be changed, not the state
        throw std::invalid_argument(std::string(name) + ": not a contiguous array of the right type");
    if (static_cast<std::int64_t>(array.size()) != size)
        throw std::invalid_argument(std::string(name) + ": " + std::to_string(array.size()) + " numbers instead of " +
                                    std::to_string(size));
    return array.data();
}

using Bytes = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Integers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Reals = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

// The arrays as the engine's records; throws std::invalid_argument on anything that would make it read out of bounds.
Population population(const Bytes& conditions, const Integers& offsets, const Reals& targets, const Integers& keys,
                      const nb::dict& state) {
    if (conditions.size() % sizeof(Condition)) throw std::invalid_argument("conditions: not whole records");
    const auto* const records = reinterpret_cast<const Condition*>(conditions.data());
    const std::int64_t count = static_cast<std::int64_t>(conditions.size() / sizeof(Condition));
    for (std::int64_t c = 0; c < count; ++c) {
        const Condition& r = records[c];
        const bool periodic = r.task == Task::PFG;
        if (r.task < Task::NMSD || r.task > Task::PFG) throw std::invalid_argument("conditions: unknown task");
        if (r.offsets < 1 || r.offsets > 65536 || r.first_offset < 0 || r.first_offset + r.offsets > static_cast<std::int64_t>(offsets.size()))
            throw std::invalid_argument("conditions: offsets out of range");
        for (std::int64_t k = 0; k < r.offsets; ++k)
            if (r.min_interval + offsets.data()[r.first_offset + k] < 1)
                throw std::invalid_argument("conditions: a period without steps");
        if (periodic && (r.first_target < 0 || r.first_target + r.min_interval > static_cast<std::int64_t>(targets.size())))
            throw std::invalid_argument("conditions: targets out of range");
        if (r.training_periods < 1 || r.test_periods < 1 || r.test_streams < 1 ||
            (r.task == Task::NMSD && (r.test_streams > r.offsets || r.training_periods != 1 || r.test_periods != 1)))
            throw std::invalid_argument("conditions: numbers of periods or test streams out of range");
        if (r.first_spike_later < 0 || r.first_spike_later > 1 || (periodic && r.first_spike_later))
            throw std::invalid_argument("conditions: first_spike_later out of range");
    }
    const std::int64_t replicas = static_cast<std::int64_t>(keys.size() / 3);
    const auto* const owners = reinterpret_cast<const Key*>(keys.data());
    for (std::int64_t r = 0; r < replicas; ++r)
        if (owners[r].condition < 0 || owners[r].condition >= count) throw std::invalid_argument("keys: no such condition");
    const auto reals = [&](const char* name, std::int64_t each) { return field<double>(state, name, replicas * each); };
    const auto integers = [&](const char* name) { return field<std::int64_t>(state, name, replicas); };
    const State views{reals("weights", WEIGHTS), reals("deltas", WEIGHTS), reals("traces", TRACES),
                      reals("cell_output", 1), reals("cell_state", 1), reals("carried_output", 1), reals("carried_state", 1),
                      reals("squared_error", 1),
                      integers("verdict"), integers("phase"), integers("training_streams"), integers("test_stream"),
                      integers("period"), integers("step"), integers("targets"), integers("training_size"),
                      integers("test_size"), integers("net_steps")};
    for (std::int64_t r = 0; r < replicas; ++r) {
        const Condition& condition = records[owners[r].condition];
        const std::int64_t* const some = offsets.data() + condition.first_offset;
        const std::int64_t steps =
            condition.min_interval + *std::max_element(some, some + condition.offsets) + condition.first_spike_later;
        const std::int64_t longest = views.phase[r] ? condition.test_periods : condition.training_periods;
        if (views.phase[r] < 0 || views.phase[r] > 1 || views.test_stream[r] < 0 ||
            (views.verdict[r] == 0 && views.test_stream[r] >= condition.test_streams) || views.period[r] < 0 ||
            (views.verdict[r] == 0 && views.period[r] >= longest) || views.step[r] < 0 || views.training_streams[r] < 0 ||
            views.verdict[r] < 0 || views.verdict[r] > 3 || views.step[r] >= steps)
            throw std::invalid_argument("state: a counter is out of range");
    }
    return {records, offsets.data(), targets.data(), owners, views, replicas};
}

// Fastest first.
std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
#if defined(TIMING_TASKS_X86)
    __builtin_cpu_init();
    const bool bmi = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                     __builtin_cpu_supports("bmi2");
    if (bmi && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        names.push_back("avx512");
    if (bmi) names.push_back("avx2");
#endif
    names.push_back("portable");
    return names;
}

void run(const Bytes& conditions, const Integers& offsets, const Reals& targets, const Integers& keys, const nb::dict& state,
         std::int64_t net_steps, int threads, const std::string& instruction_set) {
    const Population view = population(conditions, offsets, targets, keys, state);
    if (threads < 1) throw std::invalid_argument("threads: at least 1");
    if (net_steps < 0) throw std::invalid_argument("net_steps: not negative");
    const nb::gil_scoped_release release;
    if (instruction_set == "portable") return portable::run(view, net_steps, threads);
#if defined(TIMING_TASKS_X86)
    if (instruction_set == "avx2") return avx2::run(view, net_steps, threads);
    if (instruction_set == "avx512") return avx512::run(view, net_steps, threads);
#endif
    throw std::invalid_argument("instruction_set: not compiled in");
}

std::array<double, 3> throughput(const std::string& instruction_set) {
    const nb::gil_scoped_release release;
#if defined(TIMING_TASKS_X86)
    if (instruction_set == "avx2") return avx2::throughput();
    if (instruction_set == "avx512") return avx512::throughput();
#endif
    return portable::throughput();
}

void run_scalar(const Bytes& conditions, const Integers& offsets, const Reals& targets, const Integers& keys,
                const nb::dict& state, std::int64_t net_steps) {
    const Population view = population(conditions, offsets, targets, keys, state);
    for (const std::int64_t* key = keys.data(); key < keys.data() + keys.size(); key += 3)
        if (!usual_readings(view.conditions[*key])) throw std::invalid_argument("conditions: readings that the yardstick does not know");
    const nb::gil_scoped_release release;
    scalar::run(view, net_steps);
}

template <class T>
constexpr const char* type_name() {
    return std::is_same_v<T, double> ? "float64" : "int64";
}

// Name, type and offset in bytes of each field of a Condition, which the Python side compares with its own record.
std::vector<std::tuple<std::string, std::string, std::int64_t>> condition_fields() {
    std::vector<std::tuple<std::string, std::string, std::int64_t>> fields;
#define TIMING_TASKS_FIELD(name) fields.emplace_back(#name, type_name<decltype(Condition::name)>(), offsetof(Condition, name))
    TIMING_TASKS_FIELD(task);
    TIMING_TASKS_FIELD(min_interval);
    TIMING_TASKS_FIELD(first_offset);
    TIMING_TASKS_FIELD(offsets);
    TIMING_TASKS_FIELD(first_target);
    TIMING_TASKS_FIELD(peepholes);
    TIMING_TASKS_FIELD(forget_gate);
    TIMING_TASKS_FIELD(sigmoid_output);
    TIMING_TASKS_FIELD(learn_cell_state);
    TIMING_TASKS_FIELD(learn_cell_output);
    TIMING_TASKS_FIELD(frozen_weights);
    TIMING_TASKS_FIELD(update_per_stream);
    TIMING_TASKS_FIELD(update_without_target);
    TIMING_TASKS_FIELD(update_when_wrong);
    TIMING_TASKS_FIELD(momentum_carried_over);
    TIMING_TASKS_FIELD(training_between_tests);
    TIMING_TASKS_FIELD(state_carried_over);
    TIMING_TASKS_FIELD(first_spike_later);
    TIMING_TASKS_FIELD(input_at_start);
    TIMING_TASKS_FIELD(centred_logistic);
    TIMING_TASKS_FIELD(full_gradient);
    TIMING_TASKS_FIELD(training_periods);
    TIMING_TASKS_FIELD(test_periods);
    TIMING_TASKS_FIELD(test_streams);
    TIMING_TASKS_FIELD(budget_training_streams);
    TIMING_TASKS_FIELD(budget_net_steps);
    TIMING_TASKS_FIELD(learning_rate);
    TIMING_TASKS_FIELD(momentum);
    TIMING_TASKS_FIELD(tolerance);
    TIMING_TASKS_FIELD(initial_noise);
#undef TIMING_TASKS_FIELD
    return fields;
}

}  // namespace

NB_MODULE(_timing_tasks_native, m) {
    m.attr("WEIGHTS") = static_cast<int>(WEIGHTS);
    m.attr("TRACES") = TRACES;
    m.attr("CONDITION_BYTES") = sizeof(Condition);
    m.attr("CONDITION_FIELDS") = condition_fields();
    m.def("instruction_sets", &instruction_sets);
    m.def("throughput", &throughput, nb::arg("instruction_set"));
    m.def("run", &run, nb::arg("conditions"), nb::arg("offsets"), nb::arg("targets"), nb::arg("keys"), nb::arg("state"),
          nb::arg("net_steps"), nb::arg("threads"), nb::arg("instruction_set"));
    m.def("run_scalar", &run_scalar, nb::arg("conditions"), nb::arg("offsets"), nb::arg("targets"), nb::arg("keys"),
          nb::arg("state"), nb::arg("net_steps"));
    bind_layer(m);
}
