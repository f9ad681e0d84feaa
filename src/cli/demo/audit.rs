//! The provider's account: what its audit log says, read while it grows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Audit {
    /// The message ids that counted, and how often each did.
    pub(super) applied: BTreeMap<String, u32>,
    /// When something counted.
    pub(super) applied_ms: Vec<u64>,
    /// When a request was refused for its token.
    pub(super) refused_ms: Vec<u64>,
    /// Requests to the API.
    pub(super) requests: u64,
    /// Repeats of what had counted, with the same body.
    pub(super) duplicates: u64,
    /// Repeats with another body.
    pub(super) conflicts: BTreeSet<String>,
    /// Calls of the token endpoint that arrived.
    pub(super) refresh_calls: u64,
    /// When a refresh minted a token.
    pub(super) refreshed_ms: Vec<u64>,
    /// Refreshes whose answer did not leave the provider whole.
    pub(super) lost_answers: u64,
    /// When the first token was revoked.
    pub(super) revoked_ms: Option<u64>,
    /// When a token after the first one counted for the first time.
    pub(super) renewed_applied_ms: Option<u64>,
    /// What counted with a token after the first one.
    pub(super) renewed_applied: u64,
    /// When a token after the first one was refused for the last time, and how often it was.
    pub(super) renewed_refused_ms: Option<u64>,
    pub(super) renewed_refused: u64,
    /// Requests without an answer when the last line was written.
    pub(super) in_flight: u64,
    /// The most requests without an answer from the first refusal until its own answer was out: whoever sent those could
    /// not know better.
    pub(super) in_flight_at_refusal: u64,
    /// When the first refusal's answer was out.
    pub(super) refusal_out_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Line {
    t_ms: u64,
    path: String,
    token_ordinal: Option<u32>,
    in_flight: u64,
    answer_status: Option<u16>,
    delay_ms: u64,
    applied: Vec<Applied>,
    duplicate: Vec<Key>,
    conflict: Vec<Key>,
    closed_by: Option<String>,
}

#[derive(Deserialize)]
struct Applied {
    resource: String,
    key: String,
    value: Detail,
}

#[derive(Deserialize)]
struct Detail {
    grant_type: Option<String>,
}

#[derive(Deserialize)]
struct Key {
    key: String,
}

const CONVERSIONS: &str = "conversionEvents";
const TOKENS: &str = "accessToken";
const TOKEN_PATH: &str = "/oauth/v2/accessToken";
const REVOCATION: &str = "/__ctl/token";

impl Audit {
    /// How many message ids counted.
    pub(super) fn applied(&self) -> u64 {
        u64::try_from(self.applied.len()).unwrap_or(u64::MAX)
    }

    /// How many requests were refused for their token.
    pub(super) fn refused(&self) -> u64 {
        u64::try_from(self.refused_ms.len()).unwrap_or(u64::MAX)
    }

    /// How many tokens were minted by a refresh.
    pub(super) fn refreshes(&self) -> u64 {
        u64::try_from(self.refreshed_ms.len()).unwrap_or(u64::MAX)
    }

    fn take(&mut self, line: Line) {
        self.in_flight = line.in_flight;
        match line.path.as_str() {
            TOKEN_PATH => return self.take_token_call(&line),
            REVOCATION => {
                self.revoked_ms.get_or_insert(line.t_ms);
                return;
            }
            control if control.starts_with("/__ctl/") => return,
            _ => self.requests = self.requests.saturating_add(1),
        }
        let renewed = line.token_ordinal.is_some_and(|ordinal| ordinal > 1);
        if line.answer_status == Some(401) {
            self.take_refusal(&line, renewed);
        }
        if self.refusal_out_ms.is_some_and(|out| line.t_ms <= out) {
            self.in_flight_at_refusal = self.in_flight_at_refusal.max(line.in_flight);
        }
        self.duplicates = self.duplicates.saturating_add(u64::try_from(line.duplicate.len()).unwrap_or(u64::MAX));
        self.conflicts.extend(line.conflict.into_iter().map(|key| message_id(&key.key)));
        for applied in line.applied.into_iter().filter(|applied| applied.resource == CONVERSIONS) {
            let times = self.applied.entry(message_id(&applied.key)).or_default();
            *times = times.saturating_add(1);
            self.applied_ms.push(line.t_ms);
            if renewed {
                self.renewed_applied_ms.get_or_insert(line.t_ms);
                self.renewed_applied = self.renewed_applied.saturating_add(1);
            }
        }
    }

