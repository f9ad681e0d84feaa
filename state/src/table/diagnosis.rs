//! The table of findings: what a credential suffers from.

use alloc::vec::Vec;

use crate::clues::{Clues, IssuerWord, Sighting};
use crate::credential::{
    Cause, Credential, CredentialState, Grant, Held, Inquiry, Lack, Need, Standing, Terms, Token, TokenProof,
};
use crate::diagnosis::Finding;
use crate::id::Epoch;
use crate::time::{Span, Time};

/// One row of the table of findings: the first one that fits counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosisRow {
    /// What is so.
    pub when: &'static str,
    /// What that comes to.
    pub finding: Finding,
    /// What would change it, and who must act for that.
    pub then: &'static str,
    /// An example: the credential.
    pub credential: Credential,
    /// An example: what was seen of it.
    pub clues: Clues,
    /// An example: when.
    pub now: Time,
}

const EPOCH: Epoch = Epoch::NONE.next();
const SETTLE: Span = Span::from_millis(10_000);
const ISSUED: Time = Time::from_millis(100_000);
const YOUNG: Time = Time::from_millis(105_000);
const OLD: Time = Time::from_millis(150_000);
const EXPIRES: Time = Time::from_millis(200_000);
const LATE: Time = Time::from_millis(250_000);

const FRESH: TokenProof = TokenProof::Unproven { refusals: 0 };
const REFUSED: TokenProof = TokenProof::Unproven { refusals: 2 };
const WORKS: TokenProof = TokenProof::Accepted { sent: YOUNG, refusals: 0 };
const STRAY: TokenProof = TokenProof::Accepted { sent: YOUNG, refusals: 2 };
const GONE: TokenProof = TokenProof::Accepted { sent: YOUNG, refusals: 3 };

/// Every row of the table of findings, in order.
#[must_use]
pub fn diagnosis() -> Vec<DiagnosisRow> {
    let row =
        |when, finding, then, credential, clues, now| DiagnosisRow { when, finding, then, credential, clues, now };
    let mut rows = Vec::new();
    for (when, cause, finding, then) in dead() {
        rows.push(row(when, finding, then, ended(cause), Clues::default(), OLD));
    }
    let [seen, silent] = [clues(None), Clues::default()];
    let asked = Credential { inquiry: Inquiry::Stands { epoch: EPOCH, until: LATE }, fruitless: 1, ..current(REFUSED) };
    rows.push(row(
        "the configuration was mended, and a token is asked for",
        Finding::Unknown,
        "nobody: the token request does",
        Credential { state: lost(FRESH, Need::Reconfigured), ..asked },
        silent,
        OLD,
    ));
    rows.push(row(
        "what it had is lost, and a new token is asked for: the rows below count for the lost one (`unknown`, if it worked)",
        Finding::NeverAccepted,
        "nobody: the token request does",
        Credential { state: lost(REFUSED, Need::Refused), ..asked },
        seen.clone(),
        OLD,
    ));
    let lacking = Credential { lack: Lack::Waits { epoch: EPOCH, until: LATE }, ..current(WORKS) };
    for (when, credential, said, finding, then, now) in serving(lacking) {
        let issuer = said.map(|standing| IssuerWord { at: OLD, epoch: EPOCH, standing });
        rows.push(row(when, finding, then, credential, Clues { issuer, ..seen.clone() }, now));
    }
    rows
}

type DeadRow = (&'static str, Cause, Finding, &'static str);

