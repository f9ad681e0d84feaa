//! Checks a description, and makes the destination of it.

use serde_json::Value;

use super::address::Address;
use super::description::{Batch, Body, Dedupe, Description, Means, Place, Row};
use super::template::{Compile, Template};
use super::{Declared, Key, Making, Method, Secret, kind, pointer};
use crate::destination::SettingError;
use crate::destination::setting::{header_name, header_value, not_a_secret, private};

impl Declared {
    /// Checks a description, with `compile` as the reader of its templates.
    ///
    /// # Errors
    /// A part of it cannot be used; the error names it and says what to write.
    pub fn new(description: Description, compile: Compile<'_>) -> Result<Declared, SettingError> {
        let Description { method, url, headers, secret_headers, body, bearer, .. } = description;
        let address = Address::new(&url, compile)?;
        if let Some(origin) = address.origin() {
            private(&origin, bearer || !secret_headers.is_empty())?;
        }
        let mut names = Names { bearer, taken: Vec::new() };
        let headers = names.plain(headers, compile)?;
        let secret_headers = names.secret(secret_headers)?;
        let dedupe = description.dedupe.map(|dedupe| key(dedupe, &body, &mut names, compile)).transpose()?;
        let body = making(method, body, compile)?;
        let batch = description.batch.map(|batch| shape(batch, &body, bearer)).transpose()?;
        rows("answers", &description.answers, bearer)?;
        for (setting, place) in [("retry_after", &description.retry_after), ("message", &description.message)] {
            place.as_deref().map_or(Ok(()), |place| pointer::check(setting, place))?;
        }
        let (answers, retry_after, message) = (description.answers, description.retry_after, description.message);
        let declared = Declared {
            method,
            address,
            headers,
            secret_headers,
            body,
            bearer,
            dedupe,
            batch,
            answers,
            retry_after,
            message,
            actions: [kind::action()],
        };
        Ok(declared)
    }
}

/// The names of headers that stand in a request already: of two with one name only the last would be sent.
struct Names {
    bearer: bool,
    taken: Vec<String>,
}

impl Names {
    fn take(&mut self, setting: &str, name: &str) -> Result<String, SettingError> {
        let own: &[&str] = if self.bearer { &["authorization"] } else { &[] };
        let name = header_name(setting, name, own)?;
        if self.taken.contains(&name) {
            return Err(SettingError::new(setting, format!("`{name}` stands twice."), "Leave one of them out."));
        }
        self.taken.push(name.clone());
        Ok(name)
    }

    fn plain(
        &mut self,
        headers: Vec<(String, Value)>,
        compile: Compile<'_>,
    ) -> Result<Vec<(String, Template)>, SettingError> {
        let mut read = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let name = self.take("headers", &name)?;
            not_a_secret("headers", &name)?;
            if let Value::String(text) = &value {
                header_value("headers", &name, text)?;
            }
            let template = Template::new(format!("headers {name}"), &value, compile)?;
            read.push((name, template));
        }
        Ok(read)
    }

    fn secret(&mut self, headers: Vec<(String, Secret)>) -> Result<Vec<(String, Secret)>, SettingError> {
        let mut read = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let name = self.take("secret_headers", &name)?;
            if name == "content-type" {
                return Err(SettingError::new("secret_headers", "`content-type` is no secret.", "Set it as a header."));
            }
            header_value("secret_headers", &name, value.reveal())?;
            read.push((name, value));
        }
        Ok(read)
    }
}

fn making(method: Method, body: Body, compile: Compile<'_>) -> Result<Making, SettingError> {
    if method == Method::Get && body != Body::Nothing {
        return Err(SettingError::new("body", "GET has none.", "Leave it out, or set another method."));
    }
    Ok(match body {
        Body::Nothing => Making::Nothing,
        Body::Event => Making::Event,
        Body::Mapped(template) => Making::Mapped(Template::new("body", &template, compile)?),
    })
}

fn key(dedupe: Dedupe, body: &Body, names: &mut Names, compile: Compile<'_>) -> Result<Key, SettingError> {
    let place = match dedupe.place {
        Place::Header(name) => {
            let name = names.take("dedupe", &name)?;
            not_a_secret("dedupe", &name)?;
            if name == "content-type" {
                let problem = "`content-type` says what the body is.";
                return Err(SettingError::new("dedupe", problem, "Write the header that the API names."));
            }
            Place::Header(name)
        }
        Place::Body(place) => {
            pointer::check("dedupe", &place)?;
            if place.is_empty() || *body == Body::Nothing {
                let problem = "There is no body, or no member of it, to write the key to.";
                return Err(SettingError::new("dedupe", problem, "Write a pointer such as /id, or name a header."));
            }
            Place::Body(place)
        }
    };
    let value = dedupe.value.map(|template| Template::new("dedupe", &template, compile)).transpose()?;
    Ok(Key { place, value })
}

fn shape(batch: Batch, body: &Making, bearer: bool) -> Result<Batch, SettingError> {
    let fault = |part: &str, problem: &str, remedy: &str| SettingError::new(format!("batch {part}"), problem, remedy);
    if batch.items == 0 || batch.bytes == 0 {
        return Err(fault("items", "Nothing fits into a batch.", "Allow at least one item and its bytes."));
    }
    if matches!(body, Making::Nothing) {
        return Err(fault(
            "items",
            "Items without a body cannot share a request.",
            "Map a body, or leave the batch out.",
        ));
    }
    pointer::check("batch at", &batch.at)?;
    if !matches!(batch.around, Value::Null | Value::Object(_)) {
        return Err(fault("around", "It is no object.", "Write the object that the list stands in."));
    }
    if batch.at.is_empty() && !batch.around.is_null() {
        return Err(fault("at", "The list would replace what is around it.", "Write where in it the list stands."));
    }
    let mut tried = batch.around.clone();
    pointer::put(&mut tried, &batch.at, Value::Null).map_err(|pointer::Blocked| {
        fault("at", "It leads through something that is no object.", "Write where in `around` the list stands.")
    })?;
    if let Some(results) = &batch.results {
        pointer::check("batch results list", &results.list)?;
        for (part, place) in [("status", &results.status), ("message", &results.message)] {
            let setting = format!("batch results {part}");
            place.as_deref().map_or(Ok(()), |place| pointer::check(&setting, place))?;
        }
        rows("batch results answers", &results.answers, bearer)?;
        if results.status.is_none() && results.answers.is_empty() {
            let remedy = "Write where in an element its status stands, or rows for its content.";
            return Err(fault("results", "Nothing says what an element means.", remedy));
        }
    }
    Ok(batch)
}

fn rows(setting: &str, rows: &[Row], bearer: bool) -> Result<(), SettingError> {
    for (place, row) in rows.iter().enumerate() {
        let setting = format!("{setting}[{place}]");
        let fault = |problem: &str, remedy: &str| Err(SettingError::new(&setting, problem, remedy));
        if row.rule.status.is_empty() {
            return fault("Its range of statuses is empty.", "Write the lower status first.");
        }
        match &row.rule.pointer {
            Some(place) => pointer::check(&setting, place)?,
            None if !row.rule.values.is_empty() => {
                return fault("It has values, and no pointer to where they stand.", "Write the pointer.");
            }
            None => {}
        }
        if row.rule.pointer.is_some() && row.rule.values.is_empty() {
            return fault("It has a pointer, and no values.", "Write the values that it is about.");
        }
        if row.means == Means::TokenRefused && !bearer {
            return fault("No token is sent that could be refused.", "Give the destination a credential.");
        }
    }
    Ok(())
}
