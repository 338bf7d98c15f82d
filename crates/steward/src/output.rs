//! The output of a command: an answer on stdout, for people or as JSON; progress and errors on
//! stderr.

use std::io::{self, ErrorKind, Write};
use steward_engine::Code;

use serde::Serialize;

use crate::failure::Failure;
use crate::render::foreign::visible_lines;

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    json: bool,
}

impl Output {
    /// Makes the form for a program, or for a person.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Tells whether a program reads the output.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints the answer: `value` for programs, `text` for people.
    ///
    /// # Errors
    /// If stdout cannot be written. A reader that went away is no error.
    pub fn answer<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let text = self.written(value, text)?;
        read_or_not(write_all(&mut io::stdout().lock(), &text)).map_err(|error| unsaid(&error))
    }

    /// Prints the answer, where it matters that it is read.
    ///
    /// # Errors
    /// If stdout cannot be written, or its reader went away.
    pub fn answer_surely<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        let text = self.written(value, text)?;
        write_all(&mut io::stdout().lock(), &text).map_err(|error| unsaid(&error))
    }

    fn written<T: Serialize>(
        self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<String, Failure> {
        match self.json {
            true => serde_json::to_string_pretty(value)
                .map_err(|error| Failure::new(Code::Bug, error.to_string(), "please report it")),
            false => Ok(visible_lines(&text(value))),
        }
    }

    /// Prints progress, for people.
    pub fn progress(self, text: &str) {
        if !self.json {
            // A missing reader is no reason to stop.
            let _ = write_all(&mut io::stderr().lock(), &visible_lines(text));
        }
    }

    /// Prints what went wrong: JSON on stdout for programs, a sentence and a hint on stderr for
    /// people, and for programs whose stdout takes nothing.
    pub fn failure(self, failure: &Failure) {
        let is_said = match self.json {
            true if failure.in_answer => Ok(()),
            true => read_or_not(write_all(
                &mut io::stdout().lock(),
                &serde_json::to_string_pretty(failure).unwrap_or_default(),
            )),
            false => Err(ErrorKind::Unsupported.into()),
        };
        if is_said.is_err() {
            // The exit code says it as well.
            let _ = write_all(&mut io::stderr().lock(), &visible_lines(&failure_text(failure)));
        }
    }
}

/// Returns the failure of an answer that could not be written.
pub(crate) fn unsaid(error: &io::Error) -> Failure {
    Failure::new(
        Code::IoError,
        format!("the answer cannot be written to standard output: {error}"),
        "what was asked may have been done; write to a disk with room, and ask again",
    )
}

/// Returns a failure as people read it.
fn failure_text(failure: &Failure) -> String {
    let mut text = format!("error: {}", failure.message);
    if !failure.hint.is_empty() {
        text.push_str(&format!("\nhint: {}", failure.hint));
    }
    text.push_str(&format!("\ncode: {}", failure.code));
    text
}

/// Forgives a reader that went away.
pub(crate) fn read_or_not(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn write_all(to: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(to, "{text}").and_then(|()| to.flush())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_error_but_a_full_disk_is() {
        assert!(read_or_not(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(read_or_not(Err(ErrorKind::StorageFull.into())).is_err());
    }

    #[test]
    fn a_failure_has_a_sentence_a_hint_and_a_code() {
        let text = failure_text(&Failure::new(Code::Usage, "it failed", "try again"));
        assert_eq!(text, "error: it failed\nhint: try again\ncode: usage");
    }

    #[test]
    fn no_hint_means_no_hint_line() {
        let text = failure_text(&Failure::new(Code::Usage, "it failed", ""));
        assert_eq!(text, "error: it failed\ncode: usage");
    }
}
