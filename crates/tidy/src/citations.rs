//! A document or a section that a text names and a reader of the repository cannot open.

use std::collections::{BTreeMap, BTreeSet};

use crate::files::TextFile;

/// Marks of documents that exist outside the repository only.
const FOREIGN_MARKS: [&str; 6] = ["P§", "B§", "R§", "L§", "U§", "C§"];

/// Returns one line for each dangling citation: a Markdown file that is not in the repository, or a section of
/// one that has no such heading.
pub fn dangling(files: &[TextFile]) -> Vec<String> {
    let documents = documents(files);
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !is_exempt(&file.path)) {
        for (number, line) in file.lines() {
            let at = format!("{}:{number}", file.path);
            for mark in FOREIGN_MARKS.iter().filter(|mark| line.contains(**mark)) {
                found.push(format!("{at}: {mark} names a document that is not here"));
            }
            let next = file.text.lines().nth(number).unwrap_or_default();
            for citation in citations(line, next) {
                if let Some(problem) = problem(&citation, file.is_markdown(), &documents) {
                    found.push(format!("{at}: {problem}"));
                }
            }
        }
    }
    found
}

/// The page on the protocol cites the documents of other projects. The tests of this crate cite what is not there on purpose.
fn is_exempt(path: &str) -> bool {
    path == "docs/protocol.md" || path.starts_with("crates/tidy/")
}

struct Citation {
    /// The file's path or name as written.
    document: String,
    /// The sections named right after it.
    sections: Vec<String>,
}

/// The headings' numbers of each Markdown file, by its path.
fn documents(files: &[TextFile]) -> BTreeMap<String, BTreeSet<String>> {
    let numbers = |file: &TextFile| {
        let headings = file.text.lines().filter(|line| line.starts_with('#'));
        let numbered = headings.filter_map(|line| {
            let number = line.trim_start_matches('#').split_whitespace().next()?;
            let number = number.trim_end_matches('.');
            let is_number = number.starts_with(|c: char| c.is_ascii_digit());
            is_number.then(|| number.to_owned())
        });
        numbered.collect()
    };
    let documents = files.iter().filter(|file| file.is_markdown());
    documents.map(|file| (file.path.clone(), numbers(file))).collect()
}

fn citations(line: &str, next: &str) -> Vec<Citation> {
    let mut found = Vec::new();
    for (end, _) in line.match_indices(".md") {
        let (before, after) = line.split_at(end);
        if after[3..].starts_with(|c: char| c.is_alphanumeric()) {
            continue; // `.mdx` and the like.
        }
        let is_path = |c: char| c.is_alphanumeric() || "_-./+".contains(c);
        let start = before
            .rfind(|c: char| !is_path(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let document = format!("{}.md", &before[start..]);
        let is_elsewhere = before[..start].ends_with("://") || document.starts_with("//");
        if document == ".md" || is_elsewhere || before.contains("http") {
            continue;
        }
        let rest = after[3..].trim_start_matches([')', ']', '`', ',']);
        let wrapped = format!("{rest} {}", next.trim_start_matches(['/', '!', ' ']));
        found.push(Citation { document, sections: sections(&wrapped) });
    }
    found
}

/// The numbers after "section" or "sections", up to the first word that is none.
fn sections(text: &str) -> Vec<String> {
    let text = text.trim_start();
    let Some(rest) = text.strip_prefix("sections ").or_else(|| text.strip_prefix("section "))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for word in rest.split_whitespace() {
        let number = word.trim_end_matches([',', '.', ')', ';', ':']);
        let is_number = number.starts_with(|c: char| c.is_ascii_digit())
            && number.chars().all(|c| c.is_ascii_digit() || c == '.');
        match word {
            "and" => {}
            _ if is_number => found.push(number.to_owned()),
            _ => break,
        }
        if word.ends_with([')', '.', ';', ':']) {
            break;
        }
    }
    found
}

fn problem(
    citation: &Citation,
    is_page: bool,
    documents: &BTreeMap<String, BTreeSet<String>>,
) -> Option<String> {
    let Citation { document, sections } = citation;
    // A page names its neighbours from where it stands; all else names a path from the root.
    let name = document.trim_start_matches("./").trim_start_matches("../");
    let is_named = |path: &str| path == name || (is_page && path.ends_with(&format!("/{name}")));
    let Some((_, headings)) = documents.iter().find(|(path, _)| is_named(path)) else {
        return Some(format!("{document} is not in the repository"));
    };
    let missing = sections.iter().find(|section| !headings.contains(*section))?;
    Some(format!("{document} has no section {missing}"))
}
