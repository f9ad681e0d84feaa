use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use outlast_state::{Load, Reason, Receipt, Span, Time, Verdict, Why};

use super::*;
use crate::exchange::Answer;

const MANY: Sent = Sent { items: 2, token: true };
const ONE: Sent = Sent { items: 1, token: true };

fn answer(status: u16, retry_after: &str) -> Answer {
    let headers = vec![("retry-after".to_owned(), retry_after.to_owned())];
    Answer { status, headers, body: Vec::new(), received: Time::from_millis(784_111_747_000) }
}

#[test]
fn the_page_is_what_the_tables_say() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ERRORS.md");
    let rendered = render();
    if std::env::var_os("OUTLAST_BLESS").is_some() {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &rendered).unwrap();
    }
    let written = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        written == rendered,
        "docs/ERRORS.md is not what the tables say. If the tables are right, run\n    \
         OUTLAST_BLESS=1 cargo test --lib taxonomy\nand commit the page"
    );
}

#[test]
fn each_code_has_one_row_and_says_who_does_what() {
    let names: BTreeSet<_> = CODES.iter().map(|code| code.name).collect();
    assert_eq!(names.len(), CODES.len(), "two rows have one name");
    for code in CODES {
        let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        assert!(code.name.bytes().all(upper) && code.name.len() <= 64, "{}", code.name);
        for words in [code.meaning, code.remedy] {
            assert!(words.ends_with('.') && !words.contains('|') && words.len() > 5, "{}: {words}", code.name);
        }
        assert_eq!(find(code.name), Some(code));
    }
    assert_eq!(find("NO_SUCH_CODE"), None);
}

#[test]
fn a_code_and_the_name_of_a_status_are_never_the_same() {
    let names: BTreeSet<_> = PHRASES.iter().map(|(_, name)| *name).collect();
    assert_eq!(names.len(), PHRASES.len());
    assert!(CODES.iter().all(|code| !names.contains(code.name)));
}

#[test]
fn the_rows_of_statuses_leave_no_gap() {
    let mut next = Some(0_u16);
    for row in STATUSES {
        assert_eq!(Some(row.from), next, "a gap or an overlap before {row:?}");
        assert!(row.to >= row.from);
        next = row.to.checked_add(1);
    }
    assert_eq!(next, None, "the rows end before the statuses do");
}

#[test]
fn each_status_means_what_the_table_of_the_kit_says() {
    let failing = Verdict::Busy { after: Span::ZERO, load: Load::Failing };
    for status in 0..=u16::MAX {
        let rejected = Verdict::Refused { why: Why::Rejected { status } };
        let expected = match status {
            200..=299 => Verdict::Accepted { receipt: Receipt { status } },
            401 => Verdict::TokenRefused,
            429 => Verdict::Busy { after: Span::ZERO, load: Load::Throttled },
            408 | 423 | 500 | 502..=599 => failing,
            300..=599 => rejected,
            _ => Verdict::Unknown,
        };
        assert_eq!(verdict(status, None, ONE), expected, "{status}");
        let of_several = if matches!(status, 400 | 413 | 422) { Verdict::Split } else { expected };
        assert_eq!(verdict(status, None, MANY), of_several, "{status} for several");
        let without = if status == 401 { rejected } else { expected };
        assert_eq!(verdict(status, None, Sent::ALONE), without, "{status} without a token");
    }
}

#[test]
fn the_wait_that_a_provider_asks_for_is_taken_and_capped() {
    let busy = |seconds, load| Verdict::Busy { after: Span::from_secs(seconds), load };
    for (status, asked, verdict) in [
        (429, "7", busy(7, Load::Throttled)),
        (503, "Sun, 06 Nov 1994 08:49:37 GMT", busy(30, Load::Failing)),
        (503, "86400", busy(900, Load::Failing)),
        (408, "soon", busy(0, Load::Failing)),
        (404, "7", Verdict::Refused { why: Why::Rejected { status: 404 } }),
    ] {
        assert_eq!(read(&answer(status, asked), ONE).verdict, verdict, "{status} {asked}");
    }
    let longest = super::verdict(429, Some(Span::from_secs(86_400)), ONE);
    assert_eq!(longest, busy(900, Load::Throttled));
}

#[test]
fn an_answer_is_read_with_its_code_and_advice() {
    let gone = read(&answer(410, ""), ONE);
    assert_eq!(gone.code, "GONE");
    assert!(gone.advice.contains("pause or remove the destination"));
    assert_eq!(read(&answer(204, ""), ONE).code, "");
    assert_eq!(read(&answer(598, ""), ONE).code, UNKNOWN_ERROR);
}

#[test]
fn statuses_have_the_names_of_the_registry() {
    for (status, name) in [
        (301, "MOVED_PERMANENTLY"),
        (306, "SWITCH_PROXY"),
        (404, "NOT_FOUND"),
        (418, "IM_A_TEAPOT"),
        (226, "IM_USED"),
        (429, "TOO_MANY_REQUESTS"),
        (499, "CANCELLED"),
        (503, "SERVICE_UNAVAILABLE"),
        (509, "BANDWIDTH_LIMIT_EXCEEDED"),
        (529, "SITE_IS_OVERLOADED"),
    ] {
        assert_eq!(status_code(status), name);
    }
    let named = |status: &u16| status_code(*status) != UNKNOWN_ERROR;
    let known: Vec<u16> = (0..=u16::MAX).filter(named).collect();
    let listed = [100..=103, 200..=208, 226..=226, 300..=308, 400..=418, 421..=426, 428..=429, 431..=431, 451..=451];
    let rest = [499..=499, 500..=511, 529..=529];
    assert_eq!(known, listed.into_iter().chain(rest).flatten().collect::<Vec<u16>>());
}

#[test]
fn each_reason_to_give_up_has_a_code_that_the_page_explains() {
    for (reason, code) in [
        (Reason::Refused { why: Why::Invalid }, PAYLOAD_VALIDATION_FAILED),
        (Reason::Refused { why: Why::Rejected { status: 404 } }, "NOT_FOUND"),
        (Reason::Refused { why: Why::Rejected { status: 499 } }, "CANCELLED"),
        (Reason::Refused { why: Why::Rejected { status: 477 } }, UNKNOWN_ERROR),
        (Reason::Refused { why: Why::Rejected { status: 200 } }, REJECTED),
        (Reason::Exhausted, BUDGET_EXHAUSTED),
        (Reason::Expired, DELIVERY_EXPIRED),
        (Reason::Cancelled, DELIVERY_CANCELLED),
        (Reason::CredentialDead, CREDENTIAL_DEAD),
        (Reason::InDoubt, IN_DOUBT),
    ] {
        assert_eq!(code_of(&reason), code);
        let named = PHRASES.iter().any(|(_, name)| *name == code);
        assert!(named || find(code).is_some_and(|row| row.fate == Fate::Failed), "{code}");
    }
}
