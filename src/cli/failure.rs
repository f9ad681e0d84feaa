//! Why a command ends without having done what it was asked, and what the process then says.

use std::fmt;
use std::io;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::error::{Error, ErrorKind};

/// The end of a command that failed: exit code, what happened, and the remedy where there is one.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// It failed: exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Failure { code: 1, message: message.into(), help: None }
    }

    /// It was asked in a way, or configured in a way, that cannot work: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure { code: 2, message: message.into(), help: None }
    }

    /// It failed, and has said so already.
    pub(crate) fn told() -> Self {
        Failure::new("")
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Tells it on stderr and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            for line in self.message.lines() {
                super::print::note(&format!("error: {line}"));
            }
        }
        if let Some(help) = &self.help {
            super::print::note(&format!("help: {help}"));
        }
        ExitCode::from(self.code)
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Configuration => Failure::usage(error.to_string()),
            _ => Failure::new(error.to_string()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let failure = Failure::usage(error.to_string());
        match error {
            ConfigError::File { missing: true, .. } => {
                failure.help("`outlast init` writes one; --config FILE or OUTLAST_CONFIG names another")
            }
            _ => failure,
        }
    }
}

/// Output that cannot be written. A reader that has gone, such as `head`, has what it wanted.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure { code: 0, message: String::new(), help: None },
            _ => Failure::new(format!("the output cannot be written: {error}")),
        }
    }
}
