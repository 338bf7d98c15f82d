//! Words that docs/glossary.md rules out, in comments, documents and texts for people.

use crate::files::TextFile;

/// Each word, in lower case, and what is written instead.
const BANNED: [(&str, &str); 6] = [
    ("fulfil", "fulfill (BOLT 2)"),
    ("fulfils", "fulfills (BOLT 2)"),
    ("deeds", "actions, effects"),
    ("anew", "again"),
    ("for ever", "forever, without end"),
    ("whom", "name the thing: the peer, the client, the caller"),
];

/// Returns one line for each place with such a word.
pub fn banned(files: &[TextFile]) -> Vec<String> {
    let is_ours = |file: &&TextFile| {
        let is_exempt = ["CHANGELOG.md", "docs/glossary.md", "docs/protocol.md"]
            .contains(&file.path.as_str())
            || file.path.starts_with("crates/tidy/");
        !is_exempt && (file.is_rust() || file.is_markdown())
    };
    let mut found = Vec::new();
    for file in files.iter().filter(is_ours) {
        for (number, line) in file.lines() {
            let lower = line.to_lowercase();
            for (word, better) in BANNED.iter().filter(|(word, _)| has_word(&lower, word)) {
                found.push(format!("{}:{number}: \"{word}\": {better}", file.path));
            }
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric();
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_letter) && !after.is_some_and(is_letter)
    })
}
