//! The `shardway` command.

fn main() -> std::process::ExitCode {
    shardway::cli::run()
}
