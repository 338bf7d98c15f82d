//! One program: the daemon, and the command line that talks to it by HTTP.
//!
//! Layout
//! - [`cli`]: every command, flag and argument
//! - `commands`: the work of the commands, one module per group
//! - [`amount`]: amounts with units, read and written
//! - [`render`]: answers as people read them
//! - [`output`]: stdout and stderr, for people or for programs
//! - [`failure`]: errors, and the exit code
//! - `secret`: secrets typed or in files; `harden`: no copies of memory on disk
//! - [`client`]: the daemon's API, asked; `place`, `transport`: where it is and how it is reached
//! - [`daemon`]: `steward start`; `log`, `signals`: its log, and the signals of the system
//! - [`panics`]: the end of a process with a bug
//! - [`cluster`]: nodes as child processes, for playground, demo and tests
//! - `demo`, `playground`: the programs of `make demo` and `make playground`
//! - [`limits`]: every bound
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

pub mod amount;
pub mod cli;
pub mod client;
pub mod cluster;
mod commands;
pub mod daemon;
mod demo;
pub mod failure;
mod harden;
pub mod limits;
mod log;
pub mod output;
pub mod panics;
mod place;
mod playground;
pub mod render;
mod secret;
mod signals;
mod transport;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use steward_engine::Code;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// Returns what is wrong, in one line: clap puts the arguments that are missing in lines of their
/// own.
fn first_paragraph(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let message = lines.collect::<Vec<_>>().join(" ");
    message.strip_prefix("error: ").unwrap_or(&message).to_owned()
}

/// Prints help, which is text for people and programs alike, and the version.
fn show(asked: &clap::Error, wants_json: bool) -> Result<(), Failure> {
    if wants_json && asked.kind() == ErrorKind::DisplayVersion {
        let version = serde_json::json!({ "version": env!("CARGO_PKG_VERSION") });
        return Output::new(true).answer(&version, |_| String::new());
    }
    output::read_or_not(asked.print().and_then(|()| io::stdout().flush()))
        .map_err(|error| output::unsaid(&error))
}

/// Returns the exit code, after it has said what went wrong.
fn said(result: Result<(), Failure>, wants_json: bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            Output::new(wants_json).failure(&failure);
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Runs one command line. The exit code is 0 if it did what it should, 1 if not, 2 if it makes no
/// sense, 70 after a panic (docs/operations.md). `verify` ends with 0 if the debt is proved, 1 if not, 2 if there was nothing to read.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    harden::no_core_dumps();
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    match Cli::try_parse_from(&arguments) {
        Ok(cli) => {
            let output = Output::new(cli.global.json);
            said(commands::run(cli, output), output.is_json())
        }
        // Help and version are no errors.
        Err(error) if !error.use_stderr() => said(show(&error, wants_json), wants_json),
        Err(error) if !wants_json => {
            // If it cannot be read, the exit code says it as well.
            let _ = error.print();
            ExitCode::from(2)
        }
        Err(error) => {
            let message = first_paragraph(&error.render().to_string());
            Output::new(true).failure(&Failure::new(Code::Usage, message, "see `steward help`"));
            ExitCode::from(2)
        }
    }
}