fn dead() -> [DeadRow; 6] {
    use Finding::{GrantLost, Misconfigured, NeverAccepted, Revoked, Unauthorised, Unrenewable};
    const CONSENT: &str = "whoever can consent: authorise it again";
    [
        ("it is dead: nobody authorised it", Cause::NeverAuthorised, Unauthorised, CONSENT),
        (
            "it is dead: the token endpoint refuses its grant for good, or an operator ended it",
            Cause::Revoked,
            Revoked,
            CONSENT,
        ),
        (
            "it is dead: its token is gone and there is no refresh token (`expired`, if its life was over)",
            Cause::NoRefreshToken,
            Unrenewable,
            CONSENT,
        ),
        (
            "it is dead: the token endpoint refuses the client",
            Cause::Misconfigured,
            Misconfigured,
            "an operator: the client's id and secret",
        ),
        (
            "it is dead: a token request was cut off by a crash, and its refresh token is refused since",
            Cause::GrantLost,
            GrantLost,
            CONSENT,
        ),
        (
            "it is dead: token after token was minted and none was ever accepted",
            Cause::NeverAccepted,
            NeverAccepted,
            "an operator: the application's standing with the provider; then whoever can consent",
        ),
    ]
}

type ServingRow = (&'static str, Credential, Option<Standing>, Finding, &'static str, Time);

fn serving(lacking: Credential) -> [ServingRow; 10] {
    use Finding::{Expired, NeverAccepted, Propagating, Revoked, ScopeMissing, Unknown, Working};
    const NOBODY: &str = "nobody: the next requests tell";
    [
        ("its token's life is over", current(GONE), None, Expired, "nobody: a new one is asked for", LATE),
        (
            "its issuer says that the token is expired, and none was accepted since",
            current(REFUSED),
            Some(Standing::Expired),
            Expired,
            "nobody: a new one is asked for",
            OLD,
        ),
        (
            "its issuer says that the token is not active, and none was accepted since",
            current(REFUSED),
            Some(Standing::Revoked),
            Revoked,
            "nobody, if a new one can be had; else whoever can consent",
            OLD,
        ),
        (
            "its last requests were refused, and it is younger than its settle window",
            current(REFUSED),
            None,
            Propagating,
            "nobody: the rest of the window",
            YOUNG,
        ),
        (
            "its last requests were refused, it is older, and none was ever accepted",
            current(REFUSED),
            Some(Standing::Active),
            NeverAccepted,
            "nobody, while a new one is asked for or its issuer stands by it",
            OLD,
        ),
        (
            "its last requests were refused, fewer than 3 in a row since one was accepted",
            current(STRAY),
            None,
            Unknown,
            NOBODY,
            OLD,
        ),
        (
            "its last requests were refused, 3 in a row or more since one was accepted",
            current(GONE),
            None,
            Revoked,
            "nobody, if a new one can be had; else whoever can consent",
            OLD,
        ),
        (
            "an answer, or the token endpoint, said that it lacks a scope",
            lacking,
            None,
            ScopeMissing,
            "nobody, while another token is minted for it; then whoever can consent to the scope",
            OLD,
        ),
        ("no request with it was answered yet", current(FRESH), None, Unknown, NOBODY, YOUNG),
        ("otherwise", current(WORKS), None, Working, "–", OLD),
    ]
}

fn token(proof: TokenProof) -> Token {
    Token { proof, ..Token::minted(EPOCH, ISSUED, EXPIRES) }
}

fn current(proof: TokenProof) -> Credential {
    let state = CredentialState::Current { serving: token(proof), next: None };
    let fresh = Credential::unauthorised(Terms::of(SETTLE), ISSUED);
    Credential { state, epoch: EPOCH, grant: Grant::Alive, ..fresh }
}

fn lost(proof: TokenProof, why: Need) -> CredentialState {
    let held = Held::Lost(token(proof));
    CredentialState::Refreshing { held, tries: 0, not_before: OLD, why, interrupted: false }
}

fn ended(cause: Cause) -> Credential {
    Credential { state: CredentialState::Dead { cause, since: OLD }, ..current(FRESH) }
}

fn clues(issuer: Option<IssuerWord>) -> Clues {
    let sighting = Sighting {
        epoch: EPOCH,
        issued: ISSUED,
        expires: EXPIRES,
        accepted: None,
        refused: Some((YOUNG, YOUNG)),
        refusals: 2,
        spread: None,
        taught: false,
    };
    Clues { tokens: [sighting].into(), issuer, ..Clues::default() }
}
