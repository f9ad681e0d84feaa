//! Finds a secret in bytes, also a part of it, and also where somebody has encoded it.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A secret, and what it is called where it is found.
#[derive(Clone)]
pub(crate) struct Canary {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Canary {
    pub(crate) fn new(name: &str, secret: impl AsRef<[u8]>) -> Self {
        Canary { name: name.to_owned(), bytes: secret.as_ref().to_vec() }
    }
}

/// So many characters in a row are a part of a secret, and not chance.
const PART: usize = 12;

/// Needles are found by their first bytes.
const HEAD: usize = 8;

/// Looks for parts of secrets in all forms at once.
pub(crate) struct Scanner {
    by_head: HashMap<[u8; HEAD], Vec<Needle>>,
}

struct Needle {
    bytes: Vec<u8>,
    what: String,
}

type Form = (&'static str, fn(&[u8]) -> Vec<Vec<u8>>, usize);

/// How a secret can stand somewhere: its name, what it makes of a secret, and how much of that is a part.
pub(crate) const FORMS: [Form; 15] = [
    ("as it is", |secret| vec![secret.to_vec()], PART),
    ("in base64", |secret| shifted(secret, |bytes| STANDARD_NO_PAD.encode(bytes)), 16),
    ("in base64 for URLs", |secret| shifted(secret, |bytes| URL_SAFE_NO_PAD.encode(bytes)), 16),
    (
        "in base64 twice",
        |secret| {
            let once = shifted(secret, |bytes| STANDARD_NO_PAD.encode(bytes));
            once.iter().flat_map(|text| shifted(text, |bytes| STANDARD_NO_PAD.encode(bytes))).collect()
        },
        21,
    ),
    ("in hexadecimal", |secret| vec![join(secret, |byte| format!("{byte:02x}"))], 2 * PART),
    ("in HEXADECIMAL", |secret| vec![join(secret, |byte| format!("{byte:02X}"))], 2 * PART),
    (
        "with percents",
        |secret| vec![url::form_urlencoded::byte_serialize(secret).collect::<String>().into_bytes()],
        PART,
    ),
    ("all in percents", |secret| vec![join(secret, |byte| format!("%{byte:02X}"))], 3 * PART),
    ("all in percents, small", |secret| vec![join(secret, |byte| format!("%{byte:02x}"))], 3 * PART),
    ("escaped in JSON", |secret| vec![serde_json::to_vec(&String::from_utf8_lossy(secret)).unwrap()], PART),
    ("all escaped in JSON", |secret| vec![join(secret, |byte| format!("\\u{byte:04x}"))], 6 * PART),
    ("with escaped slashes", |secret| vec![String::from_utf8_lossy(secret).replace('/', "\\/").into_bytes()], PART),
    ("as numbers", |secret| vec![join(secret, |byte| format!("{byte}, "))], 36),
    ("as numbers in JSON", |secret| vec![join(secret, |byte| format!("{byte},"))], 26),
    ("in UTF-16", |secret| vec![secret.iter().flat_map(|byte| [*byte, 0]).collect()], 2 * PART),
];

fn join(secret: &[u8], each: impl Fn(&u8) -> String) -> Vec<u8> {
    secret.iter().map(each).collect::<String>().into_bytes()
}

/// The encodings of a secret that begins at each of the three places of a group, without the letters that its neighbours
/// decide, too.
fn shifted(secret: &[u8], encode: impl Fn(&[u8]) -> String) -> Vec<Vec<u8>> {
    let at = |shift: usize| {
        let text = encode(&[&vec![b'x'; shift], secret].concat()).into_bytes();
        let first = [0, 2, 3][shift];
        let last = if (shift + secret.len()).is_multiple_of(3) { text.len() } else { text.len() - 1 };
        text[first..last].to_vec()
    };
    (0..3).map(at).collect()
}

impl Scanner {
    pub(crate) fn new(canaries: &[Canary]) -> Self {
        let mut by_head: HashMap<[u8; HEAD], Vec<Needle>> = HashMap::new();
        for canary in canaries {
            for (form, make, part) in FORMS {
                for whole in make(&canary.bytes) {
                    for bytes in whole.windows(part.min(whole.len())) {
                        let head = *bytes.first_chunk().unwrap();
                        let what = format!("{} {form}", canary.name);
                        by_head.entry(head).or_default().push(Needle { bytes: bytes.to_vec(), what });
                    }
                }
            }
        }
        Scanner { by_head }
    }

    /// What is found in these bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (at, head) in bytes.windows(HEAD).enumerate() {
            let head: &[u8; HEAD] = head.first_chunk().unwrap();
            for needle in self.by_head.get(head).into_iter().flatten() {
                if bytes[at..].starts_with(&needle.bytes) && !found.contains(&needle.what) {
                    found.insert(needle.what.clone());
                }
            }
        }
        found
    }

    /// The files below a directory that hold a secret, but for those that are there to hold one.
    pub(crate) fn files(&self, directory: &Path, but: &[&str]) -> Vec<String> {
        let (mut open, mut found, mut seen) = (vec![directory.to_owned()], Vec::new(), 0);
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    open.push(path);
                } else if path.is_file() && !but.contains(&name.as_str()) {
                    seen += 1;
                    let here = self.find(&std::fs::read(&path).unwrap());
                    found.extend(here.into_iter().map(|what| format!("{}: {what}", path.display())));
                }
            }
        }
        assert!(seen > 0, "nothing was read in {}", directory.display());
        found
    }
}

mod tests {
    use super::*;

    const SECRET: &str = "AQXdSP_W41/UPs5i+oT8=t4HJyqODB5F.qk7LFf~mB0fd";

    #[test]
    fn a_planted_secret_is_found_in_every_form_and_so_is_a_part_of_it() {
        let scanner = Scanner::new(&[Canary::new("it", SECRET)]);
        for (form, make, _) in FORMS {
            for text in make(SECRET.as_bytes()) {
                let planted = [b"before ".as_slice(), &text, b" after"].concat();
                let found = scanner.find(&planted);
                assert!(found.contains(&format!("it {form}")), "{form}: {found:?}");
            }
        }
        assert!(!scanner.find(&SECRET.as_bytes()[20..33]).is_empty(), "a part");
        for at in 0..3 {
            let record = [&vec![7; at], b"sealed: ".as_slice(), SECRET.as_bytes(), b" and more"].concat();
            assert!(
                !scanner.find(STANDARD_NO_PAD.encode(record).as_bytes()).is_empty(),
                "in base64 behind other things"
            );
        }
        let debug = format!("{:?}", SECRET.as_bytes());
        assert!(scanner.find(debug.as_bytes()).contains("it as numbers"));
    }

    #[test]
    fn what_is_no_part_of_a_secret_is_not_found() {
        let scanner = Scanner::new(&[Canary::new("it", SECRET)]);
        let other = SECRET.chars().rev().collect::<String>();
        assert_eq!(scanner.find(other.as_bytes()), BTreeSet::new());
        assert_eq!(scanner.find(&SECRET.as_bytes()[..PART - 1]), BTreeSet::new());
        assert_eq!(scanner.find(b""), BTreeSet::new());
    }
}
