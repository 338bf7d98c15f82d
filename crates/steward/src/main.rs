//! One binary: the daemon and the command line that talks to it.
fn main() {}