    fn take_refusal(&mut self, line: &Line, renewed: bool) {
        self.refused_ms.push(line.t_ms);
        self.refusal_out_ms.get_or_insert(line.t_ms.saturating_add(line.delay_ms));
        if renewed {
            self.renewed_refused_ms = Some(line.t_ms);
            self.renewed_refused = self.renewed_refused.saturating_add(1);
        }
    }

    fn take_token_call(&mut self, line: &Line) {
        self.refresh_calls = self.refresh_calls.saturating_add(1);
        let by_refresh = |applied: &&Applied| {
            applied.resource == TOKENS && applied.value.grant_type.as_deref() == Some("refresh_token")
        };
        for _ in line.applied.iter().filter(by_refresh) {
            self.refreshed_ms.push(line.t_ms);
            self.lost_answers = self.lost_answers.saturating_add(u64::from(line.closed_by.is_some()));
        }
    }
}

/// The key of a conversion is its rule, `#`, and the message id.
fn message_id(key: &str) -> String {
    key.split_once('#').map_or(key, |(_, id)| id).to_owned()
}

/// Reads on from where it stopped, whole lines only.
pub(super) struct Tail {
    file: BufReader<File>,
    /// The beginning of a line whose end is not written yet.
    begun: Vec<u8>,
}

impl Tail {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Tail { file: BufReader::new(File::open(path)?), begun: Vec::new() })
    }

    /// Takes what was written since.
    pub(super) fn poll(&mut self, audit: &mut Audit) -> io::Result<()> {
        loop {
            self.file.read_until(b'\n', &mut self.begun)?;
            if self.begun.last() != Some(&b'\n') {
                return Ok(());
            }
            audit.take(serde_json::from_slice(&self.begun)?);
            self.begun.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn line(path: &str, ordinal: u32, status: u16, t_ms: u64, more: &str) -> String {
        format!(
            r#"{{"t_ms":{t_ms},"path":"{path}","token_ordinal":{ordinal},"in_flight":7,"answer_status":{status},"delay_ms":5,"applied":[],"duplicate":[],"conflict":[],"closed_by":null,"seq":1}}"#
        )
        .replace("\"applied\":[]", if more.is_empty() { "\"applied\":[]" } else { more })
    }

    #[test]
    fn the_log_is_read_while_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = File::create(&path).unwrap();
        let mut tail = Tail::open(&path).unwrap();
        let mut audit = Audit::default();
        let event = "/rest/conversionEvents";
        let counted = r#""applied":[{"resource":"conversionEvents","key":"urn:li:c:1#m-1","value":{"eventId":"m-1"}}]"#;
        let minted = r#""applied":[{"resource":"accessToken","key":"2","value":{"grant_type":"refresh_token"}}]"#;
        let first = line(event, 1, 201, 10, counted);
        let (half, rest) = first.split_at(40);
        write!(file, "{half}").unwrap();
        tail.poll(&mut audit).unwrap();
        assert_eq!(audit.applied(), 0);
        writeln!(file, "{rest}").unwrap();
        writeln!(file, "{}", line("/__ctl/token", 1, 200, 11, "")).unwrap();
        writeln!(file, "{}", line(event, 1, 401, 12, "")).unwrap();
        writeln!(file, "{}", line(TOKEN_PATH, 1, 200, 13, minted)).unwrap();
        writeln!(file, "{}", line(event, 2, 401, 14, "")).unwrap();
        writeln!(file, "{}", line(event, 2, 201, 30, &counted.replace("m-1", "m-2"))).unwrap();
        tail.poll(&mut audit).unwrap();
        assert_eq!(audit.applied.keys().collect::<Vec<_>>(), ["m-1", "m-2"]);
        assert_eq!((audit.applied_ms.clone(), audit.refused_ms.clone()), (vec![10, 30], vec![12, 14]));
        assert_eq!((audit.revoked_ms, audit.refreshed_ms.clone(), audit.refresh_calls), (Some(11), vec![13], 1));
        assert_eq!((audit.renewed_applied, audit.renewed_refused, audit.requests), (1, 1, 4));
        assert_eq!((audit.in_flight_at_refusal, audit.lost_answers), (7, 0));
    }

    #[test]
    fn repeats_and_contradictions_are_told_apart() {
        let mut audit = Audit::default();
        let text = line("/rest/conversionEvents", 1, 201, 1, "")
            .replace("\"duplicate\":[]", r#""duplicate":[{"resource":"c","key":"u#a"}]"#)
            .replace("\"conflict\":[]", r#""conflict":[{"resource":"c","key":"u#b"}]"#);
        audit.take(serde_json::from_str(&text).unwrap());
        assert_eq!((audit.duplicates, audit.conflicts.len(), audit.applied()), (1, 1, 0));
        assert!(audit.conflicts.contains("b"));
    }
}
