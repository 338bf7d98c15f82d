//! The seed file: made once, private, never overwritten; words as people type them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use steward_node::seed::SEED_FILE;
use steward_node::{Seed, SeedError};

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

#[test]
fn a_new_seed_has_twelve_words_and_is_never_the_same() {
    let (first, second) = (Seed::generate().unwrap(), Seed::generate().unwrap());
    assert_eq!(first.words().split(' ').count(), 12);
    assert_ne!(first.words(), second.words());
}

#[test]
fn a_stored_seed_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let seed = Seed::generate().unwrap();
    seed.create(dir.path()).unwrap();
    assert_eq!(Seed::load(dir.path()).unwrap().words(), seed.words());
}

#[test]
fn only_its_owner_can_read_the_seed_file() {
    let dir = tempfile::tempdir().unwrap();
    Seed::generate().unwrap().create(dir.path()).unwrap();
    let mode = fs::metadata(dir.path().join(SEED_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_seed_file_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let first = Seed::generate().unwrap();
    first.create(dir.path()).unwrap();
    let again = Seed::generate().unwrap().create(dir.path());
    assert!(matches!(again, Err(SeedError::Exists { .. })));
    assert_eq!(Seed::load(dir.path()).unwrap().words(), first.words());
}

#[test]
fn what_a_crash_left_aside_does_not_stop_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("seed.new"), "half a se").unwrap();
    Seed::generate().unwrap().create(dir.path()).unwrap();
    assert!(Seed::load(dir.path()).is_ok());
    assert!(!dir.path().join("seed.new").exists());
}

#[test]
fn a_missing_seed_is_told_from_a_broken_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Seed::load(dir.path()), Err(SeedError::Missing { .. })));
    fs::write(dir.path().join(SEED_FILE), "half a seed").unwrap();
    assert!(matches!(Seed::load(dir.path()), Err(SeedError::WordCount { found: 3 })));
}

#[test]
fn words_are_accepted_in_any_case_and_spacing() {
    let typed = format!("  {}\n", WORDS.to_uppercase().replace(' ', " \t\n"));
    assert_eq!(Seed::from_words(&typed).unwrap().words(), WORDS);
}

#[test]
fn words_are_accepted_as_lists_people_make() {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let numbered = |form: &dyn Fn(usize, &str) -> String| -> String {
        words.iter().enumerate().map(|(index, word)| form(index + 1, word)).collect()
    };
    for typed in [
        WORDS.replace(' ', ", "),
        WORDS.replace(' ', ","),
        WORDS.replace(' ', "; "),
        WORDS.replace(' ', "、"),
        format!("\u{feff}{WORDS}"),
        format!("\"{WORDS}\""),
        format!("\u{201e}{WORDS}\u{201c}"),
        format!("[\"{}\"]", words.join("\", \"")),
        format!("{}\u{200b}", words.join("\u{a0}\u{200b}")),
        numbered(&|number, word| format!("{number}. {word} ")),
        numbered(&|number, word| format!("{number:2}) {word}\n")),
        numbered(&|number, word| format!("{number}{word}\t")),
        numbered(&|number, word| format!("{number:02}: {word},\r\n")),
        numbered(&|number, word| format!("#{number} - {word}\n")),
    ] {
        assert_eq!(Seed::from_words(&typed).unwrap().words(), WORDS, "{typed:?}");
    }
}

#[test]
fn numbered_words_are_put_in_order() {
    // The words are written in two columns, and read line by line.
    let columns: String = (1..=6)
        .map(|row| {
            let second = if row == 6 { "about" } else { "abandon" };
            format!("{row}. abandon   {}. {second}\n", row + 6)
        })
        .collect();
    assert_eq!(Seed::from_words(&columns).unwrap().words(), WORDS);
}

#[test]
fn numbers_that_give_no_order_are_refused() {
    let numbered = |numbers: &[&str]| {
        let pairs = numbers.iter().zip(WORDS.split(' '));
        pairs.map(|(number, word)| format!("{number} {word} ")).collect::<String>()
    };
    let twice = ["1", "2", "3", "3", "5", "6", "7", "8", "9", "10", "11", "12"];
    let missing = ["1", "2", "3", "", "5", "6", "7", "8", "9", "10", "11", "12"];
    let huge = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "99999999999999999999999"];
    for typed in [numbered(&twice), numbered(&missing), numbered(&huge), format!("{WORDS} 12")] {
        let error = Seed::from_words(&typed).unwrap_err();
        assert!(matches!(error, SeedError::Numbering), "{typed}: {error}");
    }
}

#[test]
fn other_kinds_of_seeds_get_a_hint_that_they_are() {
    let hint = |words: &str| {
        steward_engine::Error::from(Seed::from_words(words).unwrap_err()).hint.clone()
    };
    let french = "abaisser ".repeat(12);
    let spanish = "ábaco ".repeat(12);
    let japanese = "あいこくしん\u{3000}".repeat(12);
    for words in [french.as_str(), &spanish, &japanese] {
        assert!(hint(words).contains("another language"), "{}", hint(words));
    }
    // English words with another checksum.
    assert!(hint(&"abandon ".repeat(24)).contains("aezeed"));
    assert!(hint(&"academic ".repeat(20)).contains("SLIP39"));
}

#[test]
fn seeds_of_all_bip39_lengths_are_accepted() {
    for (words, last) in [(12, "about"), (15, "address"), (18, "agent"), (21, "admit"), (24, "art")]
    {
        let text = format!("{}{last}", "abandon ".repeat(words - 1));
        let seed = Seed::from_words(&text).unwrap();
        assert_eq!(seed.words().split(' ').count(), words);
    }
}

#[test]
fn an_unknown_word_is_named_by_position_and_not_repeated() {
    let error = Seed::from_words(&WORDS.replacen("abandon", "abandonn", 1)).unwrap_err();
    assert!(matches!(error, SeedError::UnknownWord { position: 1 }));
    assert!(!error.to_string().contains("abandonn"));
}

#[test]
fn swapped_words_are_refused() {
    let error = Seed::from_words(&WORDS.replace("about", "abandon")).unwrap_err();
    assert!(matches!(error, SeedError::Checksum));
}

#[test]
fn a_seed_does_not_show_in_debug_output() {
    let shown = format!("{:?}", Seed::from_words(WORDS).unwrap());
    assert!(!shown.contains("abandon"));
}
