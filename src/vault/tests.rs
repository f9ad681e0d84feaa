use proptest::prelude::*;

use super::*;

fn key() -> VaultKey {
    let folder = tempfile::tempdir().unwrap();
    VaultKey::create(&folder.path().join("key")).unwrap()
}

fn epoch(number: u32) -> Epoch {
    Epoch::from_number(number)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn what_is_sealed_opens_again_and_shows_nothing() {
    let vault = Vault::new(&key());
    let sealed = vault.seal_access("acme", epoch(7), &Secret::new("AQX-canary")).unwrap();
    assert!(!contains(&sealed, "canary"));
    assert_eq!(vault.open_access("acme", epoch(7), &sealed).unwrap().reveal(), "AQX-canary");

    for refresh in [Some(Secret::new("AQW \"canary\" \u{1} ü")), None] {
        let grant = Grant { refresh, refresh_expires: Time::from_millis(9) };
        let sealed = vault.seal_grant("acme", epoch(7), &grant).unwrap();
        assert!(!contains(&sealed, "canary"));
        let opened = vault.open_grant("acme", epoch(7), &sealed).unwrap();
        assert_eq!(opened.refresh.as_ref().map(Secret::reveal), grant.refresh.as_ref().map(Secret::reveal));
        assert_eq!(opened.refresh_expires, grant.refresh_expires);
    }
    let endless = Grant { refresh: None, refresh_expires: Time::NEVER };
    let sealed = vault.seal_grant("acme", epoch(1), &endless).unwrap();
    assert_eq!(vault.open_grant("acme", epoch(1), &sealed).unwrap().refresh_expires, Time::NEVER);
}

#[test]
fn the_same_token_is_never_sealed_alike() {
    let vault = Vault::new(&key());
    let seal = || vault.seal_access("acme", epoch(1), &Secret::new("AQX")).unwrap();
    let mut nonces: Vec<Vec<u8>> = (0..1000).map(|_| seal()[1 + KEY_ID_LEN..][..NONCE_LEN].to_vec()).collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 1000);
}

#[test]
fn a_record_in_another_place_does_not_open() {
    let vault = Vault::new(&key());
    let grant = Grant { refresh: Some(Secret::new("AQW")), refresh_expires: Time::ZERO };
    let access = vault.seal_access("acme", epoch(7), &Secret::new("AQX")).unwrap();
    let sealed_grant = vault.seal_grant("acme", epoch(7), &grant).unwrap();
    let elsewhere =
        [("acm", 7), ("acme2", 7), ("", 7), ("Acme", 7), ("acme", 6), ("acme", 8), ("acme", 7 << 8), ("acme", 0)];
    for (credential, number) in elsewhere {
        let opened = vault.open_access(credential, epoch(number), &access).err();
        let expected = VaultError::Damaged { credential: credential.into(), what: "access token" };
        assert_eq!(opened, Some(expected), "{credential} {number}");
        assert!(vault.open_grant(credential, epoch(number), &sealed_grant).is_err(), "{credential} {number}");
    }
    assert!(vault.open_grant("acme", epoch(7), &access).is_err());
    assert!(vault.open_access("acme", epoch(7), &sealed_grant).is_err());
}

#[test]
fn a_wrong_key_is_named_as_such_and_names_the_credential() {
    let sealed = Vault::new(&key()).seal_access("acme", epoch(1), &Secret::new("AQX-canary")).unwrap();
    let error = Vault::new(&key()).open_access("acme", epoch(1), &sealed).err().unwrap();
    assert_eq!(error, VaultError::WrongKey { credential: "acme".into(), what: "access token" });
    let text = error.to_string();
    assert!(text.contains("`acme`") && text.contains("operator:") && !text.contains("canary"), "{text}");
}

#[test]
fn a_record_of_another_version_says_so() {
    let vault = Vault::new(&key());
    let mut sealed = vault.seal_access("acme", epoch(1), &Secret::new("AQX")).unwrap();
    sealed[0] = 2;
    let expected = VaultError::Version { credential: "acme".into(), what: "access token", version: 2 };
    assert_eq!(vault.open_access("acme", epoch(1), &sealed).err(), Some(expected));
}

