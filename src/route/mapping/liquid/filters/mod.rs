//! The filters of `LiquidJS` 10 that the reference implementation leaves. Unknown ones do nothing; those that it disables
//! fail when they run.

mod date;
mod html;
mod lists;
mod math;
mod other;
mod text;
mod url;

use super::super::budget::Budget;
use super::super::error::{Stage, Trouble};
use super::super::value::{Piece, Value};
use super::data::{Data, number, shown};

/// What a filter is applied to.
struct Call<'c, 'p> {
    input: &'c Data<'p>,
    arguments: &'c [Data<'p>],
    budget: &'c Budget,
}

type Outcome<'p> = Result<Value<'p>, Trouble>;
type Run = for<'c, 'p> fn(&Call<'c, 'p>) -> Outcome<'p>;

const DISABLED: [&str; 20] = [
    "array_to_sentence_string",
    "concat",
    "find",
    "find_exp",
    "find_index",
    "find_index_exp",
    "group_by",
    "group_by_exp",
    "has",
    "has_exp",
    "map",
    "newline_to_br",
    "reject",
    "reject_exp",
    "reverse",
    "sort",
    "sort_natural",
    "type",
    "uniq",
    "where_exp",
];

/// Applies a filter. What it makes is paid for.
pub(super) fn apply<'p>(
    name: &str,
    input: &Data<'p>,
    arguments: &[Data<'p>],
    budget: &Budget,
) -> Result<Data<'p>, Trouble> {
    if DISABLED.contains(&name) {
        return Err(failed(format!("the filter {name} is not allowed"), "write the template without it"));
    }
    let found = text::find(name)
        .or_else(|| math::find(name))
        .or_else(|| lists::find(name))
        .or_else(|| html::find(name))
        .or_else(|| url::find(name))
        .or_else(|| date::find(name))
        .or_else(|| other::find(name));
    let Some(run) = found else { return Ok(input.clone()) };
    let value = run(&Call { input, arguments, budget })?;
    budget.copy(&value)?;
    Ok(Data::Value(value))
}

/// A filter that fails.
fn failed(message: impl Into<String>, remedy: &str) -> Trouble {
    Trouble::liquid(Stage::Render, message, remedy)
}

impl<'p> Call<'_, 'p> {
    /// The input as a value.
    fn value(&self) -> Value<'p> {
        self.input.clone().plain()
    }

    /// The input as text.
    fn text(&self) -> Result<String, Trouble> {
        shown(self.value().piece(), self.budget)
    }

    /// An argument that was given, and is something.
    fn given(&self, index: usize) -> Option<Value<'p>> {
        self.arguments.get(index).map(|data| data.clone().plain()).filter(|value| !matches!(value, Value::Undefined))
    }

    /// An argument as text; empty when there is none.
    fn text_of(&self, index: usize) -> Result<String, Trouble> {
        self.text_or(index, "")
    }

    /// An argument as text, with what stands for none.
    fn text_or(&self, index: usize, default: &str) -> Result<String, Trouble> {
        match self.given(index) {
            Some(value) => shown(value.piece(), self.budget),
            None => Ok(default.to_owned()),
        }
    }

    /// An argument as a number, with what stands for none. Not what stands for a number is not-a-number.
    fn number_or(&self, index: usize, default: f64) -> Result<f64, Trouble> {
        self.given(index).map_or(Ok(default), |value| number(value.piece(), self.budget))
    }

    /// Whether an argument counts as true in JavaScript. Words such as `nil` are objects there.
    fn flag(&self, index: usize) -> bool {
        match self.arguments.get(index) {
            Some(Data::Value(value)) => !value.piece().is_falsy(),
            word => word.is_some(),
        }
    }

    /// The input as a list: nothing for null, and any other value is a list of one.
    fn list(&self) -> Result<Vec<Value<'p>>, Trouble> {
        list(self.value().piece(), self.budget)
    }
}

fn list<'p>(piece: Piece<'_, 'p>, budget: &Budget) -> Result<Vec<Value<'p>>, Trouble> {
    use super::super::value::View;
    match piece.view() {
        View::Undefined | View::Null => Ok(Vec::new()),
        View::Array(items) => {
            budget.nodes(items.len())?;
            items.iter().map(|item| item.taken(budget)).collect()
        }
        _ => Ok(vec![piece.taken(budget)?]),
    }
}

/// Text made by a filter.
#[allow(clippy::unnecessary_wraps, reason = "it is the outcome of filters, most of which can fail before it")]
fn made<'p>(text: impl Into<String>) -> Outcome<'p> {
    Ok(Value::Text(text.into()))
}
