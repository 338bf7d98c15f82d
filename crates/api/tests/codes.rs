//! The list of error codes, the sources that use it, and docs/errors.md say the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use steward_engine::{Blame, Code, Scope};

/// Crates that give codes to errors.
const CRATES: [&str; 6] = ["api", "engine", "node", "runtime", "steward", "store"];
/// If it is set, the page is written: `WRITE_ERRORS_PAGE=1 cargo test -p steward-api --test codes`.
const WRITE_PAGE: &str = "WRITE_ERRORS_PAGE";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            out.push((path, text));
        }
    }
}

/// Returns the sources without their tests, and without the list itself.
fn sources_of(name: &str) -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    sources(&root().join("crates").join(name).join("src"), &mut out);
    out.retain(|(path, _)| !path.ends_with("engine/src/face/code.rs"));
    for (_, text) in &mut out {
        let end = text.find("#[cfg(test)]").unwrap_or(text.len());
        text.truncate(end);
    }
    out
}

/// Returns the codes in a text.
fn codes_in(text: &str) -> BTreeSet<&'static str> {
    let words = text.split("Code::").skip(1);
    let variant = |rest: &str| rest.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned);
    let used: BTreeSet<String> = words.filter_map(variant).collect();
    let is_used = |code: &&Code| used.contains(&format!("{code:?}"));
    Code::ALL.iter().filter(is_used).map(|code| code.name()).collect()
}

#[test]
fn every_code_is_listed_once_and_used() {
    let texts = CRATES.map(|name| sources_of(name).into_iter().map(|(_, text)| text).collect());
    let used = codes_in(&texts.map(|texts: Vec<_>| texts.concat()).concat());
    let mut names = BTreeSet::new();
    for code in Code::ALL {
        let name = code.name();
        assert!(used.contains(name), "{name} is used nowhere");
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(code.meaning().ends_with('.') && !code.hint().is_empty(), "{name}");
    }
    for blame in Blame::ALL {
        assert!(Code::ALL.iter().any(|code| code.blame() == *blame), "{blame:?} is used nowhere");
    }
}

#[test]
fn what_the_api_itself_answers_is_listed_among_its_answers() {
    let api = sources_of("api").into_iter().map(|(_, text)| text).collect::<String>();
    for name in codes_in(&api) {
        let code = Code::ALL.iter().find(|code| code.name() == name).unwrap();
        assert_eq!(code.scope(), Scope::Api, "{name}");
    }
}

/// An answer is read by programs and by people at other machines.
#[test]
fn no_error_of_the_core_names_a_command_line() {
    for (path, text) in ["api", "engine", "store"].into_iter().flat_map(sources_of) {
        // A token that cannot be loaded has no API to answer.
        if path.ends_with("auth.rs") {
            continue;
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.contains("`steward "), "{}: {line}", path.display());
        }
    }
    for code in Code::ALL {
        assert!(!code.hint().contains("`steward "), "{code}");
    }
}

#[test]
fn the_page_of_errors_is_the_list() {
    let path = root().join("docs/errors.md");
    if std::env::var_os(WRITE_PAGE).is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    for (line, (written, listed)) in written.lines().zip(page().lines()).enumerate() {
        assert_eq!(written, listed, "docs/errors.md, line {}: see {WRITE_PAGE}", line + 1);
    }
    assert_eq!(written, page(), "docs/errors.md: see {WRITE_PAGE}");
}

fn page() -> String {
    let mut page = ABOUT.to_owned();
    for blame in Blame::ALL {
        let again = ask_again(*blame);
        page += &format!("| {} | {} | {again} |\n", blame.status(), blame.meaning());
    }
    page += ANSWERS;
    page += "| Code | Status | Means | What to do |\n|---|---|---|---|\n";
    for code in of_scope(Scope::Api) {
        let (status, meaning, hint) = (code.blame().status(), code.meaning(), code.hint());
        page += &format!("| `{code}` | {status} | {meaning} | {hint} |\n");
    }
    page += FAILURES;
    page += "| Code | Means |\n|---|---|\n";
    for (code, meaning) in FAILURE_CODES {
        page += &format!("| `{code}` | {meaning} |\n");
    }
    for (title, scope) in [(START, Scope::Start), (COMMAND_LINE, Scope::CommandLine)] {
        page += title;
        page += "| Code | Means | What to do |\n|---|---|---|\n";
        for code in of_scope(scope) {
            page += &format!("| `{code}` | {} | {} |\n", code.meaning(), code.hint());
        }
    }
    page
}

