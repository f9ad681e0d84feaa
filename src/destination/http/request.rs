//! One or many items in a request.

use serde_json::Value;

use super::draft::{Content, Draft};
use super::{Declared, Place, pointer};
use crate::digest::{hex, sha256};
use crate::exchange::Request;

impl Declared {
    /// The request for these, which share address and headers with the `first` of them.
    pub(super) fn request(&self, first: &Draft, sent: &[&Draft]) -> Request {
        let mut request = Request::new(self.method, first.url.clone());
        let mut kind = "application/json";
        for (name, value) in &first.headers {
            if name == "content-type" {
                kind = value;
            } else {
                request = request.header(name.clone(), value.as_str());
            }
        }
        for (name, value) in &self.secret_headers {
            request = request.secret_header(name.clone(), value);
        }
        if let Some(Place::Header(name)) = self.dedupe.as_ref().map(|key| &key.place) {
            request = request.header(name.clone(), together(sent));
        }
        if self.bearer {
            request = request.bearer();
        }
        match self.body(first, sent) {
            Some(body) => request.content(kind, body),
            None => request,
        }
    }

    fn body(&self, first: &Draft, sent: &[&Draft]) -> Option<Vec<u8>> {
        let Some(batch) = &self.batch else { return first.body.as_ref().map(bytes) };
        let list = sent.iter().filter_map(|draft| draft.body.as_ref()).map(json).collect();
        let mut body = batch.around.clone();
        pointer::put(&mut body, &batch.at, Value::Array(list))
            .expect("the place of the list was tried when it was built");
        Some(body.to_string().into_bytes())
    }
}

/// One key for all of them. A batch that is sent again has the same members in the same order, and so the same key.
fn together(sent: &[&Draft]) -> String {
    let keys: Vec<&str> = sent.iter().filter_map(|draft| draft.key.as_deref()).collect();
    if let [key] = keys.as_slice() {
        return (*key).to_owned();
    }
    hex(&sha256(keys.join("\n").as_bytes()))
}

fn bytes(content: &Content) -> Vec<u8> {
    match content {
        Content::Bytes(bytes) => bytes.clone(),
        Content::Json(value) => value.to_string().into_bytes(),
    }
}

fn json(content: &Content) -> Value {
    match content {
        Content::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        Content::Json(value) => value.clone(),
    }
}
