use super::*;
use outlast_state::{
    Batch, Came, Choice, CredentialInput, Epoch, Evidence, Input, IssuerWord, Seen, Span, Standing, Terms, Token,
    Verdict,
};

/// Admitted and left without an answer, `attempts` times: no two of these are merged.
fn tried(attempts: u64) -> DeliveryRecord {
    let accepted = Delivery::accepted(DeliveryId::from_u128(7), Time::ZERO, Time::NEVER, u32::MAX);
    let mut record = DeliveryRecord::accepted(accepted, "d".repeat(256), Time::ZERO);
    for number in 0..attempts {
        let now = Time::from_millis(1_780_000_000_000).after(Span::from_secs(number));
        let attempt = record.delivery.attempt.next();
        let batch = Batch::from_number(u64::MAX.wrapping_sub(number));
        let admitted =
            Input::Admitted { attempt, epoch: Epoch::from_number(9), by: now, batch, index: 4_999, of: 5_000 };
        let answered = Input::Answered {
            attempt,
            verdict: Verdict::Unknown,
            seen: Seen::NONE,
            choice: Choice::Again { at: now.after(Span::from_millis(1)) },
        };
        for input in [admitted, answered] {
            record.delivery = record.journal.apply(record.delivery, input, now, KEPT);
        }
    }
    record
}

fn written(writes: &Writes, key: &Key) -> Vec<u8> {
    writes.get(key).flatten().expect("it was put").to_vec()
}

#[test]
fn the_largest_record_of_a_delivery_fits_and_replays() {
    for attempts in [1, 31, 32, 33, 200] {
        let mut record = tried(attempts);
        record.lane = Some("ä".repeat(128));
        record.once = Some("o".repeat(256));
        record.note("", &"wörter ".repeat(200));
        assert_eq!(u64::from(record.delivery.attempt.count()), attempts);
        let (key, mut writes) = (Key::Delivery(record.delivery.id), Writes::new());
        record.put(&mut writes);
        let bytes = written(&writes, &key);
        assert!(bytes.len() <= MAX_VALUE, "{} bytes after {attempts} attempts", bytes.len());
        let read: DeliveryRecord = decode(&key, &bytes).unwrap();
        assert_eq!(read.delivery, record.delivery);
        assert_eq!(read.journal.fold(), record.delivery, "S15, after {attempts} attempts");
        assert_eq!((&read.destination, &read.lane, &read.once), (&record.destination, &record.lane, &record.once));
        let kept = read.journal.entries().count();
        assert!(kept > 0 && kept <= KEPT, "{kept} inputs are kept");
    }
}

#[test]
fn the_largest_record_of_a_credential_fits_and_replays() {
    let terms = Terms::of(Span::from_secs(600));
    let mut record = CredentialRecord::new(Credential::unauthorised(terms, Time::ZERO));
    for number in 0..200 {
        let now = Time::from_millis(1_780_000_000_000).after(Span::from_secs(number));
        let input = CredentialInput::Authorised { issued: now, expires: Time::NEVER, ends: Time::NEVER };
        record.credential = record.journal.apply(record.credential, input, now, KEPT);
    }
    record.note(&"words ".repeat(200));
    let token = record.credential.token(record.credential.epoch).unwrap();
    record.clues.granted(Some(&"r_ads ".repeat(900)));
    record.clues.lacks(token.epoch, token.issued);
    record.clues.asked(token.epoch, Came::Renewed, token.issued);
    record.clues.issuer = Some(IssuerWord { at: token.issued, epoch: token.epoch, standing: Standing::Unknown });
    for number in 0..100 {
        let token = Token { epoch: Epoch::from_number(u32::MAX - 100 + number), ..token };
        record.clues.minted(&token);
        for evidence in [Evidence::Refused, Evidence::Accepted] {
            let node = format!("{number:0>60}");
            record.clues.heard(&record.credential, token.epoch, Time::NEVER, evidence, Some(&node));
        }
    }
    let (name, mut writes) = ("c".repeat(256), Writes::new());
    record.put(&name, &mut writes);
    let key = Key::Credential(name);
    let bytes = written(&writes, &key);
    assert!(bytes.len() <= MAX_VALUE, "{} bytes", bytes.len());
    let read: CredentialRecord = decode(&key, &bytes).unwrap();
    assert_eq!((read.credential, read.journal.fold()), (record.credential, record.credential));
}

#[test]
fn the_largest_parcel_fits_in_its_records() {
    let body = vec![0xFF; crate::parcel::LARGEST_BODY];
    let mut writes = Writes::new();
    let parcel = Parcel::to("d".repeat(256)).bytes(body.clone()).lane("l".repeat(256)).once("o".repeat(256));
    put_parcel(DeliveryId::from_u128(7), &parcel, sha256(&body), &mut writes);
    let keys = std::iter::once(Key::Parcel(DeliveryId::from_u128(7)));
    let chunks = (0..).map(|number| Key::Body(DeliveryId::from_u128(7), number));
    for key in keys.chain(chunks).take(writes.len()) {
        let size = written(&writes, &key).len();
        assert!(size <= MAX_VALUE, "{key:?}: {size} bytes");
    }
}
