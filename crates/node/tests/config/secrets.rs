//! Secrets: they are not shown, are taken whole, and their files must be private.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use steward_node::ConfigError;

use crate::setup::{Setup, setup};

#[test]
fn secrets_are_not_shown() {
    let effective = setup()
        .flag("host.secrets=topsecret")
        .flag("chain.source=bitcoind")
        .flag("chain.user=me")
        .flag("chain.password=topsecret")
        .load()
        .unwrap();
    let shown: Vec<_> = effective.entries().filter_map(|entry| entry.value).collect();
    assert!(!shown.iter().any(|value| value.contains("topsecret")));
    assert!(!format!("{effective:?}").contains("topsecret"));
    assert_eq!(shown.iter().filter(|value| *value == "***").count(), 2);
}

#[test]
fn a_wrong_secret_is_not_repeated_in_the_error() {
    let error = setup().file("[chain]\npassword = [\"topsecret\"]\n").error();
    assert_eq!(error, "FILE, line 2: `chain.password`: the value does not fit");
}

/// Returns the secrets that the engine takes.
fn secrets(setup: &Setup) -> Result<Vec<Vec<u8>>, ConfigError> {
    Ok(setup.load()?.config.engine_config()?.host.secrets)
}

#[test]
fn a_secret_that_is_empty_or_that_no_client_can_type_is_refused() {
    let long = "x".repeat(129);
    for secret in ["", "hex:", " s", "s ", "\ts", "s\n", "\u{a0}s", &long, "hex:0"] {
        let text = format!("[host]\nsecrets = [\"good\", {secret:?}]\n");
        let problem = setup().file(&text.replace("\\u{a0}", "\u{a0}")).unusable();
        assert!(problem.contains("a secret in host.secrets"), "{secret:?}: {problem}");
        assert!(!problem.contains(&long));
        if !secret.is_empty() {
            let by_flag = setup().flag(&format!("host.secrets={secret}"));
            assert!(by_flag.load().is_err() || by_flag.load().unwrap().config.check().is_err());
        }
    }
    let longest = format!("host.secrets={}", "x".repeat(128));
    assert_eq!(secrets(&setup().flag(&longest)).unwrap().len(), 1);
}

#[test]
fn an_empty_list_of_secrets_is_only_meant_if_it_is_written() {
    let error = setup().env("STEWARD_HOST__SECRETS", "").error();
    assert!(error.contains("STEWARD_HOST__SECRETS: `host.secrets`: it is empty"), "{error}");
    assert!(setup().flag("host.secrets=").error().contains("it is empty"));
    assert!(secrets(&setup().env("STEWARD_HOST__SECRETS", "[]")).unwrap().is_empty());
    let no_secret = setup().flag("host.require_secret=true").flag("host.secrets=[]");
    assert!(no_secret.unusable().contains("host.require_secret"));
}

#[test]
fn a_secret_with_a_comma_is_taken_whole_or_refused() {
    for (given, meant) in [
        ("correct horse", vec!["correct horse"]),
        (r#"["correct,horse"]"#, vec!["correct,horse"]),
        (r#"["correct", "horse"]"#, vec!["correct", "horse"]),
        ("['correct,horse']", vec!["correct,horse"]),
    ] {
        let meant: Vec<Vec<u8>> = meant.iter().map(|text| text.as_bytes().to_vec()).collect();
        assert_eq!(secrets(&setup().env("STEWARD_HOST__SECRETS", given)).unwrap(), meant);
        assert_eq!(secrets(&setup().flag(&format!("host.secrets={given}"))).unwrap(), meant);
    }
    for unclear in ["correct,horse", "correct,", "[correct]", "[\"correct\"", "[\"a\"],b"] {
        let error = setup().env("STEWARD_HOST__SECRETS", unclear).error();
        assert!(error.contains("one secret or several"), "{unclear}: {error}");
        assert!(!error.contains("correct"), "{error}");
    }
}

#[test]
fn secrets_come_from_a_file_as_well() {
    let file = |text: &str| {
        let setup = setup().flag("host.require_secret=true");
        let path = setup.dir.path().join("secrets");
        fs::write(&path, text).unwrap();
        setup.flag(&format!("host.secrets_file={}", path.display()))
    };
    let two = secrets(&file("correct,horse\r\n\nhex:00ff\n")).unwrap();
    assert_eq!(two, [b"correct,horse".to_vec(), vec![0, 0xff]]);
    let joined = secrets(&file("a").flag("host.secrets=b")).unwrap();
    assert_eq!(joined, [b"b".to_vec(), b"a".to_vec()]);
    for (text, problem) in [
        ("", "holds no secret"),
        ("\n \n", "holds no secret"),
        ("a\n b\n", "white space"),
        ("hex:\n", "is empty"),
    ] {
        assert!(file(text).unusable().contains(problem), "{text:?}");
    }
    let missing = setup().flag("host.secrets_file=/nonexistent/secrets");
    assert!(missing.unusable().contains("/nonexistent/secrets"));
}

#[test]
fn files_with_secrets_must_be_private() {
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let with_secret = setup().file("[host]\nsecrets = [\"s\"]\n");
    let in_the_group = with_secret.path();
    for (bits, is_private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        mode(&in_the_group, bits);
        let checked = with_secret.load().unwrap().check_private();
        assert_eq!(checked.is_ok(), is_private, "{bits:o}");
        let Err(error) = checked else { continue };
        assert!(error.to_string().contains("my.toml"), "{error}");
        assert!(error.hint().contains("chmod 600"), "{}", error.hint());
    }
    let without = setup().file("[host]\nfee_ppm = 1\n");
    mode(&without.path(), 0o644);
    assert!(without.load().unwrap().check_private().is_ok());
    for key in ["host.secrets_file", "chain.password_file"] {
        let setup = setup();
        let path = setup.dir.path().join("secret");
        fs::write(&path, "s\n").unwrap();
        let setup = setup.flag(&format!("{key}={}", path.display()));
        mode(&path, 0o644);
        assert!(setup.load().unwrap().check_private().is_err(), "{key}");
        mode(&path, 0o600);
        assert!(setup.load().unwrap().check_private().is_ok(), "{key}");
    }
}
