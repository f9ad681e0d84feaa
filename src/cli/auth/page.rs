//! What the browser shows when it comes back.

/// A page and its status.
pub(super) struct Page {
    pub(super) status: &'static str,
    pub(super) body: String,
}

/// The credential has its grant.
pub(super) fn done(credential: &str, state: &str) -> Page {
    let text = format!("Credential {credential} has its grant and is {state}. You can close this window.");
    page("200 OK", "Consent given", &text)
}

/// The consent came to nothing.
pub(super) fn failed(credential: &str, why: &str) -> Page {
    let text = format!("Credential {credential} got no grant: {why}. The terminal says the same.");
    page("400 Bad Request", "No grant", &text)
}

/// Somebody else's question.
pub(super) fn foreign() -> Page {
    let text = "This is not the answer that is waited for: its state is missing or another one. Nothing has changed, and the \
                right one is still waited for. Use the address that the terminal shows.";
    page("400 Bad Request", "Not this one", text)
}

/// Nothing that is served here.
pub(super) fn stray(status: &'static str, why: &str) -> Page {
    page(status, "Nothing here", why)
}

fn page(status: &'static str, title: &str, text: &str) -> Page {
    let (title, text) = (escaped(title), escaped(text));
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title} - Outlast</title>\
         <h1>{title}</h1><p>{text}</p></html>\n"
    );
    Page { status, body }
}

/// Text as HTML: what the provider says is no mark-up.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_provider_says_is_shown_as_text() {
        let page = failed("acme", "it says: <script>alert('x' & \"y\")</script>");
        assert!(
            page.body.contains("&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;"),
            "{}",
            page.body
        );
        assert!(!page.body.contains("<script>"));
        assert!(done("acme", "Current").body.contains("You can close this window."));
    }
}
