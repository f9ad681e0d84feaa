//! The program `outlast`.

/// A delivery is some dozens of allocations, most of them the HTTP client's, made on one thread and freed on another. That is
/// what this allocator is good at: docs/PERFORMANCE.md has both figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    outlast::cli::run()
}
