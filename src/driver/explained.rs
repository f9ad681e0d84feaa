//! What a credential suffers from, in sentences: what speaks for it, who must act, and what would change it.

use outlast_state::{
    Came, Cause, Clues, Credential, CredentialState, Finding, Ground, Held, Inquiry, Lack, STRAY_REFUSALS, Span,
    Standing, Time, Token, TokenProof, diagnose,
};

use super::why::counted;

/// The sentences that come after how it stands. Nothing where nothing is wrong and nothing else is to be said.
pub(super) fn explained(credential: &Credential, clues: &Clues, missing: &[String], now: Time) -> Vec<String> {
    let diagnosis = diagnose(credential, clues, now);
    let dead = matches!(credential.state, CredentialState::Dead { .. });
    let mut sentences = Vec::new();
    if diagnosis.finding != Finding::Working {
        sentences.push(format!("Diagnosis: {}.", diagnosis.finding.name()));
    }
    let words = diagnosis.grounds.iter().filter_map(|ground| in_words(ground, diagnosis.finding, missing, dead));
    sentences.extend(words);
    sentences.extend(who_acts(diagnosis.finding, credential, missing, now));
    sentences
}

/// A ground as a sentence; nothing where how it stands has said it already.
fn in_words(ground: &Ground, finding: Finding, missing: &[String], dead: bool) -> Option<String> {
    Some(match *ground {
        Ground::Age { .. } | Ground::Untried { .. } | Ground::Renewing { .. } => return None,
        Ground::Accepted { .. } if finding == Finding::Working => return None,
        Ground::Refused { .. } if !dead => return None,
        Ground::Accepted { epoch, ago } => {
            format!("The last request with epoch {epoch} that was accepted was sent {ago} ago.")
        }
        Ground::Refused { epoch, times, worked } => {
            let ever = if worked { "" } else { ", and none was ever accepted" };
            format!("{} with epoch {epoch} {} refused{ever}.", counted(times, "request"), were(times))
        }
        Ground::Nodes { epoch, take, refuse } => format!(
            "Of the provider's nodes that answered, {take} {} epoch {epoch} and {refuse} {} it.",
            if take == 1 { "takes" } else { "take" },
            if refuse == 1 { "refuses" } else { "refuse" },
        ),
        Ground::Over { epoch, ago } => format!("The life of epoch {epoch} was over {ago} ago."),
        Ground::Before { epoch, ago, works: true } => {
            format!("The token before it, epoch {epoch}, still worked {ago} ago.")
        }
        Ground::Before { epoch, ago, works: false } => {
            format!("The token before it, epoch {epoch}, was refused {ago} ago: it works no more.")
        }
        Ground::Next { epoch, age, refusals } => next(epoch.number(), age, refusals),
        Ground::Renewal { ago, came } => format!("The last token request ended {ago} ago: {}.", ended(came)),
        Ground::CutOff => {
            "A token request was cut off by a crash: the provider may have replaced the refresh token in an answer that \
             was never stored."
                .into()
        }
        Ground::Issuer { epoch, ago, standing } => format!("The issuer was asked about epoch {epoch} {ago} ago: {}.", said(standing)),
        Ground::AskingIssuer { epoch } => format!("The issuer is being asked about epoch {epoch}."),
        Ground::Lacks { epoch, ago } if missing.is_empty() => {
            format!("An answer said {ago} ago that epoch {epoch} lacks a scope.")
        }
        Ground::Lacks { epoch, ago } => {
            format!("Epoch {epoch} lacks what is asked for: {} (said {ago} ago).", missing.join(", "))
        }
        Ground::MintsForScope { wait } => format!(
            "Another token is minted in {wait}, because providers cache permissions and the next one may have the scope."
        ),
        Ground::Fruitless { tokens: 1 } => "One token in a row was minted in vain.".into(),
        Ground::Fruitless { tokens } => format!("Minted in vain: {tokens} tokens in a row."),
        Ground::GrantEnded { cause } => format!("Its grant mints no more, because {}: this token is its last.", because(cause)),
        Ground::GrantOver { ago } => format!("The life of its grant was over {ago} ago."),
    })
}

fn next(epoch: u32, age: Span, refusals: u32) -> String {
    let refused = if refusals == 0 { "no refusal".to_owned() } else { counted(refusals, "refusal") };
    format!("Epoch {epoch}, minted {age} ago, is to serve next and is tried first; so far {refused}.")
}

fn were(count: u32) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

