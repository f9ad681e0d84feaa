//! `${NAME}` in a text stands for the environment.

use crate::span::NotReadable;

/// Puts the environment's values where `text` holds `${NAME}`; `$${` stands for `${` itself.
pub(crate) fn expanded(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, NotReadable> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}') else {
            return Err(NotReadable(
                "a `${` has no `}`; close it, or write `$${` for the characters themselves".into(),
            ));
        };
        let value = environment(name).ok_or_else(|| {
            NotReadable(format!("the environment variable {name} is not set; set it, or write the value here"))
        })?;
        out.push_str(before);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The names of the environment that `text` holds.
pub(crate) fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_where_it_is_named() {
        let environment = |name: &str| (name == "KEY").then(|| "va${KEY}lue".to_owned());
        for (text, expected) in [
            ("plain $ {KEY}", "plain $ {KEY}"),
            ("a${KEY}b${KEY}", "ava${KEY}luebva${KEY}lue"),
            ("$${KEY}", "${KEY}"),
            ("$$${KEY}", "$${KEY}"),
        ] {
            assert_eq!(expanded(text, &environment).as_deref(), Ok(expected), "{text}: values are not expanded again");
        }
        assert!(expanded("${KEY", &environment).unwrap_err().to_string().contains("has no `}`"));
        assert!(expanded("${OTHER}", &environment).unwrap_err().to_string().contains("OTHER is not set"));
    }
}
