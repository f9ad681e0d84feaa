//! The configuration file.

use std::path::Path;

use crate::config::{Config, ConfigError};

/// What the environment holds under every name that begins with S.
const SECRET: &str = "hush-0f3a9c";

/// The text of a configuration file.
///
/// # Panics
/// A fault has no line, or tells what the environment holds; or what was found sound describes no engine.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let environment = |name: &str| name.starts_with('S').then(|| SECRET.to_owned());
    let path = Path::new("outlast.toml");
    let lines = text.bytes().filter(|byte| *byte == b'\n').count().saturating_add(1);
    match Config::read(path, text, &environment) {
        Ok(config) => sound(config),
        Err(ConfigError::File { path, .. }) => panic!("nobody opened {}", path.display()),
        Err(ConfigError::Faults(faults)) => {
            assert!(!faults.is_empty(), "it is refused without a reason");
            let said = faults.iter().map(ToString::to_string);
            for fault in said {
                judge(&fault, lines);
            }
        }
    }
}

/// `outlast.toml:LINE: what is wrong`, on a line of the file.
fn judge(fault: &str, lines: usize) {
    let mut parts = fault.splitn(3, ':');
    let (name, line, what) = (parts.next(), parts.next(), parts.next());
    assert_eq!(name, Some("outlast.toml"), "{fault}");
    let line: usize = line.and_then(|line| line.parse().ok()).unwrap_or_default();
    assert!((1..=lines).contains(&line), "line {line} of {lines}: {fault}");
    assert!(what.is_some_and(|what| !what.trim().is_empty()), "{fault}");
    assert!(!fault.contains(SECRET), "S16 Silence: {fault}");
}

fn sound(mut config: Config) {
    for warning in config.warnings() {
        assert!(!warning.is_empty(), "a warning says something");
    }
    // The key's file belongs to whoever writes the configuration, not to a fuzzer.
    config.vault = None;
    if let Err(why) = config.builder() {
        panic!("it was found sound, and describes no engine: {why}");
    }
}
