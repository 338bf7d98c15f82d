//! The binary: everything is in the library, so that tests can use it.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

fn main() -> std::process::ExitCode {
    steward::panics::end_the_process();
    steward::run(std::env::args_os())
}
