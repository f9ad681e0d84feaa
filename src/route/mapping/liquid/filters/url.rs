//! Filters of addresses, and of texts that go into them.

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

use super::super::super::error::Trouble;
use super::{Call, Outcome, Run, failed, made};
use crate::js::text::is_space;

pub(super) fn find(name: &str) -> Option<Run> {
    Some(match name {
        "url_encode" => |call| made(encoded(&call.text()?, COMPONENT).replace("%20", "+")),
        "url_decode" => |call| made(decoded(&call.text()?)?.replace('+', " ")),
        "cgi_escape" => |call| made(encoded(&call.text()?, STRICT).replace("%20", "+")),
        "uri_escape" => |call| made(encoded(&call.text()?, WHOLE)),
        "slugify" => slugify,
        _ => return None,
    })
}

/// What stays, beside letters and digits: in a part of an address.
const COMPONENT: &str = "-_.!~*'()";
/// In a form.
const STRICT: &str = "-_.~";
/// In a whole address.
const WHOLE: &str = "-_.!~*'();/?:@&=+$,#[]";

fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let letter = char::from(byte);
        if letter.is_ascii_alphanumeric() || kept.contains(letter) {
            out.push(letter);
        } else {
            let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default().to_ascii_uppercase();
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out
}

fn decoded(text: &str) -> Result<String, Trouble> {
    let wrong =
        || failed("the text is not encoded as a part of an address", "leave out url_decode, or send other text");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
        let value = digit()?.saturating_mul(16).saturating_add(digit()?);
        bytes.push(u8::try_from(value).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// Runs of what is no letter or digit become hyphens; none stays at the ends.
fn slugify<'p>(call: &Call<'_, 'p>) -> Outcome<'p> {
    let (text, mode, cased) = (call.text()?, call.text_or(0, "default")?, call.flag(1));
    let separates: Option<fn(char) -> bool> = match mode.as_str() {
        "raw" => Some(is_space),
        "default" | "latin" => Some(|letter| !is_name(letter)),
        "pretty" => Some(|letter| !is_name(letter) && !"._~!$&'()+,;=@".contains(letter)),
        "ascii" => Some(|letter| !letter.is_ascii_alphanumeric()),
        _ => None,
    };
    let text = if mode == "latin" { without_accents(&text) } else { text };
    let slug = separates.map_or_else(|| text.clone(), |separates| hyphenated(&text, separates));
    made(if cased { slug } else { slug.to_lowercase() })
}

/// A mark, a letter or a decimal digit.
fn is_name(letter: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(letter);
    category == GeneralCategory::DecimalNumber
        || GeneralCategoryGroup::Letter.contains(category)
        || GeneralCategoryGroup::Mark.contains(category)
}

fn hyphenated(text: &str, separates: fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for letter in text.chars() {
        let separator = separates(letter);
        if !separator {
            out.push(letter);
        } else if !within {
            out.push('-');
        }
        within = separator;
    }
    let out = out.strip_prefix('-').unwrap_or(&out);
    out.strip_suffix('-').unwrap_or(out).to_owned()
}

fn without_accents(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        out.push_str(match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
            'æ' => "ae",
            'ç' => "c",
            'è' | 'é' | 'ê' | 'ë' => "e",
            'ì' | 'í' | 'î' | 'ï' => "i",
            'ð' => "d",
            'ñ' => "n",
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
            'ù' | 'ú' | 'û' | 'ü' => "u",
            'ý' | 'ÿ' => "y",
            'ß' => "ss",
            'œ' => "oe",
            'þ' => "th",
            'ẞ' => "SS",
            'Œ' => "OE",
            'Þ' => "TH",
            other => {
                out.push(other);
                continue;
            }
        });
    }
    out
}