fn ended(came: Came) -> &'static str {
    match came {
        Came::Renewed => "it brought a new token",
        Came::Refused => "the provider refuses the grant for good",
        Came::Misconfigured => "the provider refuses the client",
        Came::Unknown => "its outcome is not known, or it will pass",
    }
}

fn said(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "it says that the token is active",
        Standing::Expired => "it says that the token is expired",
        Standing::Revoked => "it says that the token is not active",
        Standing::Unknown => "it could not say",
    }
}

fn because(cause: Cause) -> &'static str {
    match cause {
        Cause::NeverAuthorised => "nobody authorised it",
        Cause::Revoked => "the provider refuses it for good",
        Cause::NoRefreshToken => "there is no refresh token",
        Cause::Misconfigured => "the provider refuses the client",
        Cause::GrantLost => "its refresh token was lost in a crash",
        Cause::NeverAccepted => "none of its tokens was accepted",
    }
}

/// Who must act, and what would change it.
fn who_acts(finding: Finding, credential: &Credential, missing: &[String], now: Time) -> Option<String> {
    let consent = if credential.terms.mints {
        "An operator must act: the provider no longer gives this client a token."
    } else {
        "Whoever can consent must act: authorise it again."
    };
    let dead = matches!(credential.state, CredentialState::Dead { .. });
    let refreshing = matches!(credential.state, CredentialState::Refreshing { .. });
    let text = match finding {
        Finding::Working => return None,
        Finding::Propagating => return propagating(credential, now),
        Finding::Unauthorised | Finding::Unrenewable | Finding::GrantLost => consent,
        Finding::Expired | Finding::Revoked if dead => consent,
        Finding::Expired => "Nobody needs to act: a new token is asked for.",
        Finding::Revoked if refreshing => {
            "Nobody needs to act yet: if the token endpoint refuses the grant, too, somebody has to authorise it again."
        }
        Finding::Revoked => "Nobody needs to act yet: one more refusal asks for a new token.",
        Finding::ScopeMissing => return Some(for_scope(credential, missing)),
        Finding::NeverAccepted if dead => {
            "An operator must act: ask the provider about the application's standing, then authorise the credential again."
        }
        Finding::NeverAccepted => never_accepted(credential),
        Finding::Unknown => return Some(unknown(credential)),
        Finding::Misconfigured => {
            "An operator must act: correct client_id or client_secret in the configuration, then start the engine again."
        }
    };
    Some(text.to_owned())
}

fn held(credential: &Credential) -> Option<Token> {
    match credential.state {
        CredentialState::Current { serving: token, .. }
        | CredentialState::Refreshing { held: Held::Serving(token) | Held::Lost(token), .. } => Some(token),
        CredentialState::Dead { .. } => None,
    }
}

fn propagating(credential: &Credential, now: Time) -> Option<String> {
    let settled = held(credential)?.issued.after(credential.terms.settle);
    Some(format!(
        "Nobody needs to act: an acceptance ends the doubt, and only in {} does a refusal mean that the token is bad.",
        settled.since(now)
    ))
}

fn for_scope(credential: &Credential, missing: &[String]) -> String {
    if matches!(credential.lack, Lack::Waits { .. }) {
        return "Nobody needs to act yet: if the next token lacks it, too, the grant does.".into();
    }
    let what = if missing.is_empty() { "the scope".to_owned() } else { missing.join(", ") };
    format!(
        "Whoever can consent must act: authorise it again with {what}, or take out of the scopes what nothing needs."
    )
}

fn never_accepted(credential: &Credential) -> &'static str {
    match (credential.state, credential.inquiry) {
        (CredentialState::Current { .. }, Inquiry::Asked { .. }) => {
            "Nobody needs to act yet: the issuer's answer decides."
        }
        (CredentialState::Current { .. }, Inquiry::Stands { .. }) => {
            "An operator should look: the issuer stands by the token, so one request per settle window tries it and \
             nothing is minted; the provider has to say why its nodes refuse it."
        }
        _ => "Nobody needs to act yet: a new token is asked for, and if that is refused, too, the credential is dead.",
    }
}

fn unknown(credential: &Credential) -> String {
    match held(credential).map(|token| token.proof) {
        Some(TokenProof::Accepted { refusals, .. }) if refusals > 0 => format!(
            "Nobody needs to act: an acceptance ends the doubt, and {} in a row ask for a new token.",
            counted(STRAY_REFUSALS, "refusal")
        ),
        _ => "Nobody needs to act: the next answer tells.".into(),
    }
}

#[cfg(test)]
mod tests;
