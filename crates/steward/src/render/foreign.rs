//! The words of others, made safe to show: nothing in them moves a cursor, turns text around or
//! hides.

/// Returns a text with every control, bidirectional and invisible character as its number:
/// `\u{202e}`.
pub fn visible(text: &str) -> String {
    escape(text, |_| false)
}

/// Does the same for a whole answer, whose lines are ours.
pub fn visible_lines(text: &str) -> String {
    escape(text, |c| c == '\n')
}

fn escape(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_treacherous(c) && !is_kept(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Tells controls (C0, C1), line and paragraph separators, and the format characters of Unicode
/// that change the order of what follows or cannot be seen.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_or_turns_text_around_is_shown_as_its_number() {
        assert_eq!(visible("tea\u{1b}[2J\n"), "tea\\u{1b}[2J\\u{a}");
        assert_eq!(visible("a\u{202e}b\u{2066}c\u{200f}"), "a\\u{202e}b\\u{2066}c\\u{200f}");
        assert_eq!(visible("\u{feff}x\u{200b}"), "\\u{feff}x\\u{200b}");
        assert_eq!(visible("Gruß, 茶, ☕"), "Gruß, 茶, ☕");
    }

    #[test]
    fn lines_of_our_own_stay_lines() {
        assert_eq!(visible_lines("a\nb\u{7}\r"), "a\nb\\u{7}\\u{d}");
    }
}
