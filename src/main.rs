//! The `shardway` command.

/// Requests of the AWS API allocate: `tuning/allocator.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    shardway::cli::run()
}