#[test]
fn no_flipped_bit_and_no_cut_goes_unnoticed() {
    let vault = Vault::new(&key());
    let sealed = vault.seal_access("acme", epoch(1), &Secret::new("AQX-canary")).unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(vault.open_access("acme", epoch(1), &flipped).is_err(), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(vault.open_access("acme", epoch(1), &sealed[..length]).is_err(), "{length} bytes");
    }
    assert!(vault.open_access("acme", epoch(1), &[sealed.as_slice(), b"x"].concat()).is_err());
}

proptest! {
    #[test]
    fn any_token_comes_back_and_any_change_is_noticed(
        name in ".{0,20}", number in any::<u32>(), token in ".{0,400}", at in any::<prop::sample::Index>(), flip in 1..=255_u8
    ) {
        let vault = Vault::new(&key());
        let grant = Grant { refresh: Some(Secret::new(token.as_str())), refresh_expires: Time::from_millis(1) };
        let mut sealed = vault.seal_grant(&name, epoch(number), &grant).unwrap();
        let opened = vault.open_grant(&name, epoch(number), &sealed).unwrap();
        prop_assert_eq!(opened.refresh.as_ref().map(Secret::reveal), Some(token.as_str()));
        let at = at.index(sealed.len());
        sealed[at] ^= flip;
        prop_assert!(vault.open_grant(&name, epoch(number), &sealed).is_err());
    }

    #[test]
    fn bytes_from_anywhere_open_nothing_and_break_nothing(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let vault = Vault::new(&key());
        prop_assert!(vault.open_access("acme", epoch(1), &bytes).is_err());
        let forged = [&[VERSION], vault.key_id.as_slice(), &bytes].concat();
        prop_assert!(vault.open_access("acme", epoch(1), &forged).is_err());
        prop_assert!(vault.open_grant("acme", epoch(1), &forged).is_err());
    }
}

#[test]
fn tokens_at_hand_are_kept_by_epoch_and_let_go() {
    let vault = Vault::new(&key());
    let token =
        |credential: &str, number| vault.token(credential, epoch(number)).map(|token| token.reveal().to_owned());
    assert_eq!(token("acme", 1), None);
    for number in [3, 1, 2, 5, 4] {
        vault.remember("acme", epoch(number), Secret::new(format!("t{number}")));
    }
    vault.remember("other", epoch(2), Secret::new("o2"));
    vault.remember("acme", epoch(2), Secret::new("t2 again"));
    assert_eq!(token("acme", 1), None, "only the newest few are kept");
    assert_eq!(token("acme", 2).as_deref(), Some("t2 again"));
    assert_eq!(token("acme", 5).as_deref(), Some("t5"));
    assert_eq!(token("other", 2).as_deref(), Some("o2"));
    vault.forget("acme");
    assert_eq!(token("acme", 5), None);
    assert_eq!(token("other", 2).as_deref(), Some("o2"));
}

#[test]
fn what_a_store_would_not_take_is_not_sealed() {
    let vault = Vault::new(&key());
    let longest = "x".repeat(MAX_VALUE - SEAL_LEN);
    assert_eq!(vault.seal_access("acme", epoch(1), &Secret::new(longest.as_str())).unwrap().len(), MAX_VALUE);
    let refused = vault.seal_access("acme", epoch(1), &Secret::new(format!("{longest}x"))).err().unwrap();
    assert_eq!(
        refused,
        VaultError::TooLong { credential: "acme".into(), what: "access token", bytes: MAX_VALUE.saturating_add(1) }
    );
    assert!(refused.to_string().contains("at most 4096"), "{refused}");
    let grant = Grant { refresh: Some(Secret::new(longest)), refresh_expires: Time::NEVER };
    let refused = vault.seal_grant("acme", epoch(1), &grant).err().unwrap();
    assert!(matches!(refused, VaultError::TooLong { what: "refresh token", .. }), "{refused}");
}
