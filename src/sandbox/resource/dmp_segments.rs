//! `/rest/dmpSegments`: audiences. A new one takes its time until the finder knows it, and until it takes members.

use super::super::accounts::{self, numbered};
use super::super::wire::{Answer, Applied};
use super::{Call, Refusal};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// What `applied` calls a segment in the audit log.
const NAME: &str = "dmpSegments";

/// Every segment.
#[derive(Default)]
pub(in super::super) struct Segments {
    list: Vec<Segment>,
    by_key: HashMap<(u64, Kind, String), u64>,
}

/// What a segment's members are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Kind {
    User,
    Company,
}

/// An audience.
pub(super) struct Segment {
    pub(super) id: u64,
    pub(super) account: u64,
    pub(super) kind: Kind,
    /// Who is in it, and the element that last said so, without its action.
    pub(super) members: BTreeMap<String, Value>,
    /// What it was created with.
    body: Map<String, Value>,
    created: u64,
    found_from: u64,
    ready_from: u64,
}

pub(super) fn find(store: &Segments, call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_finder("account")?;
    let account = call.account_asked_for()?;
    let wanted = ["sourceSegmentId", "sourcePlatform"].map(|name| (name, call.parameter(name)));
    let fits = |segment: &&Segment| {
        let mut asked = wanted.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        asked.all(|(name, value)| segment.body.get(name).and_then(Value::as_str) == Some(value))
    };
    let known = store.list.iter().filter(|one| one.account == account.id && one.found_from <= call.now);
    call.page(known.filter(fits).map(Segment::value))
}

pub(super) fn create(store: &mut Segments, call: &Call<'_>) -> Result<Answer, Refusal> {
    call.check_method(&["", "CREATE"])?;
    let body = call.json()?.as_object().ok_or_else(|| Refusal::bad("The body must be an object"))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let account = call.workplace(text("account").unwrap_or_default())?;
    for name in ["name", "sourcePlatform", "sourceSegmentId"] {
        text(name).ok_or_else(|| Refusal::bad(format!("{name} must be a text that is not empty")))?;
    }
    let kind = Kind::named(text("type").unwrap_or_default());
    let kind = kind.ok_or_else(|| Refusal::bad("type must be USER or COMPANY"))?;
    check_destinations(body.get("destinations"))?;
    let key = (account.id, kind, text("sourceSegmentId").unwrap_or_default().to_owned());
    // Also where the finder does not know it yet: that is how two who look first and then create come to collide.
    if store.by_key.contains_key(&key) {
        let message = format!("There is a segment of type {} with this sourceSegmentId", kind.name());
        return Err(Refusal::new(409, "CONFLICT", message));
    }
    let id = FIRST.saturating_add(u64::try_from(store.list.len()).unwrap_or(u64::MAX));
    let segment = Segment {
        id,
        account: account.id,
        kind,
        members: BTreeMap::new(),
        body: body.clone(),
        created: call.now,
        found_from: call.now.saturating_add(call.switches.finder_delay_ms),
        ready_from: call.now.saturating_add(call.switches.segment_ready_delay_ms),
    };
    let mut answer = Answer::empty(201);
    let headers = call.switches.segment_id_headers.iter();
    answer.headers.extend(headers.map(|header| (header.name().to_owned(), id.to_string())));
    answer.effects.applied.push(Applied::new(NAME, id.to_string(), Value::Object(body.clone())));
    store.by_key.insert(key, id);
    store.list.push(segment);
    Ok(answer)
}

fn check_destinations(list: Option<&Value>) -> Result<(), Refusal> {
    let list = list.and_then(Value::as_array).filter(|list| !list.is_empty());
    match list {
        Some(list) if list.iter().all(|one| one.get("destination").and_then(Value::as_str) == Some("LINKEDIN")) => {
            Ok(())
        }
        _ => Err(Refusal::bad("destinations must be [{\"destination\": \"LINKEDIN\"}]")),
    }
}

impl Segments {
    /// The segment with this id, where it takes members. One that is not ready is answered like one that does not exist: nothing
    /// in the answer can tell them apart.
    pub(super) fn ready(&mut self, id: &str, now: u64) -> Result<&mut Segment, Refusal> {
        let place = numbered(id, "").and_then(|id| usize::try_from(id.checked_sub(FIRST)?).ok());
        let segment = place.and_then(|place| self.list.get_mut(place)).filter(|segment| segment.ready_from <= now);
        segment.ok_or_else(|| Refusal::not_found("There is no such segment"))
    }

    /// All segments with their members, in the order in which they were created.
    pub(in super::super) fn list(&self) -> Value {
        let row = |segment: &Segment| {
            let (created, found, ready) = (segment.created, segment.found_from, segment.ready_from);
            let mut row = segment.body.clone();
            let more = [
                ("id", json!(segment.id)),
                ("created_ms", json!(created)),
                ("found_from_ms", json!(found)),
                ("ready_from_ms", json!(ready)),
                ("members", json!(segment.members)),
            ];
            row.extend(more.map(|(name, value)| (name.to_owned(), value)));
            Value::Object(row)
        };
        self.list.iter().map(row).collect()
    }
}

impl Segment {
    pub(super) fn urn_of_account(&self) -> String {
        accounts::urn(self.account)
    }

    fn value(&self) -> Value {
        let mut value = self.body.clone();
        value.insert("id".to_owned(), json!(self.id));
        Value::Object(value)
    }
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Company => "COMPANY",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::User, Self::Company].into_iter().find(|kind| kind.name() == name)
    }
}

const FIRST: u64 = 70_001;
