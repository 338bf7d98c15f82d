//! Secrets that are not on the command line: in a file, or typed.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use steward_engine::Code;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use steward_node::text::decode;

use crate::failure::Failure;
use crate::limits::MAX_SECRET_FILE_BYTES;
use crate::output::Output;

/// Reads the secret for a host, from the flag or the file, `-` being standard input.
///
/// # Errors
/// `bad_secret` for one that no host can have meant.
pub(crate) fn read_secret(
    output: Output,
    flag: Option<String>,
    file: Option<&Path>,
) -> Result<Option<String>, Failure> {
    let secret = match (flag, file) {
        (None, None) => return Ok(None),
        (Some(secret), _) => secret,
        (None, Some(path)) if path == Path::new("-") => one_line(&typed(output)?)?.to_owned(),
        (None, Some(path)) => {
            let file = File::open(path).map_err(|error| Failure::io(path.display(), &error))?;
            one_line(&text_of(file, &path.display().to_string())?)?.to_owned()
        }
    };
    match secret.strip_prefix("hex:").unwrap_or(&secret).is_empty() {
        true => Err(bad("the secret is empty")),
        false if secret.trim() != secret => Err(bad("the secret begins or ends with white space")),
        false => Ok(Some(secret)),
    }
}

/// Reads it from standard input; on a terminal without showing it.
fn typed(output: Output) -> Result<String, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return text_of(stdin, "standard input");
    }
    output.progress("Type the secret, it is not shown:");
    let _quiet = NoEcho::begin();
    let mut line = String::new();
    stdin.read_line(&mut line).map_err(|error| Failure::io("standard input", &error))?;
    Ok(line)
}

fn text_of(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let limited = source.take(MAX_SECRET_FILE_BYTES);
    { limited }.read_to_end(&mut bytes).map_err(|error| Failure::io(name, &error))?;
    decode(bytes).map_err(|encoding| bad(&format!("{name} is {encoding}")))
}

/// Returns it without the end of its line, and refuses a second line.
fn one_line(text: &str) -> Result<&str, Failure> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.contains(['\n', '\r']) {
        true => Err(bad("the secret has more than one line")),
        false => Ok(line),
    }
}

fn bad(problem: &str) -> Failure {
    Failure::new(Code::BadSecret, problem, "it is what the host gave you, in one line")
}

/// The terminal does not show what is typed, until this is dropped.
struct NoEcho(Option<rustix::termios::Termios>);

impl NoEcho {
    fn begin() -> Self {
        let before = tcgetattr(io::stdin()).ok();
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &quiet);
        }
        Self(before)
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}
