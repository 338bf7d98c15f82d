//! What was meant by a key or a variable that there is not.

use super::{Config, KeyInfo};

/// Returns the key most like `path`, if it could be a slip of the hand.
pub(super) fn nearest_key(path: &str) -> Option<String> {
    let candidates = Config::keys().map(KeyInfo::path);
    let with_distance = candidates.map(|key| (edit_distance(&key, path), key));
    let best = with_distance.min()?;
    // The right name in the wrong section, or none, is the commonest slip.
    let name = path.rsplit('.').next().unwrap_or(path);
    let elsewhere = Config::keys().find(|key| key.name == name).map(KeyInfo::path);
    elsewhere.or_else(|| (best.0 <= 1 + path.len() / 5).then_some(best.1))
}

/// Returns the variable that was meant by `STEWARD_` and `name`, which has no section: one with
/// other underscores, without its section, or with a slip of the hand.
pub(super) fn meant_variable(name: &str) -> Option<String> {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let given = plain(name);
    let slips = if given.len() < SHORT_NAME { 0 } else { 2 };
    let of_section = Config::keys().find(|key| {
        edit_distance(&plain(key.variable().trim_start_matches("STEWARD_")), &given) <= slips
    });
    // A name of one word may be another program's.
    let without_section = || {
        let is_telling = |key: &&KeyInfo| key.name.contains('_') || key.secret;
        Config::keys().filter(is_telling).find(|key| plain(key.name) == given)
    };
    of_section.or_else(without_section).map(KeyInfo::variable)
}

/// The length below which names are no slips of the hand for each other, in letters.
const SHORT_NAME: usize = 7;

/// Computes Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(from != *to);
            left = replaced.min(left + 1).min(above + 1);
            next.push(left);
            diagonal = *above;
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
