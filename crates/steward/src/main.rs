//! The binary: everything is in the library, so that tests can use it.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    steward::panics::end_the_process();
    steward::run(std::env::args_os())
}
