//! Every harness as a property test: over its corpus, over earlier failures, and over seeded
//! mutations of both. `make fuzz` does the same for hours, guided by coverage.

use std::path::Path;
use std::time::{Duration, Instant};

use steward_fuzz::{HARNESSES, Harness, find};

/// The most time for one harness's mutations; most of them end much sooner by count.
const BUDGET: Duration = Duration::from_millis(600);
const MUTATIONS: usize = 400;

/// Reads the files of a folder, sorted by name, so that a failure is the same everywhere.
fn inputs(folder: &str, harness: &Harness) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(harness.name);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// A xorshift64* generator: enough to mutate, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Makes one to four edits: a bit, a byte, an edge, a cut, an insertion, a splice with another
/// input.
fn mutate(random: &mut Random, data: &mut Vec<u8>, other: &[u8], max_len: usize) {
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        match random.below(7) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 if at < data.len() => data[at] = random.next() as u8,
            2 if at < data.len() => data[at] = [0, 1, 0x7f, 0x80, 0xfd, 0xff][random.below(6)],
            3 => data.truncate(at),
            4 => {
                let len = 1 + random.below(16);
                let inserted = random.bytes(len);
                data.splice(at..at, inserted);
            }
            5 => {
                let from = random.below(other.len() + 1);
                data.truncate(at);
                data.extend_from_slice(&other[from..]);
            }
            _ => {
                let len = 1 + random.below(64);
                let appended = random.bytes(len);
                data.extend(appended);
            }
        }
    }
    data.truncate(max_len);
}

/// Names the input before it runs, so that a panic can be replayed.
fn run(harness: &Harness, name: &str, data: &[u8]) {
    let result = std::panic::catch_unwind(|| (harness.run)(data));
    if result.is_err() {
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("harness {} fails for {name}: {hex}", harness.name);
    }
}

fn check(name: &str) {
    let harness = find(name).unwrap();
    let mut seeds = inputs("corpus", harness);
    assert!(!seeds.is_empty(), "corpus/{name} is empty");
    seeds.extend(inputs("regressions", harness));
    for (file, data) in &seeds {
        run(harness, file, data);
    }
    let mut random = Random(0x5eed_0000_0000_0001);
    let start = Instant::now();
    for round in 0..MUTATIONS {
        if start.elapsed() > BUDGET {
            break;
        }
        let (file, data) = &seeds[random.below(seeds.len())];
        let other = &seeds[random.below(seeds.len())].1;
        let mut data = data.clone();
        mutate(&mut random, &mut data, other, harness.max_len);
        run(harness, &format!("mutation {round} of {file}"), &data);
        let len = random.below(harness.max_len.min(300));
        run(harness, "random bytes", &random.bytes(len));
    }
}

macro_rules! harness_tests {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        #[test]
        fn every_harness_has_a_test_and_a_name_of_its_own() {
            let mut tested = [$(stringify!($name)),*];
            tested.sort_unstable();
            let mut names: Vec<_> = HARNESSES.iter().map(|harness| harness.name).collect();
            names.sort_unstable();
            assert_eq!(names, tested);
        }
    };
}

harness_tests! {
    api_body api_query api_request api_store chain_replies channel_hostile channel_honest channel_record channel_rough cli_amount
    config_file config_flags engine_frames funded_messages funded_record invoice_build invoice_fields invoice_text onion_blinded
    onion_failure onion_packet onion_payload onion_route p2p_address p2p_handshake p2p_messages
    p2p_roles resolver_blob resolver_record store_blob wire_body wire_channel wire_framing wire_gossip wire_onchain wire_state wire_text
    wire_tlv
}

#[test]
fn the_corpus_is_small_and_nothing_in_it_is_longer_than_its_harness_reads() {
    let mut total = 0;
    for harness in HARNESSES {
        for folder in ["corpus", "regressions"] {
            for (name, data) in inputs(folder, harness) {
                assert!(data.len() <= harness.max_len, "{folder}/{}/{name}", harness.name);
                total += data.len();
            }
        }
    }
    assert!(total < 800_000, "{total} bytes");
}
