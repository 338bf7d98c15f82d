//! What CONTRIBUTING.md asks of the repository and the compiler does not see.

use steward_tidy::files::{TextFile, tracked};
use steward_tidy::{circles, citations, functions, layout, lints, words};

fn file(path: &str, text: &str) -> TextFile {
    TextFile { path: path.to_owned(), text: text.to_owned() }
}

fn must_be_empty(found: &[String]) {
    assert!(found.is_empty(), "{} places:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_citation_can_be_opened_by_a_reader_of_the_repository() {
    must_be_empty(&citations::dangling(&tracked()));
}

#[test]
fn a_citation_of_a_missing_document_or_section_is_found() {
    let files = [
        file("docs/here.md", "# Here\n## 1. One\n### 1.2 Two\n"),
        file("a.rs", "// docs/here.md section 1.2, and docs/here.md\n// sections 1 and 3.\n"),
        file("b.rs", "//! gone.md says so\n/// (P§3), here.md\n"),
        file("docs/c.md", "See [here](here.md).\n"),
    ];
    let found = citations::dangling(&files);
    assert_eq!(
        found,
        [
            "a.rs:1: docs/here.md has no section 3",
            "b.rs:1: gone.md is not in the repository",
            "b.rs:2: P§ names a document that is not here",
            "b.rs:2: here.md is not in the repository",
        ]
    );
}

#[test]
fn every_module_is_in_the_layout_list_of_its_crate() {
    must_be_empty(&layout::unlisted(&tracked()));
}

#[test]
fn a_module_that_the_list_leaves_out_is_found() {
    let text = "//! Layout\n//! - `a`: one\nmod a;\npub mod b;\n";
    let found = layout::unlisted(&[file("crates/x/src/lib.rs", text)]);
    assert_eq!(found, ["crates/x/src/lib.rs: module `b`"]);
}

#[test]
fn no_function_is_longer_than_the_limit() {
    must_be_empty(&functions::too_long(&tracked()));
}

#[test]
fn a_long_function_is_found() {
    let body = "    x();\n".repeat(functions::MAX_FUNCTION_LINES);
    let text =
        format!("trait T {{\n    fn a();\n}}\npub(crate) fn long(\n    a: u8,\n) {{\n{body}}}\n");
    let found = functions::too_long(&[file("a.rs", &text)]);
    assert_eq!(found, ["a.rs:4: long has 74 lines"]);
}

#[test]
fn no_text_has_a_word_of_the_ban_list() {
    must_be_empty(&words::banned(&tracked()));
}

#[test]
fn a_banned_word_is_found_as_a_word_only() {
    let found = words::banned(&[file("a.md", "To whom?\nA fulfillment.\nFulfil it.\n")]);
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let files = tracked();
    let found: Vec<String> = WITHOUT_CIRCLES
        .iter()
        .flat_map(|folder| {
            let groups = circles::circles(&files, folder).into_iter();
            groups.map(move |group| format!("{folder}: {}", group.join(" ")))
        })
        .collect();
    must_be_empty(&found);
}

/// The crates whose files do not use each other in a circle, and shall not begin to.
const WITHOUT_CIRCLES: [&str; 17] = [
    "crates/wire",
    "crates/htlc",
    "crates/hosted",
    "crates/funded",
    "crates/onion",
    "crates/invoice",
    "crates/engine",
    "crates/runtime",
    "crates/graph",
    "crates/node",
    "crates/p2p",
    "crates/chain",
    "crates/api",
    "crates/store",
    "crates/testkit",
    "crates/tidy",
    "crates/bench",
];

#[test]
fn a_circle_between_files_is_found() {
    let files = [
        file("c/src/lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\n"),
        file("c/src/a.rs", "use crate::{b::B, x};\n"),
        file("c/src/b/mod.rs", "mod d;\nuse self::d::D;\n"),
        file("c/src/b/d.rs", "fn f() { crate::c::f() }\n"),
        file("c/src/c.rs", "use crate::a::A;\n// use crate::c\n"),
    ];
    assert_eq!(circles::circles(&files, "c"), [["a", "b", "b::d", "c"]]);
}

#[test]
fn every_crate_root_asks_for_the_lints_of_production_code() {
    must_be_empty(&lints::missing(&tracked()));
}

#[test]
fn a_crate_root_without_the_lints_is_found() {
    let files = [
        file("crates/x/src/lib.rs", "#![forbid(unsafe_code)]\n"),
        file("crates/sim/src/lib.rs", "#![forbid(unsafe_code)]\n"),
        file("crates/y/src/main.rs", lints::NO_PANICS),
    ];
    let found = lints::missing(&files);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().any(|line| line == &format!("crates/x/src/lib.rs: {}", lints::NO_PANICS)));
}
