//! The tables against the code, and the page against the tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use outlast_state::{Epoch, Proof, State, rule, table};

/// The token that the request of a delivery carries, where it has one in the air.
fn sent(state: &State) -> Epoch {
    match state {
        State::Sending { epoch, .. } => *epoch,
        _ => Epoch::NONE,
    }
}

#[test]
fn every_row_of_the_delivery_is_what_the_code_does() {
    for row in table::delivery() {
        let sample = row.sample;
        assert_eq!(table::delivery_line(&sample.before.state), row.from, "{row:?}");
        if row.from.starts_with("Sending") {
            assert_eq!(
                table::delivery_fact(&sample.input, sent(&sample.before.state), sample.now),
                row.fact,
                "{row:?}"
            );
        }
        let after = sample.before.step(sample.input, sample.now);
        let to = (after != sample.before).then(|| table::delivery_line(&after.state));
        assert_eq!(to, row.to, "{row:?}\nbecame {after:?}");
    }
}

#[test]
fn every_row_of_the_credential_is_what_the_code_does() {
    for row in table::credential() {
        let sample = row.sample;
        assert_eq!(table::credential_line(&sample.before.state), row.from, "{row:?}");
        assert_eq!(table::credential_fact(&sample.input, sample.now), row.fact, "{row:?}");
        let after = sample.before.step(sample.input, sample.now);
        let to = (after != sample.before).then(|| table::credential_line(&after.state));
        assert_eq!(to, row.to, "{row:?}\nbecame {after:?}");
    }
}

#[test]
fn every_ruling_is_what_the_code_rules() {
    for row in table::ruling() {
        assert_eq!(rule(row.sent, row.seen, row.now), row.ruling, "{row:?}");
    }
}

/// The first row that fits counts. The samples show it where they can: they fit rows after their own too.
#[test]
fn rulings_stand_in_the_order_in_which_they_count() {
    let rows = table::ruling();
    let samples: BTreeSet<String> = rows.iter().map(|row| format!("{:?}", row.seen)).collect();
    assert_eq!(samples.len(), rows.len(), "two rows have one sample");
    for row in rows {
        let young = row.now < row.seen.settles;
        if row.seen.expired {
            assert!(young && matches!(row.seen.proof, Proof::Accepted { later: true, .. }), "{row:?}");
        } else if young {
            assert!(matches!(row.seen.proof, Proof::Accepted { later: false, refusals: 3.. }), "{row:?}");
        }
    }
}

#[test]
fn every_cell_is_there() {
    let cells: BTreeSet<_> = table::delivery().iter().map(|row| (row.from, row.fact)).collect();
    for line in table::DELIVERY_LINES {
        for fact in table::DELIVERY_FACTS {
            assert!(cells.contains(&(line, fact)), "the delivery's table has no row for {fact} in {line}");
        }
    }
    let cells: BTreeSet<_> = table::credential().iter().map(|row| (row.from, row.fact)).collect();
    for line in table::CREDENTIAL_LINES {
        for fact in table::CREDENTIAL_FACTS {
            assert!(cells.contains(&(line, fact)), "the credential's table has no row for {fact} in {line}");
        }
    }
}

#[test]
fn rows_are_told_apart_by_their_conditions() {
    let rows = table::delivery();
    let keys: BTreeSet<_> = rows.iter().map(|row| (row.from, row.fact, row.guard)).collect();
    assert_eq!(keys.len(), rows.len(), "two rows of the delivery's table have one condition");
    let rows = table::credential();
    let keys: BTreeSet<_> = rows.iter().map(|row| (row.from, row.fact, row.guard)).collect();
    assert_eq!(keys.len(), rows.len(), "two rows of the credential's table have one condition");
}

#[test]
fn the_page_is_what_the_tables_say() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/STATES.md");
    let rendered = table::render();
    if std::env::var_os("OUTLAST_BLESS").is_some() {
        fs::create_dir_all(page.parent().unwrap()).unwrap();
        fs::write(&page, &rendered).unwrap();
    }
    let written = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        written == rendered,
        "docs/STATES.md is not what the tables say. If the tables are right, run\n    \
         OUTLAST_BLESS=1 cargo test -p outlast-state --test states\nand commit the page"
    );
}
