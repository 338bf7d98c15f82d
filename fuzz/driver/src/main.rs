//! libFuzzer around one harness, named by `STEWARD_HARNESS`; `--list` names them all.
//! `scripts/fuzz` builds and runs it.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use steward_fuzz::{HARNESSES, Harness};

static HARNESS: LazyLock<&Harness> = LazyLock::new(|| {
    let name = std::env::var("STEWARD_HARNESS").unwrap_or_default();
    steward_fuzz::find(&name).unwrap_or_else(|| {
        eprintln!("error: set STEWARD_HARNESS to a name that --list shows");
        std::process::exit(2);
    })
});

fuzz_target!(
    init: {
        if std::env::args().any(|argument| argument == "--list") {
            HARNESSES.iter().for_each(|harness| println!("{} {}", harness.name, harness.max_len));
            std::process::exit(0);
        }
    },
    |data: &[u8]| (HARNESS.run)(data)
);
