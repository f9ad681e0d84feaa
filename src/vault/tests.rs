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
    let mut nonces: Vec<Vec<u8>> = (0..1000).map(|_| seal()[1 + KeyId::LEN..][..NONCE_LEN].to_vec()).collect();
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
    let other = key();
    let sealed = Vault::new(&other).seal_access("acme", epoch(1), &Secret::new("AQX-canary")).unwrap();
    let error = Vault::new(&key()).open_access("acme", epoch(1), &sealed).err().unwrap();
    assert_eq!(error, VaultError::WrongKey { credential: "acme".into(), what: "access token", key: other.id() });
    let text = error.to_string();
    assert!(text.contains("`acme`") && text.contains("operator:") && !text.contains("canary"), "{text}");
    assert!(text.contains(&other.id().to_string()), "{text}");
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
        let forged = [&[VERSION], vault.keys()[0].bytes(), &bytes].concat();
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

fn grant(refresh: &str) -> Grant {
    Grant { refresh: Some(Secret::new(refresh)), refresh_expires: Time::from_millis(9) }
}

#[test]
fn a_vault_with_several_keys_opens_with_each_and_seals_with_the_first() {
    let (new, old, older) = (key(), key(), key());
    let by = |key: &VaultKey| Vault::new(key).seal_access("acme", epoch(1), &Secret::new("AQX")).unwrap();
    let vault = Vault::new(&new).and_opens_with(&old).and_opens_with(&older).and_opens_with(&old);
    assert_eq!(vault.keys(), [new.id(), old.id(), older.id()]);
    for key in [&new, &old, &older] {
        let sealed = by(key);
        assert_eq!(Vault::key_of(&sealed), Some(key.id()));
        assert_eq!(vault.open_access("acme", epoch(1), &sealed).unwrap().reveal(), "AQX");
    }
    let fresh = vault.seal_access("acme", epoch(1), &Secret::new("AQX")).unwrap();
    assert_eq!(Vault::key_of(&fresh), Some(new.id()));
    let stranger = key();
    assert!(
        matches!(vault.open_access("acme", epoch(1), &by(&stranger)), Err(VaultError::WrongKey { key, .. }) if key == stranger.id())
    );
}

#[test]
fn a_vault_that_goes_over_to_another_key_still_opens_what_the_old_one_sealed() {
    let (old, new) = (key(), key());
    let vault = Vault::new(&old);
    let before = vault.seal_grant("acme", epoch(3), &grant("AQW")).unwrap();
    vault.adopt(&new);
    vault.adopt(&new);
    assert_eq!(vault.keys(), [new.id(), old.id()]);
    assert_eq!(vault.open_grant("acme", epoch(3), &before).unwrap().refresh.unwrap().reveal(), "AQW");
    let after = vault.seal_grant("acme", epoch(3), &grant("AQW")).unwrap();
    assert!(Vault::new(&new).open_grant("acme", epoch(3), &after).is_ok());
    assert!(Vault::new(&old).open_grant("acme", epoch(3), &after).is_err());
    vault.adopt(&old);
    assert_eq!(vault.keys(), [old.id(), new.id()], "back again");
}

/// For each kind of record: sealed anew it holds the same, for the same place and no other.
#[test]
fn what_is_sealed_anew_opens_with_the_new_key_alone_and_only_where_it_belongs() {
    let (old, new) = (key(), key());
    let vault = Vault::new(&old);
    let access = vault.seal_access("acme", epoch(7), &Secret::new("AQX-canary")).unwrap();
    let sealed_grant = vault.seal_grant("acme", epoch(7), &grant("AQW-canary")).unwrap();
    let place = |kind, number| Place { credential: "acme", kind, epoch: epoch(number) };
    assert_eq!(vault.reseal(&place(Kind::Access, 7), &access), Ok(None), "it is sealed with the key that seals");
    vault.adopt(&new);
    let only_new = Vault::new(&new);
    let anew = vault.reseal(&place(Kind::Access, 7), &access).unwrap().unwrap();
    assert_eq!(only_new.open_access("acme", epoch(7), &anew).unwrap().reveal(), "AQX-canary");
    let anew_grant = vault.reseal(&place(Kind::Grant, 7), &sealed_grant).unwrap().unwrap();
    let opened = only_new.open_grant("acme", epoch(7), &anew_grant).unwrap();
    assert_eq!(opened.refresh.unwrap().reveal(), "AQW-canary");
    assert_eq!(opened.refresh_expires, Time::from_millis(9));
    for sealed in [&anew, &anew_grant] {
        assert!(!contains(sealed, "canary"));
        for (credential, number) in [("acme2", 7), ("acm", 7), ("acme", 6), ("acme", 8)] {
            assert!(only_new.open_access(credential, epoch(number), sealed).is_err(), "{credential} {number}");
            assert!(only_new.open_grant(credential, epoch(number), sealed).is_err(), "{credential} {number}");
        }
    }
    // A record that was moved is not sealed anew for the place where it lies: that would make it good.
    let moved = Place { credential: "other", kind: Kind::Access, epoch: epoch(7) };
    for (place, sealed) in [
        (&moved, &access),
        (&place(Kind::Access, 8), &access),
        (&place(Kind::Grant, 7), &access),
        (&place(Kind::Access, 7), &sealed_grant),
        (&place(Kind::Grant, 6), &sealed_grant),
    ] {
        assert!(matches!(vault.reseal(place, sealed), Err(VaultError::Damaged { .. })));
    }
}

#[test]
fn a_key_has_a_name_that_does_not_tell_it() {
    let key = key();
    let (name, debug) = (key.id().to_string(), format!("{:?}", key.id()));
    assert_eq!(name.len(), 16);
    assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()) && debug.contains(&name), "{debug}");
    let hex = crate::digest::hex(key.bytes());
    assert!(!hex.contains(&name));
    assert_eq!(VaultKey::from_text(&key.text()).unwrap().id(), key.id());
    assert!(VaultKey::from_text(&Secret::new("canary")).err().unwrap().to_string().contains("does not hold 32 bytes"));
    assert_eq!(Vault::key_of(&[]), None);
    assert_eq!(Vault::key_of(&[2; 40]), None, "another version");
}
