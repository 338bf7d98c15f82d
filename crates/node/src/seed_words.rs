//! Seed words as people write, print and paste them, into words with single spaces. `seed` judges
//! whether they are a seed.

use zeroize::Zeroizing;

use crate::seed_error::SeedError;

/// Characters that are no white space to Unicode, and no part of a word.
const BESIDE_WORDS: &str =
    "\u{feff}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2060}\u{ad}“”‘’„‚«»‹›–—•·…、。，．";

/// Returns the words in lower case with single spaces. Numbers beside the words put them in order;
/// commas, quotes, brackets and invisible characters are left out.
pub(crate) fn tidy(text: &str) -> Result<Zeroizing<String>, SeedError> {
    let mut tokens = tokens(text);
    let is_numbered = tokens.iter().any(|token| is_number(token));
    if is_numbered {
        tokens = in_order(tokens)?;
    }
    // The text has room for all at once: growing would leave copies behind.
    let mut words = Zeroizing::new(String::with_capacity(2 * text.len()));
    for token in &tokens {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(token);
    }
    Ok(words)
}

/// Takes words and numbers apart, even where nothing stands between them.
fn tokens(text: &str) -> Vec<Zeroizing<String>> {
    let mut tokens: Vec<Zeroizing<String>> = Vec::new();
    let mut before = Class::Beside;
    for character in text.chars() {
        let class = Class::of(character);
        if class != Class::Beside {
            if class != before {
                tokens.push(Zeroizing::new(String::with_capacity(64)));
            }
            if let Some(token) = tokens.last_mut() {
                token.extend(character.to_lowercase());
            }
        }
        before = class;
    }
    tokens
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Beside,
}

impl Class {
    fn of(character: char) -> Self {
        match character {
            _ if character.is_ascii_digit() => Self::Digit,
            _ if character.is_whitespace() || character.is_control() => Self::Beside,
            _ if character.is_ascii_punctuation() || BESIDE_WORDS.contains(character) => {
                Self::Beside
            }
            // A letter may be of any language: whether it is English is seen later.
            _ => Self::Letter,
        }
    }
}

fn is_number(token: &str) -> bool {
    token.starts_with(|character: char| character.is_ascii_digit())
}

/// Returns the words by their numbers, which stand before them and run from 1, in any order.
fn in_order(tokens: Vec<Zeroizing<String>>) -> Result<Vec<Zeroizing<String>>, SeedError> {
    let mut numbered = Vec::with_capacity(tokens.len() / 2);
    let mut tokens = tokens.into_iter();
    while let Some(number) = tokens.next() {
        let number: usize = number.parse().map_err(|_| SeedError::Numbering)?;
        let word = tokens.next().filter(|token| !is_number(token)).ok_or(SeedError::Numbering)?;
        numbered.push((number, word));
    }
    numbered.sort_by_key(|(number, _)| *number);
    match numbered.iter().enumerate().all(|(index, (number, _))| *number == index + 1) {
        true => Ok(numbered.into_iter().map(|(_, word)| word).collect()),
        false => Err(SeedError::Numbering),
    }
}
