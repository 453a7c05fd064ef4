//! Rank 9: the commands. One file per command; what they print and how they fail is shared.

mod account;
mod check;
mod connect;
mod consumer;
mod data_dir;
mod doctor;
mod failure;
mod followed_files;
mod inspect;
mod notices;
mod output;
mod pause;
mod progress;
mod put;
mod serve;
mod service_manager;
mod shard;
mod shards;
mod stream;
mod tags;
mod tail;
mod time;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Kinesis Data Streams that you run yourself.
#[derive(Parser, Debug)]
#[command(name = "shardway", version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(Box<serve::Serve>),
    #[command(subcommand)]
    Stream(stream::Stream),
    #[command(subcommand)]
    Consumer(consumer::Consumer),
    Shards(shards::Shards),
    Account(account::Account),
    Put(put::Put),
    Tail(tail::Tail),
    Check(check::Check),
    Inspect(inspect::Inspect),
    Doctor(doctor::Doctor),
}

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  the server refused the request, or records were not stored
  2  wrong usage or configuration, or a directory that is not Shardway's
  3  no server could be reached, or the connection failed
  4  this machine cannot run a server, or another process or release has the data dir
  5  the data dir is damaged (serve, check)";

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse_from(tail::join_at_timestamp(std::env::args_os()));
    match execute(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(command) => command.run(),
        Command::Stream(command) => command.run(),
        Command::Consumer(command) => command.run(),
        Command::Shards(command) => command.run(),
        Command::Account(command) => command.run(),
        Command::Put(command) => command.run(),
        Command::Tail(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Doctor(command) => command.run(),
    }
}

#[cfg(test)]
mod fake_server;
#[cfg(test)]
mod tests;