fn of_scope(scope: Scope) -> Vec<Code> {
    let mut codes: Vec<_> =
        Code::ALL.iter().copied().filter(|code| code.scope() == scope).collect();
    if scope == Scope::Api {
        codes.sort_by_key(|code| (code.blame().status(), code.name()));
    } else {
        codes.sort_by_key(|code| code.name());
    }
    codes
}

fn ask_again(blame: Blame) -> &'static str {
    match blame {
        Blame::Malformed => "no: mend the program",
        Blame::Unauthorized => "with the token",
        Blame::NotFound | Blame::WrongMethod | Blame::TooLarge => "no",
        Blame::Refused => "not before something else has changed",
        Blame::BadRequest => "no: ask for something else",
        Blame::OurFault => "no: see the log",
        Blame::Unavailable => "yes, later",
        Blame::NoAnswer => "look first: it may have been done",
    }
}

const ABOUT: &str = "\
# Errors

<!-- Made from the list of codes in crates/engine/src/face/code.rs: change that, then run
     `WRITE_ERRORS_PAGE=1 cargo test -p steward-api --test codes`. -->

Every answer of the API that is no success is `{\"code\", \"message\", \"hint\"}`: a stable code for
programs, a sentence for people, and what to do about it. A code always comes with the same status.
The hints below are given where the error itself does not know better. `/openapi.json` has the same
list under `components.schemas.Error.x-codes`. Lines of the log have codes of their own: docs/operations.md.

| Status | Means | Ask again? |
|---|---|---|
";

const ANSWERS: &str = "
";

const FAILURES: &str = "
## Of a payment that failed

Why a payment failed is no error of the API: the payment is answered with 200 and says so in
`failure`. The codes that nodes on the way give are those of BOLT 4, such as
`temporary_channel_failure`, `unknown_next_peer` or `incorrect_or_unknown_payment_details`. These are
our own, for payments and, where it says so, for an invoice that was paid:

";

/// Returns the codes in `failure` that no node on the way gave.
const FAILURE_CODES: [(&str, &str); 13] = [
    ("channel_refused", "The channel to the first hop refused the HTLC; the message says why."),
    (
        "claim_overridden",
        "Of an invoice: an override ended the channel before the claim was signed.",
    ),
    ("claim_unsigned", "Of an invoice: the channel was suspended before the claim was signed."),
    ("fee_too_high", "Every route costs more than the payment may."),
    ("htlc_dropped", "The HTLC expired, or the first hop dropped it."),
    ("insufficient_balance", "No route is left that the balance is enough for."),
    ("interrupted", "The node stopped before the payment had left it."),
    ("malformed_onion", "The first hop could not read the onion."),
    ("no_route", "No route is known."),
    (
        "outcome_unknown",
        "Our data was an old copy: whether it was paid is not known; it stays pending.",
    ),
    ("payment_too_late", "Of an invoice: its HTLCs came too close to their expiry to be claimed."),
    ("unknown_failure", "A node gave a code that is not in BOLT 4."),
    (
        "unreadable_failure",
        "A node on the way spoiled the failure; with attribution data the message names the two of which one did.",
    ),
];

#[test]
fn every_failure_of_a_payment_that_is_listed_is_used() {
    let sources: Vec<_> =
        ["engine", "graph", "node", "onion"].into_iter().flat_map(sources_of).collect();
    for (code, _) in FAILURE_CODES {
        let text = format!("\"{code}\"");
        assert!(sources.iter().any(|(_, source)| source.contains(&text)), "{code} is used nowhere");
    }
}

const START: &str = "
## Of a node that does not start

A data directory that cannot be made, restored or started with; `steward` shows the code and ends
with 1.

";

const COMMAND_LINE: &str = "
## Of the command line

What only the program `steward` itself says; with `--json` as an object like the API's. What the
daemon answers it passes on.

";
