// Package backends opens what the numbers are computed on: XLA on an NVIDIA card, XLA on the CPU, or GoMLX's pure Go
// backend, which needs nothing but Go.
//
// [Open] with zero [Options] takes the first of these three that works and says in [Runtime].Reason why. A caller, or
// the environment variable GOMLX_BACKEND, may name one instead; then that one is opened or an error says why not.
// The syntax is GoMLX's, "name:options":
//
//	xla:cpu                                      XLA on the CPU
//	xla:cuda                                     XLA on an NVIDIA card
//	xla:cuda,preallocate=true,memory_fraction=.9 the same with options of go-xla
//	xla:/opt/pjrt_c_api_cpu_plugin.so            a plugin by its path
//	go                                           pure Go
//
// # Plugins
//
// XLA comes as a shared library, a PJRT plugin. Open looks for it where go-xla looks: in PJRT_PLUGIN_LIBRARY_PATH,
// the user's library folder, and the system's. If there is none it is downloaded once into the user's library folder:
// for the CPU from go-xla's release (about 100 MB), or, where that cannot be reached, out of a wheel in the Python
// package index that pip is configured for; for CUDA, which is tried only where an NVIDIA device exists, the wheels
// that JAX publishes (gigabytes). Wheels are checked by their sha256; go-xla's releases publish no hash, so there the
// encrypted connection alone vouches, as in go-xla itself. Options.NoDownload, DUALPROCESS_NO_DOWNLOAD=1 and go-xla's
// own GOMLX_NO_AUTO_INSTALL forbid all downloads.
//
// XLA needs cgo. In a build without a C compiler (CGO_ENABLED=0), with the tag noxla, or for a system that go-xla
// does not know, the package is the same with the pure Go backend alone.
//
// # Traps that this package knows
//
//   - The pure Go backend deadlocks when it runs operations in parallel, its default (compute v0.1.3). Each running
//     operation holds one of the pool's 2·GOMAXPROCS places, and a large matrix product waits in Pool.Saturate for
//     another place to do its work in: once as many products run as there are places, all wait for each other.
//     TestStress, run in that mode, hung 3 times of 3 on 2 cores, with every goroutine in Pool.Saturate or
//     Pool.WaitToStart. So the backend is opened with ops_sequential, where an operation runs outside the pool and
//     holds no place, and ops_parallel is refused. The operations themselves still use all cores.
//   - GOEXPERIMENT=simd builds the pure Go backend with SIMD instructions for matrix products, on amd64. With compute
//     v0.1.14, which Go 1.27 can use, they serve other operations, too, and there exp, tanh and sigmoid of what is no number
//     are numbers, and exp of 89 and more is 1.7e38 in place of infinite: a model whose numbers are not finite may go
//     unnoticed for longer. compute v0.1.14 does not deadlock in its parallel mode, but without SIMD instructions that took
//     1.4 times as long (10 updates of examples/horizon on two cores: 25.0 s in place of 17.8).
//   - go-xla installs plugins by itself when it is given a plugin's name, printing to standard output and without
//     timeouts. It is given paths here, which keeps it quiet.
//   - go-xla takes a plugin for CUDA when "cuda" or "nvidia" is anywhere in its path, which breaks the CPU plugin of a
//     user called nvidia. Such a plugin is opened through a link with a plain name.
//   - Memory on a CUDA card is taken as needed. Options.Preallocate takes a share at once instead, which avoids
//     fragmentation in long runs. XLA's own limit is 75 % of the card, silently; here it is 95 %, which Runtime.Memory tells.
//   - Without XLA's autotuning (--xla_gpu_autotune_level=0) products and convolutions take the first way that works: an update
//     of FLUX.1 schnell with Qwen2.5-VL-7B took 15.5 s on an H100 in place of 0.22 s. Compiling took 169 s in place of 199 s.
//   - XLA's CPU backend allocates a program's scratch space in every run, and glibc gives it back to the kernel, which
//     clears every page again: up to a fifth of an update's time on two cores. Open tells glibc to keep it; see
//     Options.PlainMalloc. GLIBC_TUNABLES=glibc.malloc.hugetlb=1 in the environment, which glibc reads before the
//     program starts and no library can set, saves more of it: its pages are then huge ones.
//   - What it keeps so, with glibc's defaults as well, is nearly all that a process holds after work on small models: of
//     1.1 GB after the first of several distillations of the pocket models, 0.1 GB was in use, and compiling had taken
//     the most. Without the library's cache of programs, compiling again and again brought it to 2.2 GB after eight.
//     Runtime.Trim gives it back in some 30 ms, and is called when a program was compiled, at the end of Distill, Evaluate
//     and OptimizeLatents, and when a Model is closed. What remains, some 250 MB after all models are closed, is XLA's
//     plugin itself and pages that hold few bytes each. A model opened, compiled and closed 40 times on XLA stayed within
//     227 MB, and within 267 MB where another came before it; with MALLOC_ARENA_MAX=1 in the environment within 218 MB,
//     for an eighth to a quarter more time of compilation.
//   - XLA's CPU backend begins all operations that can be begun, the conversions of all weights among them, whose copies
//     then lie in memory at once. Open has it save memory instead, by xla_cpu_scheduler_type in XLA_FLAGS, which is set
//     while a plugin is loaded and put back afterwards. What XLA_FLAGS says about it already is left alone.
//   - Programs that are compiled cannot be kept on the disk. PJRT can write and read them (PJRT_Executable_Serialize,
//     PJRT_Executable_DeserializeAndLoad), and go-xla v0.4.5 has the C side of both in gen_api_calls.h; what is missing is
//     a Go method in its package pjrt, and then a way through GoMLX's interface compute.Builder, which only compiles. Of
//     XLA's own flags, none keeps programs; on CUDA XLA_FLAGS=--xla_gpu_per_fusion_autotune_cache_dir=DIR keeps what its
//     autotuner measured, which saves part of the time. Within a process everything is compiled once.
//   - Device memory is freed by Go's garbage collector, which does not see it: call FinalizeAll on tensors that are
//     done with.
package backends
