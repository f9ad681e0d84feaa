//! Renders a template for an event. There is no loop among the tags that are allowed, so every part runs at most once,
//! and what filters make is paid for.

use std::collections::HashMap;

use super::super::budget::Budget;
use super::super::error::{Class, Stage, Trouble};
use super::super::value::{Piece, Value, View};
use super::data::{Data, coerced, number, shown};
use super::parse::{Part, Step};
use super::scope::{Scope, follow};
use super::syntax::Operand;

type Rendered<T> = Result<T, Trouble>;

/// The text of a template.
pub(super) fn render(parts: &[Part], event: Piece<'_, '_>, budget: &Budget) -> Rendered<String> {
    let (variables, counters) = (HashMap::new(), HashMap::new());
    let scope = Scope { event, budget, variables, counters, blocks: 0 };
    let mut renderer = Renderer { scope, cycles: HashMap::new(), stopped: false };
    let mut out = String::new();
    match renderer.all(parts, &mut out) {
        Ok(()) => Ok(out),
        // What is too much for the budget is too much for the template.
        Err(trouble) if trouble.class == Class::Directive => {
            Err(Trouble { class: Class::Liquid(Stage::Render), ..trouble })
        }
        Err(trouble) => Err(trouble),
    }
}

struct Renderer<'s, 'p> {
    scope: Scope<'s, 'p>,
    /// Where each `cycle` is: by its group and how many it goes through.
    cycles: HashMap<(String, usize), usize>,
    /// After `break` or `continue` nothing more is rendered.
    stopped: bool,
}

impl<'p> Renderer<'_, 'p> {
    fn all(&mut self, parts: &[Part], out: &mut String) -> Rendered<()> {
        for part in parts {
            self.part(part, out)?;
            if self.stopped {
                break;
            }
        }
        Ok(())
    }

    fn part(&mut self, part: &Part, out: &mut String) -> Rendered<()> {
        match part {
            Part::Text(text) => self.write(text, out),
            Part::Output(value) => {
                let value = self.scope.filtered(value)?.plain();
                self.show(&value, out)
            }
            Part::Assign(name, value) => {
                let value = self.scope.filtered(value)?;
                self.scope.variables.insert(name.clone(), value);
                Ok(())
            }
            Part::Capture(name, parts) => {
                let mut captured = String::new();
                self.all(parts, &mut captured)?;
                self.scope.variables.insert(name.clone(), Data::Value(Value::Text(captured)));
                Ok(())
            }
            Part::Choice(branches, otherwise) => {
                for branch in branches {
                    if self.scope.filtered(&branch.condition)?.is_true() != branch.negated {
                        return self.all(&branch.parts, out);
                    }
                }
                self.all(otherwise, out)
            }
            Part::Count(name, step) => self.count(name, *step, out),
            Part::Cycle(group, candidates) => self.cycle(group.as_ref(), candidates, out),
            Part::Block(parts) => {
                self.scope.blocks = self.scope.blocks.saturating_add(1);
                let rendered = self.all(parts, out);
                self.scope.blocks = self.scope.blocks.saturating_sub(1);
                rendered
            }
            Part::Group(parts) => self.all(parts, out),
            Part::Stop => {
                self.stopped = true;
                Ok(())
            }
        }
    }

    fn write(&self, text: &str, out: &mut String) -> Rendered<()> {
        self.scope.budget.text(text.len())?;
        out.push_str(text);
        Ok(())
    }

    fn show(&self, value: &Value<'p>, out: &mut String) -> Rendered<()> {
        let text = shown(value.piece(), self.scope.budget)?;
        self.write(&text, out)
    }

    /// `increment` shows the number before, `decrement` the one after.
    fn count(&mut self, name: &str, step: Step, out: &mut String) -> Rendered<()> {
        let before = match self.scope.counters.get(name) {
            Some(counter) => *counter,
            None => match follow(self.scope.event, &[Value::Text(name.to_owned())], self.scope.budget)? {
                found if matches!(found.view(), View::Number(_)) => number(found.piece(), self.scope.budget)?,
                _ => 0.0,
            },
        };
        let after = if step == Step::Up { before + 1.0 } else { before - 1.0 };
        self.scope.counters.insert(name.to_owned(), after);
        self.show(&Value::Number(if step == Step::Up { before } else { after }), out)
    }

    fn cycle(&mut self, group: Option<&Operand>, candidates: &[Operand], out: &mut String) -> Rendered<()> {
        let group = group.map_or(Ok(Data::UNDEFINED), |group| self.scope.operand(group))?.plain();
        let key = (coerced(group.piece(), self.scope.budget)?, candidates.len());
        let at = self.cycles.get(&key).copied().unwrap_or_default();
        let next = at.saturating_add(1);
        self.cycles.insert(key, if next >= candidates.len() { 0 } else { next });
        let Some(candidate) = candidates.get(at) else { return Ok(()) };
        match self.scope.operand(candidate)?.plain() {
            value if value.piece().is_falsy() => Ok(()),
            value => self.show(&value, out),
        }
    }
}
